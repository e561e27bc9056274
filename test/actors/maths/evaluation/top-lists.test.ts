import { expect, it } from 'vitest';
import { scoreOf } from '../../../../actors/maths/als/als.js';
import { scorerOf } from '../../../../actors/maths/als/scores.js';
import { sparse, transposed } from '../../../../actors/maths/als/sparse.js';
import { topLists } from '../../../../actors/maths/evaluation/top-lists.js';

/** User 0 has item 1; user 1 has 0, 2 and 3; nobody has item 4. */
const byUser = sparse({ rows: 2, columns: 5, row: [0, 1, 1, 1], column: [1, 0, 2, 3], value: [1, 1, 1, 1] });
const training = { byUser, byItem: transposed(byUser) };
const factors = {
  rank: 3,
  users: Float64Array.of(1, 0, 2, 0, 1, 0),
  items: Float64Array.of(1, 1, 1, 9, 9, 9, 1, 2, 3, 3, 4, 0, 8, 8, 8),
};

it('scores of factors are products of vectors', () => {
  const scores = new Float64Array(5);
  scorerOf(factors)(0, scores);
  expect([...scores]).toEqual([0, 1, 2, 3, 4].map((item) => scoreOf(factors, 0, item)));
  expect([...scores]).toEqual([3, 27, 7, 3, 24]);
});

it('lists have the best items first, equal ones by number, without those of the user and those of nobody', () => {
  const lists = topLists(scorerOf(factors), training, [1, 0], 2);
  expect(lists.map((list) => [...list])).toEqual([[1], [2, 0]]);
});
