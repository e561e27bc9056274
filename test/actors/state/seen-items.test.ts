import fc from 'fast-check';
import { expect, it } from 'vitest';
import { itemsBefore, latestSeen, Seen } from '../../../actors/state/seen-items.js';
import { utf8 } from '../../../runtime/contract/stage.js';

const touches = fc.array(fc.tuple(fc.nat({ max: 12 }).map(String), fc.nat({ max: 6 })), { maxLength: 40 });

const seenOf = (all: readonly (readonly [string, number])[]): Seen => {
  const seen = new Seen();
  for (const [item, time] of all) seen.add(item, time);
  return seen;
};

it('the latest items are the same however they are divided into pieces, and in any order', () => {
  fc.assert(
    fc.property(touches, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }), (all, max, size) => {
      let before: Seen | undefined;
      for (let at = 0; at < all.length; at += size) before = latestSeen(seenOf(all.slice(at, at + size)), before, max);
      const atOnce = latestSeen(seenOf([...all].reverse()), undefined, max);
      expect([...(before ?? [])].sort()).toEqual([...atOnce].sort());
    }),
    { seed: 5, numRuns: 300 },
  );
});

it('of several items at one time the last by id remain', () => {
  expect([...latestSeen(seenOf(['a', 'b', 'c'].map((item) => [item, 7])), undefined, 2).keys()].sort()).toEqual([
    'b',
    'c',
  ]);
});

it('items are read as they were written, and as versions before wrote them', () => {
  const read = (stored: string) => {
    const state = itemsBefore().create();
    state.restore({ get: () => utf8(stored), entries: () => [] });
    return state;
  };
  const state = read('[["1",1764000000000],"2"]');
  expect([...state.get('u')!]).toEqual([
    ['1', 1764000000000],
    ['2', 0],
  ]);
  state.set('u', seenOf([...state.get('u')!, ['3', 1764000000007]]));
  const [change] = [...state.cut()];
  expect([...read(new TextDecoder().decode(change!.value)).get('u')!]).toEqual([
    ['1', 1764000000000],
    ['2', 0],
    ['3', 1764000000007],
  ]);
});
