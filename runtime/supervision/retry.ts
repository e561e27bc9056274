/** The one retry loop: with growing pauses, on an injected clock, for as long as it is wanted. */
import { reactionOf } from '../contract/errors.js';
import type { Clock } from '../contract/ports.js';
import { Deadline } from './deadline.js';

export interface RetryOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** Which errors are retried; by default Transient ones. Others are thrown at once. */
  readonly isRetryable?: (error: unknown) => boolean;
  /** Called after each failure: false gives up, with that error. */
  readonly isWanted?: () => boolean;
  /** Ends a pause; the work itself decides how to react. */
  readonly signal?: AbortSignal;
  /** After a failure, before the pause. `attempt` counts from 1. */
  readonly onRetry?: (error: unknown, attempt: number, pauseMs: number) => void;
  /** Doubles with each attempt, up to `pauseMsMax`. */
  readonly pauseMs?: number;
  readonly pauseMsMax?: number;
}

/** Thrown by the work: its error is thrown at once, without a retry. */
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

/** The failure of a NATS leader and the election of another, with a margin. */
export const FAILOVER_MS = 30_000;

/** For work that cannot continue without NATS: waits for a failover, FAILOVER_MS in total over all work done with it. */
export function retryThroughFailover(clock: Clock, onWait: (error: unknown) => void) {
  const deadline = new Deadline(FAILOVER_MS, clock);
  const isWanted = (): boolean => deadline.leftMs > 0;
  const onRetry = (error: unknown, attempt: number): void => {
    if (attempt === 1) onWait(error);
  };
  return <T>(work: () => Promise<T>): Promise<T> => retry(work, { clock, isWanted, onRetry });
}
