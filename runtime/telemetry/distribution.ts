/**
 * How values are distributed, as plain counts: what is on a hot path counts here, and a histogram collects them when somebody reads the metrics. To
 * observe each value by its labels would cost as much as many a step. It may be posted between threads.
 */

export interface Distribution {
  /** Values that were no larger than a bound, and larger than the one before; the last for those above all bounds. */
  readonly counts: number[];
  sum: number;
}

export const newDistribution = (bounds: readonly number[]): Distribution => ({
  counts: new Array<number>(bounds.length + 1).fill(0),
  sum: 0,
});

export function observe(distribution: Distribution, bounds: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
  distribution.counts[bucket]!++;
  distribution.sum += value;
}
