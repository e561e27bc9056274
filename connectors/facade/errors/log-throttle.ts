/** Throttles log lines that foreign clients can cause: at most one per `everyMs`. */
import type { Clock } from '../../../runtime/contract/ports.js';

export class LogThrottle {
  private loggedAtMs = -Infinity;
  private suppressed = 0;

  constructor(
    private readonly everyMs: number,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
  ) {}

  /** How many were suppressed since the last logged one; `undefined`: this one is suppressed too. */
  suppressedBefore(): number | undefined {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.loggedAtMs < this.everyMs) {
      this.suppressed++;
      return undefined;
    }
    const { suppressed } = this;
    this.loggedAtMs = nowMs;
    this.suppressed = 0;
    return suppressed;
  }
}
