/** Work that is tried again while the log, or a table, is away for a moment. */
import { reactionOf } from './errors.js';
import type { Clock } from './ports.js';

export interface PatienceOptions {
  readonly clock: Clock;
  readonly everyMs: number;
  readonly signal: AbortSignal;
  /** Asked before each attempt; absent: always. */
  readonly isWanted?: () => boolean;
  readonly onRetry: (error: unknown) => void;
}

/** Resolves when the work is done, not wanted any more, or broken off by the signal; rejects with what is not transient. */
export async function patiently(options: PatienceOptions, work: () => Promise<void>): Promise<void> {
  const { clock, everyMs, signal, isWanted = () => true, onRetry } = options;
  while (!signal.aborted && isWanted()) {
    try {
      await work();
      return;
    } catch (error) {
      if (reactionOf(error) !== 'transient') throw error;
      onRetry(error);
      await clock.sleep(everyMs, signal);
    }
  }
}
