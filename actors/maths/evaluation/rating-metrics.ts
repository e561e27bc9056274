/**
 * rating-metrics: how far predicted ratings are from those that were given.
 *
 *   rmse = √(Σ (r̂ − r)² / n)        mae = Σ |r̂ − r| / n
 */
export interface RatingScores {
  readonly rmse: number;
  readonly mae: number;
}

export function ratingScores(predicted: ArrayLike<number>, given: ArrayLike<number>): RatingScores {
  const n = given.length;
  let [squares, distances] = [0, 0];
  for (let i = 0; i < n; i++) {
    squares += (predicted[i]! - given[i]!) ** 2;
    distances += Math.abs(predicted[i]! - given[i]!);
  }
  return { rmse: Math.sqrt(squares / n), mae: distances / n };
}
