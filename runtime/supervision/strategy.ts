/**
 * Restart strategies: one for one, as in Erlang/OTP. A strategy is an immutable description; restarts are counted per child, so no child uses up the
 * restarts of another.
 */

/** Restart intensity: at most `restartsMax` restarts within `windowMs`. Each restart in a row waits twice as long as the one before. */
export interface Strategy {
  readonly restartsMax: number;
  readonly windowMs: number;
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
}

/** The strategy of a stage's instances. */
export interface StageStrategy extends Strategy {
  /** An input that fails the same way this many times in a row is poison. */
  readonly poisonAfter: number;
}

export const STAGE_STRATEGY: StageStrategy = {
  restartsMax: 10,
  windowMs: 60_000,
  backoffFirstMs: 50,
  backoffMaxMs: 5_000,
  poisonAfter: 3,
};

/** The windows are long enough for lower levels to escalate repeatedly: otherwise a permanent failure would never reach the node. */
export const SHARD_STRATEGY: Strategy = {
  restartsMax: 2,
  windowMs: 15 * 60_000,
  backoffFirstMs: 100,
  backoffMaxMs: 5_000,
};
export const THREAD_STRATEGY: Strategy = {
  restartsMax: 3,
  windowMs: 60 * 60_000,
  backoffFirstMs: 100,
  backoffMaxMs: 5_000,
};

export type Directive =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly attempt: number }
  | { readonly kind: 'escalate'; readonly reason: string };

/** Counts the restarts of one child. */
export class RestartCount {
  private countedMs: number[] = [];
  private inARow = 0;

  constructor(private readonly strategy: Strategy) {}

  /** The child has run for a while: its next failure counts as the first. */
  recovered(): void {
    this.inARow = 0;
  }

  /** The child failed during the search for the faulty input, and made progress: the restart does not count, and comes soon. */
  progress(): Directive {
    this.inARow = 0;
    return this.next(false, 0);
  }

  /** `counts`: towards the restart intensity. `atMs`: monotonic. */
  next(counts: boolean, atMs: number): Directive {
    const { restartsMax, windowMs, backoffFirstMs, backoffMaxMs } = this.strategy;
    if (counts) {
      this.countedMs = [...this.countedMs.filter((one) => one > atMs - windowMs), atMs];
      if (this.countedMs.length > restartsMax) {
        return { kind: 'escalate', reason: `more than ${restartsMax} restarts within ${windowMs / 1000} s` };
      }
    }
    const attempt = ++this.inARow;
    return {
      kind: 'restart',
      delayMs: Math.min(backoffMaxMs, backoffFirstMs * 2 ** Math.min(attempt - 1, 20)),
      attempt,
    };
  }
}

const NUMBERS = ['restartsMax', 'windowMs', 'backoffFirstMs', 'backoffMaxMs', 'poisonAfter'] as const;

/** Problems of a stage's own strategy, as text. */
export function strategyProblems(stage: string, own: Partial<StageStrategy>): string[] {
  const whole = { ...STAGE_STRATEGY, ...own };
  const problems = Object.keys(own)
    .filter((name) => !(NUMBERS as readonly string[]).includes(name))
    .map((name) => `strategies.${stage}.${name} is not one of ${NUMBERS.join(', ')}`);
  for (const name of NUMBERS) {
    const least = name === 'restartsMax' ? 0 : 1;
    if (Number.isSafeInteger(whole[name]) && whole[name] >= least) continue;
    problems.push(`strategies.${stage}.${name} must be a whole number from ${least}, not ${whole[name]}`);
  }
  if (whole.backoffMaxMs < whole.backoffFirstMs) {
    problems.push(
      `strategies.${stage}.backoffMaxMs (${whole.backoffMaxMs}) must be at least backoffFirstMs (${whole.backoffFirstMs})`,
    );
  }
  return problems;
}
