/** At most so many of a group. */
import { expect, it } from 'vitest';
import { varied } from '../../../../actors/maths/rank/varied.js';

const of = (ranking: string, n: number, most: number): string =>
  varied(ranking.split(' '), n, most, (one) => one[0]).join(' ');

it('is the ranking with no more of a group than may be, by hand', () => {
  expect(of('a1 a2 a3 b1 a4 c1', 4, 2)).toBe('a1 a2 b1 c1');
  expect(of('a1 a2 a3 b1 a4 c1', 4, 9)).toBe('a1 a2 a3 b1');
});

it('is filled up with the best of what was left out', () => {
  expect(of('a1 a2 a3 b1 a4', 4, 1)).toBe('a1 b1 a2 a3');
  expect(of('a1 a2', 4, 1)).toBe('a1 a2');
});
