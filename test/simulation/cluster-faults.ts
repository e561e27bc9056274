/** All that can go wrong among nodes, each with its rate; as in faults.ts, a seed switches some off and makes others more frequent. */
import { type OperationFault, PER_OPERATION } from './faults.js';

/** Chances per step. */
export const CLUSTER_PER_STEP = {
  /** kill -9: at whatever it awaits; comes back with its disks, with old ones, or as another node with none. */
  kill: 0.0012,
  /** Stands still, turns and timers, and goes on: past its lease as a zombie. */
  stop: 0.0012,
  /** Nothing it sends arrives, for longer than a lease or less. */
  cutOff: 0.0012,
  /** Hands over, leaves and comes back. */
  leave: 0.0012,
  /** The next write to one of its stores is refused, and all behind it. */
  diskFull: 0.0006,
  serverRestart: 0.001,
  /** One node's wall clock moves, by up to two hours, forwards or backwards. */
  clockJump: 0.002,
} as const;

/** Chance per run of a damaged copy: then it must end in equal rows, or be refused (OBJECT_DAMAGED). */
export const DAMAGE = 0.08;

export type ClusterFault = keyof typeof CLUSTER_PER_STEP;

export interface ClusterFaults {
  readonly step: Readonly<Record<ClusterFault, number>>;
  readonly operation: Readonly<Record<OperationFault, number>>;
  readonly damage: boolean;
}

const FACTORS = [0, 0.4, 1, 2.5] as const;

export function drawnClusterFaults(random: () => number, damage: boolean | undefined): ClusterFaults {
  const scaled = <K extends string>(rates: Readonly<Record<K, number>>): Record<K, number> =>
    Object.fromEntries(
      (Object.entries(rates) as [K, number][]).map(([name, rate]) => [
        name,
        rate * FACTORS[Math.floor(random() * FACTORS.length)]!,
      ]),
    ) as Record<K, number>;
  const [step, operation] = [scaled(CLUSTER_PER_STEP), scaled(PER_OPERATION)];
  const drawn = random() < DAMAGE;
  return { step, operation, damage: damage ?? drawn };
}

const none = <K extends string>(rates: Readonly<Record<K, number>>): Record<K, number> =>
  Object.fromEntries(Object.keys(rates).map((name) => [name, 0])) as Record<K, number>;

export const NO_CLUSTER_FAULTS: ClusterFaults = {
  step: none(CLUSTER_PER_STEP),
  operation: none(PER_OPERATION),
  damage: false,
};
