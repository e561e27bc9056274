/** What an actor is given, and how it may be tuned. */
import type { Topology } from '../contract/graph.js';
import type { Clock, Log, Logger, Store } from '../contract/ports.js';
import type { AnyStage } from '../contract/stage.js';
import type { ActorStatus } from '../telemetry/status.js';
import type { Scheduler } from '../shards/scheduler.js';

/** Knobs that change no output. */
export interface ActorTuning {
  readonly snapshotEveryMs: number;
  /** A snapshot is taken early after this many bytes of input, so that the stream can be trimmed; which it is early, too. */
  readonly snapshotEveryBytes: number;
  /** Unacknowledged messages per destination, and bytes over all of them. */
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
  /** At most this many publishers' messages, or bytes, in one frame. */
  readonly frameMessages: number;
  readonly frameBytes: number;
  /**
   * Frames of publishers' messages are at least this far apart, so that a fast stream makes few larger ones. A message that comes after a pause
   * does not wait.
   */
  readonly frameEveryMs: number;
  /** Where copies are made, a mailbox is trimmed at most this often, unless it has grown meanwhile: it costs a word on every line (OUTBOX-5). */
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
  /** A batch that failed: its messages are taken one by one, so that the one at fault is found. Of a single one the rows of its frame are. */
  readonly suspects?: { readonly first: number; readonly sequence: number } | undefined;
  readonly status: ActorStatus;
  readonly copied?: () => number;
  readonly onCopyWanted?: () => void;
  /** Asked after each input whether to let other work go first; absent: never. */
  readonly turn?: Scheduler;
  /** When an input's answer is handed over: its oldest event was stored at this time, epoch ms. */
  readonly onAnswered?: (ingestedAtMs: number) => void;
}
