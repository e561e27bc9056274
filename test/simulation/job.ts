/** What a simulated world works on: a topology, what is fed into it, and what must come out. */
import type { Topology } from '../../runtime/graph.js';
import type { Clock, Log } from '../../runtime/ports.js';
import type { World } from './world.js';

export interface Feed {
  readonly world: World;
  /** A connection with the faults of the world. */
  readonly log: Log;
  readonly clock: Clock;
  /** Aborted when the log has lost something: what was fed is fed again, from the start. */
  readonly signal: AbortSignal;
}

export interface Job {
  readonly name: string;
  readonly topology: Topology;
  /** Steps with faults; after them the world is sound, and everything must end. */
  readonly steps: number;
  /** Ticks are written at this interval; 0 for none. */
  readonly tickEveryMs: number;
  /** Topics that a sink reads to their end. */
  readonly sinkTopics: readonly string[];
  /** Writes the inputs; resolves when they are stored. May be done again. */
  readonly feed: (feed: Feed) => Promise<void>;
  /** What must come out: rows of a run without faults, or of a model. */
  readonly reference: () => Promise<unknown>;
  /** Throws when what came out is not what must come out. */
  readonly check: (world: World, expected: unknown) => void;
}
