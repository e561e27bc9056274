/**
 * How values are distributed, as plain counts. Hot paths count here, and a histogram collects the counts when the metrics are read: observing each
 * value with its labels would cost as much as many steps. It can be posted between threads.
 */

export interface Distribution {
  /** Number of values up to each bound and above the one before; the last entry is for values above all bounds. */
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
