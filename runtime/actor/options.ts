/** What an actor is given, and how it may be tuned. */
import type { Topology } from '../contract/graph.js';
import type { Clock, Log, Logger, Store } from '../contract/ports.js';
import type { AnyStage } from '../contract/stage.js';
import type { ActorStatus } from '../telemetry/status.js';
import type { Scheduler } from '../shards/scheduler.js';

/** Tuning values that change no output. */
export interface ActorTuning {
  readonly snapshotEveryMs: number;
  /** A snapshot is taken early after this many bytes of input, so that the stream can be trimmed early. */
  readonly snapshotEveryBytes: number;
  /** Unacknowledged messages per destination, and bytes over all of them. */
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** At most this many publishers' messages, or bytes, in one batch. */
  readonly frameMessages: number;
  readonly frameBytes: number;
  /** The longest pause between batches of publishers' messages, on a busy machine (pace.ts): then a fast stream makes few large ones. */
  readonly frameEveryMs: number;
  /** Where copies are made, a mailbox is trimmed at most this often, unless it has grown: each trim publishes a message on every lane (OUTBOX-5). */
  readonly trimEveryMs: number;
}

export interface ActorOptions {
  readonly topology: Topology;
  readonly stage: AnyStage;
  readonly partition: number;
  readonly log: Log;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tuning: ActorTuning;
  /** A batch that failed: its messages are processed one by one, to find the one at fault. Of a single message the rows of its frame are. */
  readonly suspects?: { readonly first: number; readonly sequence: number } | undefined;
  readonly status: ActorStatus;
  readonly copied?: () => number;
  readonly onCopyWanted?: () => void;
  /** Called after each input, to let other work go first; absent: never. */
  readonly turn?: Scheduler;
  /** Called when an input's output is handed to the outbox; when its oldest event was stored, epoch ms. */
  readonly onAnswered?: (ingestedAtMs: number) => void;
}
