/** What a node is asked to do with units, and what it does that with. */
import type { ActorKnobs } from './actor/actor.js';
import type { Copies } from './replication/store.js';
import type { Deadline } from './supervision/deadline.js';
import type { Topology } from './contract/graph.js';
import type { Clock, Log, Logger, Store } from './contract/ports.js';
import type { Restores } from './shards/recovery-gate.js';
import type { Turn } from './shards/scheduler.js';

/** What moves as one: the instances with one number of the stages that share a store. */
export interface Unit {
  /** `<kind>-<partition>`; names the store. */
  readonly name: string;
  readonly partition: number;
  readonly stages: readonly string[];
  /** Runs on every node: a view, which only reads. */
  readonly everywhere?: boolean;
}

export interface HostOptions {
  readonly topology: Topology;
  readonly log: Log;
  readonly openStore: (name: string) => Promise<Store>;
  readonly clock: Clock;
  readonly loggerOf: (stage: string, partition: number) => Logger;
  readonly knobs: ActorKnobs;
  /** Ticks are written into the mailboxes of stages with publishers at this interval; 0 for none. */
  readonly tickEveryMs: number;
  readonly turn?: Turn;
  readonly restores?: Restores;
  readonly onAnswered?: (stage: string, ingestedAtMs: number) => void;
  /** An instance has restored its state, and begins to work. */
  readonly onOpened?: () => void;
  /** Absent: a unit that lives and dies with its data directory. */
  readonly copying?: CopyingOptions;
}

export interface CopyingOptions {
  readonly copies: Copies;
  readonly everyMs: number;
  /** Names a copier; each time another name, on all nodes. */
  readonly writer: () => string;
  /** While true nothing is trimmed or deleted that a backup may need. */
  readonly isHeld: () => boolean;
}

export interface CloseOptions {
  readonly copy: boolean;
  readonly deadline: Deadline;
}
