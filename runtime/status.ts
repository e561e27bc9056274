/** What an instance says of itself, for metrics, health and the live view. Telemetry only: nothing of it is state. */
import type { Burials } from './fold.js';
import type { Counters } from './instance.js';

export type ActorState = 'restoring' | 'running' | 'backoff' | 'stopped' | 'failed';

/** Nothing can be stored in a mailbox: since when, epoch ms, and what came of the last try. */
export interface Refusal {
  readonly sinceMs: number;
  readonly reason: string;
}

export interface ActorStatus {
  readonly stage: string;
  readonly partition: number;
  state: ActorState;
  /** Since when it is in this state, and since when it fails without having recovered; epoch ms. */
  sinceMs: number;
  failingSinceMs: number | undefined;
  messagesIn: number;
  bytesIn: number;
  rowsOut: number;
  /** Time spent in steps, ms. */
  busyMs: number;
  /** The last input taken in, and the snapshot's. */
  sequence: number;
  snapshotSequence: number;
  snapshots: number;
  snapshotMs: number;
  snapshotBytes: number;
  restarts: number;
  lastError: string | undefined;
  /** Of its mailbox, where a clock ticks into it: only then is it known. */
  refusal: Refusal | undefined;
  epoch: number;
  watermarkMs: number | null;
  asOfMs: number | null;
  /** The bounded input is over and all of it is taken in. */
  finished: boolean;
  stateKeys: number;
  /** Messages that wait for their epoch, and their bytes, wherever they are. */
  heldMessages: number;
  heldBytes: number;
  burials: Burials;
  unacknowledged: number;
  /** When the newest input taken in was stored, epoch ms. */
  lastStoredAtMs: number;
  counters: Counters;
}

export const newStatus = (stage: string, partition: number): ActorStatus => ({
  stage,
  partition,
  state: 'restoring',
  sinceMs: 0,
  failingSinceMs: undefined,
  messagesIn: 0,
  bytesIn: 0,
  rowsOut: 0,
  busyMs: 0,
  sequence: 0,
  snapshotSequence: 0,
  snapshots: 0,
  snapshotMs: 0,
  snapshotBytes: 0,
  restarts: 0,
  lastError: undefined,
  refusal: undefined,
  epoch: 0,
  watermarkMs: null,
  asOfMs: null,
  finished: false,
  stateKeys: 0,
  heldMessages: 0,
  heldBytes: 0,
  burials: { messages: 0, rows: 0 },
  unacknowledged: 0,
  lastStoredAtMs: 0,
  counters: { events: 0, on_time: 0, late: 0, dead_letter: 0, duplicates: 0 },
});
