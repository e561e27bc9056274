import { expect, it } from 'vitest';
import { type Sparse, sparse } from '../../../../actors/maths/als/sparse.js';
import { knn } from '../../../../actors/maths/evaluation/rating-knn.js';
import { itemKnn, userKnn } from '../../../../actors/maths/evaluation/rating-models.js';
import { svd } from '../../../../actors/maths/evaluation/rating-svd.js';
import { gaussian, seededRandom } from '../../../../actors/maths/random.js';

function ratingsOf(rows: readonly (readonly number[])[]): Sparse {
  const given = rows.flatMap((row, user) => row.map((value, item) => ({ user, item, value })));
  const entries = given.filter(({ value }) => value > 0);
  return sparse({
    ...{ rows: rows.length, columns: rows[0]!.length },
    row: entries.map(({ user }) => user),
    column: entries.map(({ item }) => item),
    value: entries.map(({ value }) => value),
  });
}

/** The mean of all is 3, of the rows 3, 3.25, 2.75 and 3, drawn to it. Row 2 is the opposite of row 1. */
const RATINGS = ratingsOf([
  [5, 1, 0],
  [5, 1, 5],
  [1, 5, 1],
  [4, 2, 3],
]);

it('knn weighs what similar rows have above their means', () => {
  // Rows 0 and 1 are 2, -2 and 1.75, -2.25, 1.75 from their means; rows 0 and 3 2, -2 and 1, -1, 0. Two columns of both, by β = 2: a half.
  const first = (0.5 * (3.5 + 4.5)) / Math.sqrt(8 * (1.75 ** 2 + 2.25 ** 2 + 1.75 ** 2));
  const third = (0.5 * 4) / Math.sqrt(8 * 2);
  expect(knn(RATINGS, { neighbours: 5, shrinkage: 2 })(0, 2)).toBeCloseTo(3 + (first * 1.75) / (first + third), 12);
});

it('knn takes the most similar rows only, and the mean without any', () => {
  expect(knn(RATINGS, { neighbours: 1, shrinkage: 2 })(0, 2)).toBeCloseTo(3, 12);
  const opposite = ratingsOf([
    [5, 1, 0],
    [1, 5, 1],
  ]);
  // Σ 13 of 5 ratings: row 0 has (6 + 5 · 2.6) / 7.
  expect(knn(opposite, { neighbours: 5, shrinkage: 2 })(0, 2)).toBeCloseTo(19 / 7, 12);
});

it('user-knn compares users, item-knn items', () => {
  const transpose = ratingsOf([
    [5, 5, 1, 4],
    [1, 1, 5, 2],
    [0, 5, 1, 3],
  ]);
  expect(itemKnn(transpose)(2, 0)).toBeCloseTo(knn(RATINGS, { neighbours: 30, shrinkage: 100 })(0, 2), 12);
  expect(userKnn(RATINGS)(0, 2)).toBeCloseTo(knn(RATINGS, { neighbours: 30, shrinkage: 10 })(0, 2), 12);
});

/** Of two users and items that have nothing to do with each other: the order of the steps does not count. */
const APART = ratingsOf([
  [4, 0],
  [0, 2],
]);
const STEPS = { rank: 0, epochs: 2, rate: 0.1, regularisation: 0.5, seed: 5 };

it('svd moves biases by the error, and towards zero', () => {
  // μ = 3. Epoch 1: e = 1, b = 0.1 each. Epoch 2: e = 1 - 0.2, b = 0.1 + 0.1 (0.8 - 0.05) = 0.175.
  const predict = svd(APART, STEPS);
  expect(predict(0, 0)).toBeCloseTo(3.35, 12);
  expect(predict(1, 1)).toBeCloseTo(2.65, 12);
  expect(predict(0, 1)).toBeCloseTo(3, 12);
});

it('svd moves factors by the error times the other one', () => {
  const random = seededRandom(STEPS.seed);
  const [x, , y] = Array.from({ length: 4 }, () => 0.1 * gaussian(random)) as [number, number, number, number];
  const e = 4 - (3 + x * y);
  const next = (x + 0.1 * (e * y - 0.5 * x)) * (y + 0.1 * (e * x - 0.5 * y));
  expect(svd(APART, { ...STEPS, rank: 1, epochs: 1 })(0, 0)).toBeCloseTo(3 + 2 * 0.1 * e + next, 12);
});

it('svd is the same for a seed', () => {
  const options = { ...STEPS, rank: 3 };
  expect(svd(RATINGS, options)(0, 2)).toBe(svd(RATINGS, options)(0, 2));
  expect(svd(RATINGS, options)(0, 2)).not.toBe(svd(RATINGS, { ...options, seed: 6 })(0, 2));
});
