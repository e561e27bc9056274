/**
 * metrics: how good a list is, judged by what its user did afterwards; how far predicted ratings are from those that were given; and a mean with its
 * 95 % confidence interval.
 *
 *   list      the first k items, best first
 *   relevant  R: the items that the user interacted with in the test part; at least one
 *   rel(j)    1 when the item at rank j is relevant, else 0            hits(j) = rel(1) + … + rel(j)
 *
 *   precision   hits(k) / k
 *   recall      hits(k) / |R|
 *   hitRate     1 when hits(k) > 0, else 0
 *   mrr         1 / the rank of the first hit, 0 without
 *   map         Σ rel(j) · hits(j) / j / |R|
 *   mapAtK      Σ rel(j) · hits(j) / j / min(k, |R|)
 *   ndcg        Σ rel(j) / log2(j + 1)  /  Σ over j ≤ min(k, |R|) of 1 / log2(j + 1)
 *
 *   rmse        √(Σ (r̂ − r)² / n)        mae  Σ |r̂ − r| / n        of n predicted ratings
 *   margin      1.96 · s / √n            s  standard deviation of n values (n − 1): the normal approximation, n is the number of users, mostly hundreds
 *
 * `map` and `mapAtK` differ for users with more than k relevant items: publications use either, mostly without saying which.
 */
export const RANKING_METRICS = ['ndcg', 'map', 'mapAtK', 'precision', 'recall', 'hitRate', 'mrr'] as const;
export type RankingMetric = (typeof RANKING_METRICS)[number];

export type RankingScores = Readonly<Record<RankingMetric, number>>;

/** `relevantCount`: |R|, at least 1. */
export function rankingScores(isRelevant: readonly boolean[], relevantCount: number, k: number): RankingScores {
  let [hits, first, precisions, gain, ideal] = [0, 0, 0, 0, 0];
  for (let rank = 1; rank <= k; rank++) {
    if (rank <= relevantCount) ideal += 1 / Math.log2(rank + 1);
    if (isRelevant[rank - 1] !== true) continue;
    hits++;
    if (first === 0) first = rank;
    precisions += hits / rank;
    gain += 1 / Math.log2(rank + 1);
  }
  return {
    ndcg: gain / ideal,
    map: precisions / relevantCount,
    mapAtK: precisions / Math.min(k, relevantCount),
    precision: hits / k,
    recall: hits / relevantCount,
    hitRate: hits > 0 ? 1 : 0,
    mrr: first === 0 ? 0 : 1 / first,
  };
}

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
