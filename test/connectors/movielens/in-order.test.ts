/** Ratings in order of time. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inOrder, orderOf } from '../../../connectors/movielens/in-order.js';
import type { Rating } from '../../../connectors/movielens/ratings.js';

async function* given(ratings: readonly Rating[]): AsyncGenerator<Rating> {
  yield* ratings;
}

it('come by time, those of one second as they came', async () => {
  const rows: Rating[] = [
    { user: 'ann', item: '1', rating: 3.5, seconds: 1_300_000_000 },
    { user: 'ann', item: '2', rating: 4, seconds: 900_000_000 },
    { user: 'bob', item: '1', rating: 0.5, seconds: 1_300_000_000 },
    { user: 'bob', item: '3', rating: 5, seconds: 1_299_999_999 },
  ];
  const sorted: Rating[] = [];
  for await (const one of inOrder(given(rows))) sorted.push(one);
  expect(sorted).toEqual([rows[1], rows[3], rows[0], rows[2]]);
});

it('are none for none', async () => {
  for await (const one of inOrder(given([]))) expect.unreachable(one.user);
});

it('are in the order of a stable sort, whatever the times', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -(2 ** 40), max: 2 ** 40 })), (times) => {
      const expected = [...times.keys()].sort((a, b) => times[a]! - times[b]! || a - b);
      expect([...orderOf(Float64Array.from(times))]).toEqual(expected);
    }),
  );
});
