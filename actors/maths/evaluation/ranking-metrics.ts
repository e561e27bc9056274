/**
 * ranking-metrics: how good a list is, judged by what its user did afterwards.
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
