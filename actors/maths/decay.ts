/**
 * decay: the remaining part of a weight after some time.
 *
 *   d(age) = 2^(−age / h)        age, h  ms        h  half-life: d(h) = 1/2
 *
 * A decayed sum Σ w · d(t − time) is stored as its value v at a reference time T, the latest time added, and read at any t ≥ T as
 * v · d(t − T). Two such sums add up at the later of their two times.
 */

/** d(age); 1 for an age of 0, which is exact. */
export const decay = (ageMs: number, halfLifeMs: number): number => (ageMs === 0 ? 1 : 2 ** (-ageMs / halfLifeMs));

export interface DecayedSum {
  /** v: the sum as of `time`. */
  value: number;
  /** T: epoch ms. */
  time: number;
}

/** Adds another decayed sum (or one weight at its time) in place. */
export function addDecayed(sum: DecayedSum, value: number, time: number, halfLifeMs: number): void {
  if (time > sum.time) {
    sum.value = sum.value * decay(time - sum.time, halfLifeMs) + value;
    sum.time = time;
  } else sum.value += value * decay(sum.time - time, halfLifeMs);
}
