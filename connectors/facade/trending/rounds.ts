/**
 * Rounds over the subscribers: soon after a change, and every second for changes by time alone (heartbeats).
 *
 * Changes come a thousand times a second, rounds do not: the first change after a quiet time starts one at once, and changes meanwhile share the
 * next, `everyMs` later. A long round is followed by a pause of the same length: rounds take at most half of the thread.
 */
import type { Clock } from '../../../runtime/contract/ports.js';

const TICK_MS = 1_000;

export class CoalescingTicker {
  private readonly over = new AbortController();
  private nap = new AbortController();
  private isWoken = false;

  constructor(
    private readonly clock: Clock,
    private readonly everyMs: number,
    /** `isTick`: at least a second after the last tick. */
    private readonly visit: (isTick: boolean) => Promise<void>,
  ) {}

  wake(): void {
    if (this.isWoken) return;
    this.isWoken = true;
    this.nap.abort();
  }

  stop(): void {
    this.over.abort();
    this.nap.abort();
  }

  /** Ends after `stop`. */
  async run(): Promise<void> {
    const { clock, over } = this;
    let tickedMs = clock.monotonicMs();
    for (;;) {
      this.nap = new AbortController();
      if (!this.isWoken && !over.signal.aborted) {
        await clock.sleep(Math.max(0, tickedMs + TICK_MS - clock.monotonicMs()), this.nap.signal);
      }
      if (over.signal.aborted) return;
      this.isWoken = false;
      const startedMs = clock.monotonicMs();
      const isTick = startedMs - tickedMs >= TICK_MS;
      if (isTick) tickedMs = startedMs;
      await this.visit(isTick);
      await clock.sleep(Math.max(this.everyMs, clock.monotonicMs() - startedMs), over.signal);
    }
  }
}

/** Lets other calls run during a long round. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
