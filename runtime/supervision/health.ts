/**
 * Health as a function of the supervision tree: whether a node should receive calls, and why not.
 *
 * Invariants
 * HEALTH-1  A node begins to serve when each of its instances runs and has read its mailbox to the end that it had when it was opened, so that no message
 *           is missing, each thread has reported, and NATS with JetStream is available. It waits for a mailbox at most REPLAY_WAIT_MS.
 * HEALTH-2  It goes on serving through failures that end within a grace time (a restart, a reconnect); a longer failure ends it. An instance that
 *           has failed permanently ends it at once.
 * HEALTH-3  An instance that fails repeatedly counts as down between failures; it has recovered when it has run for STEADY_MS.
 * HEALTH-4  Events can be stored while JetStream is available and stores the clock's ticks, which go into the same stream, whatever the state of the
 *           stages. If the stream rejects events (it is full, or has no leader), calls are still answered.
 */
import type { ActorStatus } from '../telemetry/status.js';
import type { ChildStatus } from './supervisor.js';

export const GRACE_MS = 5_000;
/** An instance that was failing has recovered when it has run this long. */
export const STEADY_MS = 2_000;
/** By then an instance has long checked that the messages after its snapshot are there. */
export const REPLAY_WAIT_MS = 15_000;
/** Buffered for an epoch on disk and in memory: above this there is a warning. */
const BUFFERED_BYTES_WARNING = 1024 * 1024 * 1024;

export type InstanceVitals = Pick<
  ActorStatus,
  | 'stage'
  | 'partition'
  | 'state'
  | 'sinceMs'
  | 'failingSinceMs'
  | 'restarts'
  | 'lastError'
  | 'bufferedBytes'
  | 'refusal'
  | 'sequence'
  | 'replayTo'
  | 'foreign'
>;

export interface Vitals {
  readonly instances: readonly InstanceVitals[];
  /** Threads by name, with the time of the last report; undefined before the first one. */
  readonly threads: readonly {
    readonly name: string;
    readonly answeredAtMs: number | undefined;
    /** Absent: it has not been restarted. */
    readonly status?: Readonly<ChildStatus>;
  }[];
  /** Since when the connection to NATS is lost. */
  readonly natsUnreachableSinceMs: number | undefined;
  /** Since when this node cannot renew its membership entry, also while NATS responds: JetStream has no leader. */
  readonly outOfTouchSinceMs: number | undefined;
  /** Problems of what it answers, for people. */
  readonly warnings?: readonly string[];
  readonly nowMs: number;
}

export interface Health {
  /** Every part of the node works. */
  readonly serving: boolean;
  /** Events can be stored. */
  readonly takesEvents: boolean;
  /** Why it does not serve, or stores no events, for people; empty if it does both. */
  readonly reasons: readonly string[];
  /** Problems that do not keep it from serving. */
  readonly warnings: readonly string[];
}

/** A problem, and since when it exists. */
interface Trouble {
  readonly sinceMs: number;
  readonly text: string;
  readonly forGood?: boolean;
}

export function healthOf(vitals: Vitals, served: boolean): Health {
  const { instances, threads, natsUnreachableSinceMs, outOfTouchSinceMs, nowMs } = vitals;
  const nats = [
    ...unreachableTrouble('NATS is unreachable', natsUnreachableSinceMs, nowMs),
    ...unreachableTrouble('out of touch with JetStream', outOfTouchSinceMs, nowMs),
  ];
  const refusals = instances.flatMap((instance) => refusalTrouble(instance, nowMs));
  const own = [
    ...threads.flatMap((thread) => threadTrouble(thread, nowMs)),
    ...instances.flatMap((instance) => instanceTrouble(instance, nowMs)),
    ...(served ? [] : instances.flatMap((instance) => replayTrouble(instance, nowMs))),
  ];
  const counts = ({ sinceMs, forGood }: Trouble): boolean => !served || forGood === true || nowMs - sinceMs > GRACE_MS;
  const isWell = (...troubles: readonly Trouble[]): boolean => !troubles.some(counts);
  const warnings = [
    ...instances.filter(({ bufferedBytes }) => bufferedBytes > BUFFERED_BYTES_WARNING).map(bufferedText),
    ...instances.flatMap(foreignText),
    ...(vitals.warnings ?? []),
  ];
  return {
    serving: isWell(...nats, ...own),
    takesEvents: isWell(...nats, ...refusals),
    reasons: [...nats, ...refusals, ...own].filter(counts).map(({ text }) => text),
    warnings,
  };
}

const unreachableTrouble = (what: string, sinceMs: number | undefined, nowMs: number): Trouble[] =>
  sinceMs === undefined ? [] : [{ sinceMs, text: `${what} ${since(sinceMs, nowMs)}` }];

function refusalTrouble({ stage, partition, refusal }: InstanceVitals, nowMs: number): Trouble[] {
  if (refusal === undefined) return [];
  const { sinceMs, reason } = refusal;
  return [{ sinceMs, text: `${stage}.${partition} takes no events ${since(sinceMs, nowMs)}: ${reason}` }];
}

function threadTrouble({ name, answeredAtMs, status }: Vitals['threads'][number], nowMs: number): Trouble[] {
  if (status?.failingSinceMs !== undefined && status.state !== 'running') {
    const text = `thread ${name} is restarted ${since(status.failingSinceMs, nowMs)}: ${status.lastError}`;
    return [{ sinceMs: status.failingSinceMs, text, forGood: status.state === 'failed' }];
  }
  if (answeredAtMs === undefined) return [{ sinceMs: nowMs, text: `thread ${name} has not answered yet` }];
  // Statuses are requested about once a second: a shorter silence has no meaning.
  if (nowMs - answeredAtMs <= GRACE_MS / 2) return [];
  return [{ sinceMs: answeredAtMs, text: `thread ${name} is silent ${since(answeredAtMs, nowMs)}` }];
}

function instanceTrouble(instance: InstanceVitals, nowMs: number): Trouble[] {
  const { stage, partition, state, sinceMs, failingSinceMs, restarts, lastError = 'no error' } = instance;
  const name = `${stage}.${partition}`;
  if (state === 'failed') return [{ sinceMs, text: `${name} has failed: ${lastError}`, forGood: true }];
  if (failingSinceMs !== undefined && (state !== 'running' || nowMs - sinceMs < STEADY_MS)) {
    const text = `${name} fails ${since(failingSinceMs, nowMs)} (${restarts} restarts): ${lastError}`;
    return [{ sinceMs: failingSinceMs, text }];
  }
  return state === 'running' ? [] : [{ sinceMs, text: `${name} is ${state} ${since(sinceMs, nowMs)}` }];
}

function replayTrouble(
  { stage, partition, state, sinceMs, sequence, replayTo }: InstanceVitals,
  nowMs: number,
): Trouble[] {
  if (state !== 'running' || sequence >= replayTo || nowMs - sinceMs > REPLAY_WAIT_MS) return [];
  return [{ sinceMs, text: `${stage}.${partition} has been replaying its mailbox ${since(sinceMs, nowMs)}` }];
}

const bufferedText = ({ stage, partition, bufferedBytes }: InstanceVitals): string =>
  `${stage}.${partition} buffers ${(bufferedBytes / 2 ** 30).toFixed(1)} GiB for later epochs: one of its writers is far behind the others`;

const foreignText = ({ stage, partition, foreign }: InstanceVitals): string[] => {
  if (foreign === undefined) return [];
  const { subject, sequence } = foreign.last;
  return [
    `${stage}.${partition} has skipped what Rivulet has not written, at last message ${sequence} on ${subject}: let nobody else publish there`,
  ];
};

const since = (atMs: number, nowMs: number): string => `for ${Math.max(0, Math.round((nowMs - atMs) / 1000))} s`;
