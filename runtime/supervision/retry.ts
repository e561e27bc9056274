/** The one way to try again: with growing pauses, on an injected clock, for as long as it is wanted. */
import { reactionOf } from '../contract/errors.js';
import type { Clock } from '../contract/ports.js';
import { Deadline } from './deadline.js';

export interface RetryOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** What is tried again; by default Transient errors. Others are thrown at once. */
  readonly isRetryable?: (error: unknown) => boolean;
  /** Asked after each failure: false gives up, with that error. */
  readonly isWanted?: () => boolean;
  /** Ends a pause; what then becomes of the work is its own matter. */
  readonly signal?: AbortSignal;
  /** After a failure, before the pause. `attempt` counts from 1. */
  readonly onRetry?: (error: unknown, attempt: number, pauseMs: number) => void;
  /** Doubles with each attempt, up to `pauseMsMax`. */
  readonly pauseMs?: number;
  readonly pauseMsMax?: number;
}

/** Thrown by the work: what it holds is thrown at once, whatever it is. */
export class Final extends Error {
  constructor(readonly error: unknown) {
    super('not to be tried again', { cause: error });
  }
}

const PAUSE_MS = 10;
const PAUSE_MS_MAX = 1_000;

const isTransient = (error: unknown): boolean => reactionOf(error) === 'transient';

export async function retry<T>(
  work: () => Promise<T>,
  { clock, isRetryable = isTransient, isWanted, signal, onRetry, pauseMs, pauseMsMax = PAUSE_MS_MAX }: RetryOptions,
): Promise<T> {
  let nextMs = pauseMs ?? PAUSE_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Final) throw error.error;
      if (!isRetryable(error) || isWanted?.() === false) throw error;
      onRetry?.(error, attempt, nextMs);
    }
    await clock.sleep(nextMs, signal);
    nextMs = Math.min(pauseMsMax, nextMs * 2);
  }
}

/** The death of a leader of a NATS cluster and the election of another, with room. */
export const FAILOVER_MS = 30_000;

/** For work that cannot go on without NATS: waits for a failover, FAILOVER_MS in all over everything that is done with it. */
export function retryThroughFailover(clock: Clock, onWait: (error: unknown) => void) {
  const deadline = new Deadline(FAILOVER_MS, clock);
  const isWanted = (): boolean => deadline.leftMs > 0;
  const onRetry = (error: unknown, attempt: number): void => {
    if (attempt === 1) onWait(error);
  };
  return <T>(work: () => Promise<T>): Promise<T> => retry(work, { clock, isWanted, onRetry });
}
