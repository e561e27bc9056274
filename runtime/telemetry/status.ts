/** Status of an instance, for metrics, health and the live view. Telemetry only: none of it is state. */
import { type Distribution, newDistribution, observe } from './distribution.js';
import type { Quarantined } from '../actor/quarantine.js';
import type { Counters } from '../actor/instance.js';
import type { LogMessage, Waiting } from '../contract/ports.js';
import { newTally, type Tally } from '../plan/chain.js';
import { type ChildStatus, newChildStatus } from '../supervision/supervisor.js';

/** Histogram bounds per step. Seconds; rows, from one event to the largest frame; bytes. */
export const STEP_BOUNDS = {
  seconds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5],
  rows: [1, 10, 100, 1_000, 10_000],
  bytes: [256, 1_024, 8_192, 65_536, 524_288],
} as const;
/** Seconds. */
export const SNAPSHOT_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30] as const;

/** The mailbox rejects writes: since when, epoch ms, and the result of the last attempt. */
export interface Refusal {
  readonly sinceMs: number;
  readonly reason: string;
}

export interface ActorStatus extends ChildStatus {
  readonly stage: string;
  readonly partition: number;
  messagesIn: number;
  bytesIn: number;
  /** Of frames; a publisher's message counts as one. */
  rowsIn: number;
  messagesOut: number;
  bytesOut: number;
  rowsOut: number;
  /** Time spent in steps, ms. */
  busyMs: number;
  readonly steps: { readonly seconds: Distribution; readonly rows: Distribution; readonly bytes: Distribution };
  /** Stored and not yet processed: how many, and when the oldest known one was stored, epoch ms; as of the last report. */
  lagMessages: number | undefined;
  lagSinceMs: number | undefined;
  /** The last processed input, and the last one in a snapshot. */
  sequence: number;
  snapshotSequence: number;
  /** End of its mailbox when it was opened: up to there it replays and detects missing messages. */
  replayTo: number;
  snapshots: number;
  snapshotMs: number;
  snapshotBytes: number;
  readonly snapshotTimes: Distribution;
  snapshotBytesWritten: number;
  /** When the oldest input that no snapshot includes was processed, epoch ms. */
  unsavedSinceMs: number | undefined;
  /** Of its mailbox; known only if a clock writes ticks into it. */
  refusal: Refusal | undefined;
  epoch: number;
  watermarkMs: number | null;
  asOfMs: number | null;
  /** The bounded input has ended and is processed. */
  finished: boolean;
  stateKeys: number;
  /** Messages in the alignment buffer, and their bytes, in memory and on disk. */
  bufferedMessages: number;
  bufferedBytes: number;
  quarantined: Quarantined;
  /** Foreign messages, written by none of its mailbox's writers and skipped: their number since the node started, and the last one. */
  foreign: { readonly messages: number; readonly last: Pick<LogMessage, 'subject' | 'sequence'> } | undefined;
  unacknowledged: number;
  /** When the newest processed input was stored, epoch ms. */
  lastStoredAtMs: number;
  counters: Counters;
  /** Of a chain: the stages after the first. */
  chained: readonly ActorStatus[];
}

export const newStatus = (stage: string, partition: number): ActorStatus => ({
  stage,
  partition,
  chained: [],
  ...newChildStatus(),
  ...{ messagesIn: 0, bytesIn: 0, rowsIn: 0, messagesOut: 0, bytesOut: 0, rowsOut: 0 },
  busyMs: 0,
  steps: {
    seconds: newDistribution(STEP_BOUNDS.seconds),
    rows: newDistribution(STEP_BOUNDS.rows),
    bytes: newDistribution(STEP_BOUNDS.bytes),
  },
  lagMessages: undefined,
  lagSinceMs: undefined,
  sequence: 0,
  snapshotSequence: 0,
  replayTo: 0,
  snapshots: 0,
  snapshotMs: 0,
  snapshotBytes: 0,
  snapshotTimes: newDistribution(SNAPSHOT_BOUNDS),
  snapshotBytesWritten: 0,
  unsavedSinceMs: undefined,
  refusal: undefined,
  epoch: 0,
  watermarkMs: null,
  asOfMs: null,
  finished: false,
  stateKeys: 0,
  bufferedMessages: 0,
  bufferedBytes: 0,
  quarantined: { messages: 0, rows: 0 },
  foreign: undefined,
  unacknowledged: 0,
  lastStoredAtMs: 0,
  counters: { events: 0, on_time: 0, late: 0, dead_letter: 0, duplicates: 0 },
});

/** Result of one step. */
export interface Step {
  readonly messages: number;
  readonly rows: number;
  readonly bytes: number;
  readonly rowsOut: number;
  readonly ms: number;
}

/** `tallies`: of the stages of a chain, whose first has what the others have not. */
export function recordStep(status: ActorStatus, step: Step, tallies: readonly Tally[] = []): void {
  const { steps } = status;
  const { messages, rows, bytes } = step;
  let { rowsOut, ms } = step;
  tallies.forEach((tally, at) => {
    if (at === 0) ({ rowsOut } = tally);
    else if (tally.messages > 0 || tally.ms > 0) {
      ms -= tally.ms;
      recordStep(status.chained[at - 1]!, { ...tally, bytes: 0 });
    }
    Object.assign(tally, newTally());
  });
  status.rowsOut += rowsOut;
  status.messagesIn += messages;
  status.rowsIn += rows;
  status.bytesIn += bytes;
  status.busyMs += ms;
  observe(steps.seconds, STEP_BOUNDS.seconds, ms / 1000);
  // Ticks and markers are messages without rows.
  if (rows > 0) observe(steps.rows, STEP_BOUNDS.rows, rows);
  if (bytes > 0) observe(steps.bytes, STEP_BOUNDS.bytes, bytes);
}

/**
 * Of every stage, also those that run in a chain: these have the state, the restarts, the snapshots and the counters of the chain, of which each stage
 * shows those that it counts. Mailbox, watermark and messages sent are the first one's.
 */
export const perStage = (statuses: readonly ActorStatus[]): readonly ActorStatus[] =>
  statuses.flatMap((status) => {
    const { state, sinceMs, failingSinceMs, restarts, lastError, asOfMs, counters } = status;
    const { snapshots, snapshotMs, snapshotBytes } = status;
    const common = { state, sinceMs, failingSinceMs, restarts, lastError, asOfMs, counters };
    return [status, ...status.chained.map((own) => ({ ...own, ...common, snapshots, snapshotMs, snapshotBytes }))];
  });

/** Counts messages once, also when they are read again. Returns whether the message is new. */
export function recordForeign(status: ActorStatus, { subject, sequence }: LogMessage): boolean {
  const { messages, last } = status.foreign ?? { messages: 0, last: { sequence: 0 } };
  if (sequence <= last.sequence) return false;
  status.foreign = { messages: messages + 1, last: { subject, sequence } };
  return true;
}

export function recordSnapshot(status: ActorStatus, ms: number, bytes: number): void {
  status.snapshots++;
  status.snapshotMs = ms;
  status.snapshotBytes = bytes;
  status.snapshotBytesWritten += bytes;
  observe(status.snapshotTimes, SNAPSHOT_BOUNDS, ms / 1000);
}

/** `waiting`: as the reader reports; absent: unknown at present, or no reader. */
export function recordLag(status: ActorStatus, waiting: Waiting | undefined): void {
  status.lagMessages = waiting?.messages;
  status.lagSinceMs = waiting?.oldestStoredAtMs;
}

/**
 * Upper bound of how long the oldest unprocessed message has waited, seconds. If that message is not known, it was stored after the newest processed one,
 * and so has waited no longer than that one's age. `undefined`: nothing is known.
 */
export function lagSecondsOf(
  status: Pick<ActorStatus, 'lagMessages' | 'lagSinceMs' | 'lastStoredAtMs'>,
  nowMs: number,
): number | undefined {
  const { lagMessages, lagSinceMs, lastStoredAtMs } = status;
  if (lagMessages === 0) return 0;
  const sinceMs = lagSinceMs ?? (lastStoredAtMs === 0 ? undefined : lastStoredAtMs);
  // The log's clock may be slightly ahead.
  return sinceMs === undefined ? undefined : Math.max(0, (nowMs - sinceMs) / 1000);
}
