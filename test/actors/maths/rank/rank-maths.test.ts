/** Decayed counts as logarithms, sums of scores, and the latest items of a user. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addEvent, logOfCount, NEVER } from '../../../../actors/maths/rank/log-decay.js';
import { LATEST_MAX, type LatestItems, NO_ITEMS, withItem } from '../../../../actors/maths/rank/latest-items.js';
import { Scoreboard } from '../../../../actors/maths/rank/scoreboard.js';

describe('a decayed count', () => {
  const HOUR = 3_600_000;
  const NOON = Date.UTC(2026, 0, 1, 12);

  it('is a half after a half-life, and one event more with each', () => {
    const two = addEvent(addEvent(NEVER, NOON, HOUR), NOON + HOUR, HOUR);
    // 2^0 + 2^-1 at 13:00, half of it an hour later.
    expect(logOfCount(two, NOON + HOUR, HOUR)).toBeCloseTo(Math.log(1 + 1.5), 6);
    expect(logOfCount(two, NOON + 2 * HOUR, HOUR)).toBeCloseTo(Math.log(1 + 0.75), 6);
  });

  it('is the plain sum, whatever the order of times', () => {
    const times = fc.array(fc.integer({ min: 0, max: 20 * HOUR }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(times, (times) => {
        const log = times.reduce((before, at) => addEvent(before, NOON + at, HOUR), NEVER);
        const sum = times.reduce((before, at) => before + 2 ** ((at - 20 * HOUR) / HOUR), 0);
        expect(logOfCount(log, NOON + 20 * HOUR, HOUR)).toBeCloseTo(Math.log1p(sum), 6);
      }),
    );
  });

  it('of long ago is nothing, and of what is to come does not overflow', () => {
    const log = addEvent(NEVER, NOON, HOUR);
    expect(logOfCount(log, NOON + 100 * HOUR, HOUR)).toBe(0);
    expect(logOfCount(log, NOON - 5_000 * HOUR, HOUR)).toBeCloseTo(5_000 * Math.LN2, 3);
  });
});

it('the first of a scoreboard are those of a sort, and then it is empty', () => {
  const added = fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 1, max: 4 })));
  const board = new Scoreboard();
  fc.assert(
    fc.property(added, fc.integer({ min: 1, max: 8 }), (added, n) => {
      const sums = new Map<number, number>();
      for (const [item, score] of added) {
        board.add(item, score);
        sums.set(item, (sums.get(item) ?? 0) + score);
      }
      const sorted = [...sums].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([item]) => item);
      expect(board.take(n)).toEqual(sorted.slice(0, n));
      expect(board.take(n)).toEqual([]);
    }),
  );
});

describe('the latest items of a user', () => {
  const after = (...events: readonly (readonly [item: string, at: number])[]): LatestItems =>
    events.reduce<LatestItems>((before, [item, at]) => withItem(before, item, at), NO_ITEMS);

  it('are in order of time, each once, the one that came last before others of its time', () => {
    expect(after(['a', 1], ['b', 3], ['c', 2], ['a', 3]).items).toEqual(['a', 'b', 'c']);
  });

  it('stay as they are when an older event of an item comes late, or one that is older than all', () => {
    expect(after(['a', 5], ['b', 6], ['a', 1])).toMatchObject({ items: ['b', 'a'], times: [6, 5] });
    const full = Array.from({ length: LATEST_MAX }, (_, i) => [`i${i}`, 100 + i] as const);
    const late = withItem(after(...full), 'late', 1);
    expect([late.items.length, late.items.includes('late'), late.at]).toEqual([LATEST_MAX, false, undefined]);
  });
});
