/** Requests that survive a failover of NATS. */
import { systemClock } from '../../../runtime/contract/clock.js';
import { asError, hasCode, reactionOf, RivuletError, transient } from '../../../runtime/contract/errors.js';
import type { Log } from '../../../runtime/contract/ports.js';
import { Deadline } from '../../../runtime/supervision/deadline.js';
import { FAILOVER_MS, Final, retry } from '../../../runtime/supervision/retry.js';

export class Undecided extends RivuletError {
  constructor(subject: string, cause: Error) {
    super('transient', 'LOG_UNKNOWN', `it is not known whether the message on ${subject} was stored`, { cause });
  }
}

const isLogUnreachable = (error: unknown): boolean => hasCode(error, 'LOG_UNREACHABLE');

/** Retries while the log is unreachable: a reader should not fail because a leader died. */
export async function retryWhileUnreachable<T>(work: () => Promise<T>, isUnreachable = isLogUnreachable): Promise<T> {
  const deadline = new Deadline(FAILOVER_MS, systemClock);
  return retry(work, { clock: systemClock, isRetryable: isUnreachable, isWanted: () => deadline.leftMs > 0 });
}

export function ifTransient(error: unknown): undefined {
  if (!(error instanceof RivuletError && error.reaction === 'transient')) throw error;
}

function ifTransientNull(error: unknown): null {
  ifTransient(error);
  return null;
}

/**
 * Stores a message once, also when an ack is lost or a leader changes: an unknown outcome is resolved by reading the subject.
 * Throws FENCED when another writer has written to the subject, and `Undecided` when the outcome stays unknown.
 */
export async function publishOnce(
  log: Log,
  stream: string,
  subject: string,
  data: Uint8Array,
  expected: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const deadline = new Deadline(FAILOVER_MS, systemClock);
  let undecided = false;
  const attempt = async (): Promise<number> => {
    try {
      return await log.publish(subject, data, { expected, headers });
    } catch (failure) {
      if (reactionOf(failure) !== 'transient' || hasCode(failure, 'LOG_FULL')) throw new Final(failure);
      undecided ||= hasCode(failure, 'LOG_UNKNOWN');
      const last = await log.last(stream, subject).catch(ifTransientNull);
      if (last === null || (last?.sequence ?? 0) === expected)
        throw undecided ? new Undecided(subject, asError(failure)) : failure;
      if (last !== undefined && Buffer.compare(last.data, data) === 0) return last.sequence;
      throw new Final(transient('FENCED', `${subject} was written by another`, { cause: failure }));
    }
  };
  return retry(attempt, { clock: systemClock, isWanted: () => deadline.leftMs > 0 });
}
