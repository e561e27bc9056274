/**
 * estimate: a mean with its 95 % confidence interval.
 *
 *   mean ± 1.96 · s / √n      s  standard deviation of the sample (n − 1)      the normal approximation: n is the number of users, mostly hundreds
 */
export interface Estimate {
  readonly mean: number;
  /** Half of the interval's width; NaN for fewer than two values. */
  readonly margin: number;
}

export function estimateOf(values: ArrayLike<number>): Estimate {
  const n = values.length;
  let [sum, squares] = [0, 0];
  for (let i = 0; i < n; i++) sum += values[i]!;
  const mean = sum / n;
  for (let i = 0; i < n; i++) squares += (values[i]! - mean) ** 2;
  return { mean, margin: n < 2 ? NaN : (1.96 * Math.sqrt(squares / (n - 1))) / Math.sqrt(n) };
}
