/** Lines of a log that strangers can cause: told at most once in a while. */
import type { Clock } from '../../../runtime/contract/ports.js';

export class Seldom {
  private toldAtMs = -Infinity;
  private untold = 0;

  constructor(
    private readonly everyMs: number,
    private readonly clock: Pick<Clock, 'nowMs'>,
  ) {}

  /** How many were not told since the last one that was; `undefined`: nor is this one. */
  untoldBefore(): number | undefined {
    const nowMs = this.clock.nowMs();
    // A wall clock may go back by hours.
    if (Math.abs(nowMs - this.toldAtMs) < this.everyMs) {
      this.untold++;
      return undefined;
    }
    const { untold } = this;
    this.toldAtMs = nowMs;
    this.untold = 0;
    return untold;
  }
}
