/**
 * Catching up with a copy, for who only stands by: one that cannot be used is made anew by the owner, who has the state, so it is waited for. It is
 * looked at again after an interval, not at each try: what is damaged is found by reading it.
 */
import { isUnusable } from './catch-up.js';
import { transient } from './errors.js';
import type { Clock } from './ports.js';

export class Standby {
  private failure: { readonly error: Error; readonly untilMs: number } | undefined;

  constructor(
    private readonly unit: string,
    private readonly clock: Clock,
    private readonly everyMs: number,
  ) {}

  /** Transient COPY_UNUSABLE. */
  async tried(catchUp: () => Promise<unknown>): Promise<void> {
    const { unit, clock, everyMs, failure } = this;
    if (failure !== undefined && clock.nowMs() < failure.untilMs) throw failure.error;
    try {
      await catchUp();
    } catch (cause) {
      if (!isUnusable(cause)) throw cause;
      const error = transient('COPY_UNUSABLE', `standing by for ${unit} must wait until its copy is made anew`, {
        cause,
      });
      this.failure = { error, untilMs: clock.nowMs() + everyMs };
      throw error;
    }
  }
}
