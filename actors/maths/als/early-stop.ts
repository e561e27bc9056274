/** early-stop: keeps the best of what iterations find, and says when it has got no better for some of them. */

export interface Best<T> {
  readonly iteration: number;
  readonly value: number;
  readonly found: T;
}

export class EarlyStop<T> {
  best: Best<T> | undefined;

  /** `leastGain`: by which share of itself a value must get lower to count as better, as 0.001 of a loss, which never rises. */
  constructor(
    private readonly patience: number,
    private readonly leastGain = 0,
  ) {}

  /** Lower values are better; `found` is asked for only then. */
  next(iteration: number, value: number, found: () => T): 'stop' | undefined {
    if (this.best === undefined || value < this.best.value - this.leastGain * Math.abs(this.best.value)) {
      this.best = { iteration, value, found: found() };
      return undefined;
    }
    return iteration - this.best.iteration >= this.patience ? 'stop' : undefined;
  }
}
