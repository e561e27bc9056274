/** What an instance reports, for metrics, health and the live view. Telemetry only: nothing of it is state. */
import { type Distribution, newDistribution, observe } from './distribution.js';
import type { Quarantined } from '../actor/quarantine.js';
import type { Counters } from '../actor/instance.js';
import type { LogMessage, Waiting } from '../contract/ports.js';
import { type ChildStatus, newChildStatus } from '../supervision/supervisor.js';

/** Bounds of what is counted per step. Seconds; rows, from one event to a frame as large as they get; bytes. */
export const STEP_BOUNDS = {
  seconds: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5],
  rows: [1, 10, 100, 1_000, 10_000],
  bytes: [256, 1_024, 8_192, 65_536, 524_288],
} as const;
/** Seconds. */
export const SNAPSHOT_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30] as const;

/** Nothing can be stored in a mailbox: since when, epoch ms, and what came of the last try. */
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
  /** Stored and not yet taken in: how many, and when the oldest of those that are known here was stored, epoch ms; as of the last report. */
  lagMessages: number | undefined;
  lagSinceMs: number | undefined;
  /** The last input taken in, and the snapshot's. */
  sequence: number;
  snapshotSequence: number;
  /** Where its mailbox ended when it was opened: as far as it replays, and finds out whether a message is missing. */
  replayTo: number;
  snapshots: number;
  snapshotMs: number;
  snapshotBytes: number;
  readonly snapshotTimes: Distribution;
  snapshotBytesWritten: number;
  /** When the oldest input was taken in that no snapshot includes, epoch ms. */
  unsavedSinceMs: number | undefined;
  /** Of its mailbox, where a clock ticks into it: only then is it known. */
  refusal: Refusal | undefined;
  epoch: number;
  watermarkMs: number | null;
  asOfMs: number | null;
  /** The bounded input is over and all of it is taken in. */
  finished: boolean;
  stateKeys: number;
  /** Messages that wait for their epoch, and their bytes, wherever they are. */
  bufferedMessages: number;
  bufferedBytes: number;
  quarantined: Quarantined;
  /** Skipped, since no writer of its mailbox has written them: how many in this life of the node, and the last one. */
  foreign: { readonly messages: number; readonly last: Pick<LogMessage, 'subject' | 'sequence'> } | undefined;
  unacknowledged: number;
  /** When the newest input taken in was stored, epoch ms. */
  lastStoredAtMs: number;
  counters: Counters;
}

export const newStatus = (stage: string, partition: number): ActorStatus => ({
  stage,
  partition,
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

/** What one step took in. */
export interface Step {
  readonly messages: number;
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
}

export function recordStep(status: ActorStatus, { messages, rows, bytes, ms }: Step): void {
  const { steps } = status;
  status.messagesIn += messages;
  status.rowsIn += rows;
  status.bytesIn += bytes;
  status.busyMs += ms;
  observe(steps.seconds, STEP_BOUNDS.seconds, ms / 1000);
  // Ticks and marks are messages without rows.
  if (rows > 0) observe(steps.rows, STEP_BOUNDS.rows, rows);
  observe(steps.bytes, STEP_BOUNDS.bytes, bytes);
}

/** Those that are read again are counted once. Gives whether it is new. */
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

/** `waiting`: as the reader reports; absent: it cannot tell now, or there is none. */
export function recordLag(status: ActorStatus, waiting: Waiting | undefined): void {
  status.lagMessages = waiting?.messages;
  status.lagSinceMs = waiting?.oldestStoredAtMs;
}

/**
 * How long the oldest message that was stored and not taken in has waited at most, seconds. Where it is not known which one that is, it came
 * behind the newest that was taken in, and so has waited no longer than that one is old. `undefined`: nothing is known at all.
 */
export function lagSecondsOf(
  status: Pick<ActorStatus, 'lagMessages' | 'lagSinceMs' | 'lastStoredAtMs'>,
  nowMs: number,
): number | undefined {
  const { lagMessages, lagSinceMs, lastStoredAtMs } = status;
  if (lagMessages === 0) return 0;
  const sinceMs = lagSinceMs ?? (lastStoredAtMs === 0 ? undefined : lastStoredAtMs);
  // The log's clock may be a little ahead.
  return sinceMs === undefined ? undefined : Math.max(0, (nowMs - sinceMs) / 1000);
}
