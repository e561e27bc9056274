import { describe, expect, it } from 'vitest';
import { Leaders } from '../../../actors/maths/leaders.js';

describe('leaders', () => {
  const board = (points: number[]) =>
    new Leaders(3, (a, b) => (points[a] === points[b] ? a < b : points[a]! > points[b]!));

  it('are inserted where they belong', () => {
    const leaders = board([5, 7, 6, 1]);
    leaders.open(0);
    expect([0, 1, 2].map((item) => leaders.place(0, item))).toEqual([true, true, true]);
    expect(leaders.of(0)).toEqual([1, 2, 0]);
    expect(leaders.place(0, 3)).toBe(false);
    expect(leaders.of(0)).toEqual([1, 2, 0]);
  });

  it('rise, and push the last one out', () => {
    const points = [5, 7, 6, 1];
    const leaders = board(points);
    leaders.build(new Set([0]), 3, () => [0]);
    points[0] = 8;
    expect(leaders.place(0, 0)).toBe(true);
    expect(leaders.of(0)).toEqual([0, 1, 2]);
    points[3] = 7;
    expect(leaders.place(0, 3)).toBe(true);
    expect(leaders.of(0)).toEqual([0, 1, 3]);
    expect(leaders.place(0, 1)).toBe(true);
    expect(leaders.of(0)).toEqual([0, 1, 3]);
  });

  it('are built for several lists in one pass, and only for those', () => {
    const leaders = board([1, 2, 3, 4, 5, 6]);
    leaders.build(new Set([0, 2]), 6, (item) => [0, 1 + (item % 2)]);
    expect([0, 1, 2].map((list) => leaders.of(list))).toEqual([[5, 4, 3], undefined, [5, 3, 1]]);
    leaders.forget(0);
    expect(leaders.of(0)).toBeUndefined();
  });
});
