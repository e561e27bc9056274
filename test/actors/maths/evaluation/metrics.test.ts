/** Each formula against numbers worked by hand. */
import { describe, expect, it } from 'vitest';
import { sparse } from '../../../../actors/maths/als/sparse.js';
import { listScores } from '../../../../actors/maths/evaluation/list-metrics.js';
import { estimateOf, rankingScores, ratingScores } from '../../../../actors/maths/evaluation/metrics.js';

describe('scores of a list', () => {
  it('with hits at ranks 1 and 3 of 4, and 5 relevant items', () => {
    const scores = rankingScores([true, false, true, false], 5, 4);
    expect(scores.precision).toBe(2 / 4);
    expect(scores.recall).toBe(2 / 5);
    expect(scores.hitRate).toBe(1);
    expect(scores.mrr).toBe(1);
    // Precision is 1 at the first hit and 2/3 at the second.
    expect(scores.map).toBeCloseTo(1.666_667 / 5, 6);
    expect(scores.mapAtK).toBeCloseTo(1.666_667 / 4, 6);
    // 1 / log2(2) + 1 / log2(4) = 1.5, of 1 + 0.630930 + 0.5 + 0.430677 for four hits.
    expect(scores.ndcg).toBeCloseTo(1.5 / 2.561_606, 6);
  });

  it('with a hit at rank 2 and one relevant item', () => {
    const scores = rankingScores([false, true], 1, 10);
    expect(scores).toEqual({
      ...{ precision: 0.1, recall: 1, hitRate: 1, mrr: 0.5, map: 0.5, mapAtK: 0.5 },
      ndcg: 1 / Math.log2(3),
    });
  });

  it('without a hit is 0 in all', () => {
    expect(new Set(Object.values(rankingScores([false, false], 3, 2)))).toEqual(new Set([0]));
  });

  it('with all relevant items first is 1 in all but precision', () => {
    const { precision, ...others } = rankingScores([true, true], 2, 10);
    expect(precision).toBe(0.2);
    expect(new Set(Object.values(others))).toEqual(new Set([1]));
  });
});

it('a mean has the interval of the normal approximation', () => {
  // s = √(5 / 3) = 1.290994; 1.96 · 1.290994 / 2
  const { mean, margin } = estimateOf([1, 2, 3, 4]);
  expect(mean).toBe(2.5);
  expect(margin).toBeCloseTo(1.265_175, 6);
  expect(estimateOf([7]).margin).toBeNaN();
});

it('ratings that are off by 1, 0 and 2', () => {
  const { rmse, mae } = ratingScores([3, 4, 5], [4, 4, 3]);
  expect(rmse).toBeCloseTo(Math.sqrt(5 / 3), 12);
  expect(mae).toBe(1);
});

it('lists of items with 2, 4 and 1 of 4 users, of which one item more is known', () => {
  const rows = [[0, 1], [0, 1, 2, 3], [0], [3], []];
  const byItem = sparse({
    ...{ rows: 5, columns: 4 },
    row: rows.flatMap((users, item) => users.map(() => item)),
    column: rows.flat(),
    value: rows.flat().map(() => 1),
  });
  const { coverage, novelty, diversity } = listScores([Uint32Array.of(0, 1), Uint32Array.of(1, 2)], byItem);
  expect(coverage).toBe(3 / 4);
  // log2(4/2), log2(4/4), log2(4/4), log2(4/1)
  expect(novelty).toBe((1 + 0 + 0 + 2) / 4);
  // Cosines 2 / √8 and 1 / √4.
  expect(diversity).toBeCloseTo((1 - 0.707_107 + (1 - 0.5)) / 2, 6);
});
