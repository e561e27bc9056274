import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sparse, transposed } from '../../../../actors/maths/als/sparse.js';
import { ease } from '../../../../actors/maths/evaluation/ease.js';
import { blend, itemKnn, popular, type Scorer, type Training } from '../../../../actors/maths/evaluation/models.js';
import { dot, type Matrix, product, solved, transpose, withDiagonal } from '../als/plain.js';

function trainingOf(has: Matrix): Training {
  const entries = has
    .flatMap((row, user) => row.map((one, item) => ({ user, item, one })))
    .filter(({ one }) => one === 1);
  const byUser = sparse({
    ...{ rows: has.length, columns: has[0]!.length },
    row: entries.map(({ user }) => user),
    column: entries.map(({ item }) => item),
    value: entries.map(() => 1),
  });
  return { byUser, byItem: transposed(byUser) };
}

const scoresOf = (scorer: Scorer, user: number, items: number): number[] => {
  const scores = new Float64Array(items);
  scorer(user, scores);
  return [...scores];
};

const TASTES = [
  [1, 1, 0, 0],
  [1, 1, 1, 0],
  [0, 0, 1, 1],
];

it('popular is the number of users', () => {
  expect(scoresOf(popular(trainingOf(TASTES)), 0, 4)).toEqual([2, 2, 2, 1]);
});

it('item-knn sums the cosines with the items of the user', () => {
  const [both, third] = [1, 1 / 2];
  // Of items 0 and 1 all users are the same; item 2 shares one of two users with each of them.
  const scores = scoresOf(itemKnn(trainingOf(TASTES)), 0, 4);
  [both, both, third + third, 0].forEach((one, item) => expect(scores[item]).toBeCloseTo(one, 12));
});

const tastes = (users: number, items: number): fc.Arbitrary<Matrix> =>
  fc.array(fc.array(fc.constantFrom(0, 1), { minLength: items, maxLength: items }), {
    minLength: users,
    maxLength: users,
  });

it.each([
  ['fewer users than items', 4, 6],
  ['fewer items than users', 6, 4],
])('ease is the formula, with %s', (_, users, items) => {
  fc.assert(
    fc.property(tastes(users, items), (has) => {
      const gram = withDiagonal(product(transpose(has), has), 2);
      const p = transpose(
        gram.map((__, i) =>
          solved(
            gram,
            gram.map((___, j) => (i === j ? 1 : 0)),
          ),
        ),
      );
      const { byUser, byItem } = trainingOf(has);
      const scorer = ease(byUser, byItem, 2);
      has.forEach((row, user) => {
        const scores = scoresOf(scorer, user, items);
        row.forEach((one, i) => {
          if (one === 1) return;
          const weights = p.map((ofJ, j) => (i === j ? 0 : -ofJ[i]! / p[i]![i]!));
          expect(scores[i]).toBeCloseTo(dot(row, weights), 9);
        });
      });
    }),
  );
});

it('blend weighs parts that have been scaled alike', () => {
  const training = trainingOf(TASTES);
  const scorer =
    (...of: number[]): Scorer =>
    (__, scores) =>
      scores.set(of);
  // User 0 has not items 2 and 3: their scores deviate by 1 and by 10.
  const scores = scoresOf(
    blend(training, [
      [scorer(9, 9, 0, 2), 0.5],
      [scorer(9, 9, 20, 0), 2],
    ]),
    0,
    4,
  );
  expect(scores.slice(2)).toEqual([2 * 2, 0.5 * 2]);
});
