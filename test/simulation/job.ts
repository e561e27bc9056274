/** What a simulated world works on: a topology, what is fed into it, and what must come out. */
import type { Topology } from '../../runtime/contract/graph.js';
import type { Clock, Log } from '../../runtime/contract/ports.js';
import type { Lie } from './faults.js';
import type { ActorStatus } from '../../runtime/telemetry/status.js';
import type { LogServer } from './log-server.js';
import type { Schedule } from './schedule.js';
import type { World } from './world.js';

/** What all simulated worlds have. */
export interface SimulatedRun {
  readonly job: { readonly topology: Topology };
  readonly schedule: Schedule;
  readonly server: LogServer;
  readonly calm: boolean;
  /** How often each fault happened. */
  readonly counts: ReadonlyMap<string, number>;
  readonly lives: readonly { readonly stage: string; readonly status: ActorStatus }[];
}

export interface RunOptions {
  readonly seed: number;
  /** What the log or a copy lies about, or nothing. Absent: drawn. */
  readonly lie?: Lie | 'none';
  readonly trace?: (line: string) => void;
}

export interface Feed {
  readonly world: SimulatedRun;
  /** A connection with the faults of the world. */
  readonly log: Log;
  readonly clock: Clock;
  /** Aborted when the log has lost something: what was fed is fed again, from the start. */
  readonly signal: AbortSignal;
}

export interface Job<W extends SimulatedRun = World> {
  readonly name: string;
  readonly topology: Topology;
  /** Among all jobs it runs every so many seeds: the real pipeline costs several toys. */
  readonly everySeeds: number;
  /** Steps with faults; after them the world is sound, and everything must end. */
  readonly steps: number;
  /** Ticks are written at this interval; 0 for none. */
  readonly tickEveryMs: number;
  /** So long each source has them when all inputs are stored: epochs of an interval end by ticks alone. */
  readonly ticksOnMs?: number;
  /** Topics that a sink reads to their end. */
  readonly sinkTopics: readonly string[];
  /** Writes the inputs; resolves when they are stored. May be done again. */
  readonly feed: (feed: Feed) => Promise<void>;
  /** What must come out: rows of a run without faults, or of a model. */
  readonly reference: () => Promise<unknown>;
  /** Throws when what came out is not what must come out. */
  check(world: W, expected: unknown): void;
  run(options: RunOptions): Promise<W>;
}
