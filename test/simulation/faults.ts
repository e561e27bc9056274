/** All that can go wrong, each with its rate, in one table. A seed switches some off and makes others more frequent: bugs hide where faults meet. */

/** Chances per step of the schedule. */
export const PER_STEP = {
  /** One instance dies at whatever it awaits; its supervisor's successor starts from the same disk. */
  instanceCrash: 0.012,
  /** A node dies with all its instances, and comes back with its disks. */
  nodeCrash: 0.003,
  /** A shard is taken over, from the disk as it is or from the copy of its snapshots; the former owner lives on, or sleeps and wakes. */
  takeover: 0.008,
  /** The log server is killed and restarts: nothing stored is lost, all answers under way are, readers end. */
  serverRestart: 0.002,
  /** A node's wall clock, or the server's, moves by up to two hours, forwards or backwards. */
  clockJump: 0.006,
} as const;

/** Chances per operation on the log. */
export const PER_OPERATION = {
  /** Stored, and the sender does not know. */
  'ack-lost': 0.03,
  /** Not stored, and the sender does not know. */
  'request-lost': 0.03,
  /** The sender does not know; it arrives much later. */
  late: 0.02,
  /** Refused: the server is unreachable. */
  away: 0.02,
} as const;

/** Chances per write of a snapshot. A crash between its turns tears it: atomic batches make that all or nothing. */
export const PER_WRITE = {
  refused: 0.03,
  /** Written, yet said to have failed. */
  unsaid: 0.03,
  /** The disk takes its time. */
  slow: 0.1,
} as const;

/**
 * Chances per run, of one lie of log or disk: the run must then end in equal rows, or be refused (LOG_BEHIND, LOG_GAP). What is refused is repaired as
 * `rivulet repair` would, and must then end in equal rows as well, unless it cannot be repaired.
 */
export const PER_RUN = {
  /** The machine goes down and the log comes back without what it had not synced (durability `process`; `power` loses nothing). */
  powerLoss: 0.08,
  /** A stream ends where it ended before. */
  rollback: 0.05,
  deletion: 0.05,
  /** The whole log is as it was at an earlier moment, and so are the copies of state, which are kept there. */
  earlier: 0.05,
  /** The messages of a stream are gone; it goes on counting. */
  purge: 0.05,
  /** The last messages of one subject are. */
  shortened: 0.03,
  /** One message is. */
  loss: 0.03,
  /** A shard's disk is empty, or as it was at an earlier moment. */
  diskLost: 0.03,
  diskEarlier: 0.03,
} as const;

export type StepFault = keyof typeof PER_STEP;
export type OperationFault = keyof typeof PER_OPERATION;
export type WriteFault = keyof typeof PER_WRITE;
export type Lie = keyof typeof PER_RUN;

export interface Faults {
  readonly step: Readonly<Record<StepFault, number>>;
  readonly operation: Readonly<Record<OperationFault, number>>;
  readonly write: Readonly<Record<WriteFault, number>>;
  readonly lie: Lie | undefined;
  /** No copies are made, so that mailboxes stay whole. */
  readonly untrimmed: boolean;
  /** How often a new owner starts from the copy instead of the disk. */
  readonly fromCopy: number;
}

export const NO_FAULTS: Faults = {
  step: { instanceCrash: 0, nodeCrash: 0, takeover: 0, serverRestart: 0, clockJump: 0 },
  operation: { 'ack-lost': 0, 'request-lost': 0, late: 0, away: 0 },
  write: { refused: 0, unsaid: 0, slow: 0 },
  lie: undefined,
  untrimmed: false,
  fromCopy: 0,
};

/** Of each fault: none, few, as in the table, many. */
const FACTORS = [0, 0.4, 1, 2.5] as const;

export function drawnFaults(random: () => number, wanted?: Lie | 'none'): Faults {
  const scaled = <K extends string>(rates: Readonly<Record<K, number>>): Record<K, number> => {
    const entries = Object.entries(rates) as [K, number][];
    return Object.fromEntries(
      entries.map(([name, rate]) => [name, rate * FACTORS[Math.floor(random() * FACTORS.length)]!]),
    ) as Record<K, number>;
  };
  const [step, operation, write] = [scaled(PER_STEP), scaled(PER_OPERATION), scaled(PER_WRITE)];
  let draw = random();
  const drawn = (Object.entries(PER_RUN) as [Lie, number][]).find(([, rate]) => (draw -= rate) < 0)?.[0];
  const lie = wanted === 'none' ? undefined : (wanted ?? drawn);
  const untrimmed = lie !== undefined && random() < 0.4;
  return { step, operation, write, lie, untrimmed, fromCopy: random() < 0.5 ? 0 : 0.5 };
}
