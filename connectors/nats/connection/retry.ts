/** Work that outlasts a server that is away, within a bound. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RivuletError, transient } from '../../../runtime/contract/errors.js';
import type { Log } from '../../../runtime/contract/ports.js';

/** How long an operation outlasts a server that is away: a leader's death and the election of another, with room. */
const PATIENCE_MS = 30_000;
const RETRY_FIRST_MS = 10;
const RETRY_MAX_MS = 1_000;

export class Undecided extends RivuletError {
  constructor(subject: string, cause: Error) {
    super('transient', 'LOG_UNKNOWN', `it is not known whether the message on ${subject} was stored`, { cause });
  }
}

const isLogAway = (error: unknown): boolean => error instanceof RivuletError && error.code === 'LOG_AWAY';

/** Again while the log is away: a reader should not fail because a leader died. */
export async function patiently<T>(work: () => Promise<T>, isAway = isLogAway): Promise<T> {
  const until = performance.now() + PATIENCE_MS;
  for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(RETRY_MAX_MS, delayMs * 2)) {
    try {
      return await work();
    } catch (error) {
      if (!isAway(error) || performance.now() > until) throw error;
    }
    await sleep(delayMs);
  }
}

export function ifTransient(error: unknown): undefined {
  if (!(error instanceof RivuletError && error.reaction === 'transient')) throw error;
}

function ifTransientNull(error: unknown): null {
  ifTransient(error);
  return null;
}

/**
 * Stores a message once, whatever becomes of acks and leaders: its outcome is read from the subject where it is not known.
 * Throws FENCED when somebody else has written to the subject, `Undecided` when nobody would say in time.
 */
export async function publishOnce(
  log: Log,
  stream: string,
  subject: string,
  data: Uint8Array,
  expected: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const until = performance.now() + PATIENCE_MS;
  let undecided = false;
  for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(RETRY_MAX_MS, delayMs * 2)) {
    let failure: RivuletError;
    try {
      return await log.publish(subject, data, { expected, headers });
    } catch (error) {
      if (!(error instanceof RivuletError) || error.reaction !== 'transient' || error.code === 'LOG_FULL') throw error;
      failure = error;
    }
    undecided ||= failure.code === 'LOG_UNKNOWN';
    const last = await log.last(stream, subject).catch(ifTransientNull);
    if (last !== null && (last?.sequence ?? 0) !== expected) {
      if (last !== undefined && Buffer.compare(last.data, data) === 0) return last.sequence;
      throw transient('FENCED', `${subject} was written by another`, { cause: failure });
    }
    if (performance.now() > until) throw undecided ? new Undecided(subject, failure) : failure;
    await sleep(delayMs);
  }
}
