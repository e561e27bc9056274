/** Supervision strategy: an immutable description; the tally that it is applied to belongs to one child (no shared budgets). */
import type { Reaction } from '../contract/errors.js';

export interface Strategy {
  /** At most this many restarts for bugs within the window; past it the failure escalates. Transient failures are not counted. */
  readonly restartsMax: number;
  readonly windowMs: number;
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
  /** An input that fails the same way this many times in a row is poison. */
  readonly poisonAfter: number;
}

export const DEFAULT_STRATEGY: Strategy = {
  restartsMax: 10,
  windowMs: 60_000,
  backoffFirstMs: 50,
  backoffMaxMs: 5_000,
  poisonAfter: 3,
};

export type Directive =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly attempt: number }
  | { readonly kind: 'bury'; readonly sequence: number; readonly delayMs: number; readonly attempt: number }
  | { readonly kind: 'escalate'; readonly reason: string };

export interface Failure {
  readonly reaction: Reaction;
  readonly message: string;
  /** The input it failed on, where it was one. */
  readonly sequence: number | undefined;
}

/** One child's failures so far. */
export class FailureCount {
  private restartsMs: number[] = [];
  private inARow = 0;
  private last: { readonly sequence: number | undefined; readonly message: string; readonly times: number } | undefined;

  constructor(private readonly strategy: Strategy) {}

  /** The child worked for a while: the next failure is a first one again. */
  recovered(): void {
    this.inARow = 0;
  }

  /** The child failed while it looked for what is at fault, and came nearer: that costs no budget, and the next one comes soon. */
  progress(): { readonly attempt: number; readonly delayMs: number } {
    this.inARow = 0;
    return { attempt: 1, delayMs: this.backoffMs(1) };
  }

  /** `atMs`: monotonic. */
  decide({ reaction, message, sequence }: Failure, atMs: number): Directive {
    if (reaction === 'fatal') return { kind: 'escalate', reason: message };
    const { restartsMax, windowMs, poisonAfter } = this.strategy;
    const attempt = ++this.inARow;
    const delayMs = this.backoffMs(attempt);
    if (reaction === 'transient') return { kind: 'restart', delayMs, attempt };
    if (reaction === 'poison' && sequence !== undefined) return { kind: 'bury', sequence, delayMs, attempt };
    const same = this.last !== undefined && this.last.sequence === sequence && this.last.message === message;
    this.last = { sequence, message, times: same ? this.last!.times + 1 : 1 };
    if (sequence !== undefined && this.last.times >= poisonAfter) {
      this.last = undefined;
      return { kind: 'bury', sequence, delayMs, attempt };
    }
    this.restartsMs = [...this.restartsMs.filter((one) => one > atMs - windowMs), atMs];
    if (this.restartsMs.length > restartsMax) {
      return { kind: 'escalate', reason: `more than ${restartsMax} restarts within ${windowMs / 1000} s: ${message}` };
    }
    return { kind: 'restart', delayMs, attempt };
  }

  private backoffMs(attempt: number): number {
    return Math.min(this.strategy.backoffMaxMs, this.strategy.backoffFirstMs * 2 ** Math.min(attempt - 1, 20));
  }
}
