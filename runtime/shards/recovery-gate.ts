/**
 * The instances of this thread that are being restored: who is restored first waits for the others before it works on.
 *
 * A node serves when all of its instances are there. What one of them replays meanwhile makes the others later, and would be replayed afterwards
 * just as well. Only who starts waits; who works already goes on.
 */
import type { Clock } from '../contract/ports.js';

/** A large state that is taken over must not hold up for long what restarts beside it. */
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

  /** Resolves when none is under way, at the latest after WAIT_MS_MAX, or when the signal says so. */
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
