/**
 * The instances of this thread in recovery: one that is done waits for the others before it processes input.
 *
 * A node serves when all of its instances are restored. Input that one of them replays meanwhile delays the others, and can be replayed afterwards
 * just as well. Only starting instances wait; running ones go on.
 */
import type { Clock } from '../contract/ports.js';

/** The takeover of a large state must not delay for long the instances that restart beside it. */
const WAIT_MS_MAX = 2_000;

export class RecoveryGate {
  private underWay = 0;
  private waiting: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  async during<T>(restore: () => Promise<T>): Promise<T> {
    this.underWay++;
    try {
      return await restore();
    } finally {
      if (--this.underWay === 0) for (const go of this.waiting.splice(0)) go();
    }
  }

  /** Resolves when no recovery is under way, at the latest after WAIT_MS_MAX, or when the signal is aborted. */
  async over(signal: AbortSignal): Promise<void> {
    if (this.underWay === 0 || signal.aborted) return;
    const waited = new AbortController();
    const wake = (): void => waited.abort();
    this.waiting.push(wake);
    signal.addEventListener('abort', wake, { once: true });
    await this.clock.sleep(WAIT_MS_MAX, waited.signal);
    signal.removeEventListener('abort', wake);
  }
}
