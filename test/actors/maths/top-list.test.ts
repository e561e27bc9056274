import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareItems } from '../../../actors/maths/item-order.js';
import { listsOfCategory, mergedOnce, mergeLists, type TopList } from '../../../actors/maths/top-list.js';
import { textAt } from '../../../runtime/contract/stage.js';

const list = (origin: number, entries: readonly (readonly [string, number])[]): TopList => ({
  origin,
  items: entries.map(([item]) => item),
  popularity: entries.map(([, popularity]) => popularity),
  categories: entries.map(([item]) => `c${item}`),
  brands: entries.map(([item]) => `b${item}`),
  prices: entries.map(() => null),
});

describe('merged lists', () => {
  it('are by popularity, then by item', () => {
    const merged = mergeLists(
      [
        list(0, [
          ['9', 5],
          ['100', 2],
        ]),
        list(1, [
          ['2', 5],
          ['20', 2],
          ['1', 1],
        ]),
      ],
      4,
    );
    expect(merged).toMatchObject({ size: 4, items: ['2', '9', '20', '100'], categories: ['c2', 'c9', 'c20', 'c100'] });
    expect(Array.from(merged.popularity)).toEqual([5, 5, 2, 2]);
    expect(Array.from(merged.keys)).toEqual([2, 9, 20, 100]);
    expect([1, 2, 3, 4].map((code) => textAt(merged.dictionary, code))).toEqual(merged.items);
  });

  it('have an item once, should two origins list it', () => {
    const merged = mergeLists(
      [
        list(0, [['a', 5]]),
        list(1, [
          ['b', 4],
          ['a', 3],
        ]),
      ],
      4,
    );
    expect(merged.items).toEqual(['a', 'b']);
    expect(Array.from(merged.popularity)).toEqual([5, 4]);
  });

  it('do not depend on which origin has which item', () => {
    const items = fc.uniqueArray(
      fc.record({
        item: fc.nat({ max: 40 }).map(String),
        popularity: fc.integer({ min: 1, max: 4 }),
        origin: fc.nat({ max: 3 }),
      }),
      {
        selector: ({ item }) => item,
      },
    );
    fc.assert(
      fc.property(items, (all) => {
        const ordered = [...all].sort((a, b) => b.popularity - a.popularity || compareItems(a.item, b.item));
        const origins = [0, 1, 2, 3].map((origin) =>
          list(
            origin,
            ordered.filter((one) => one.origin === origin).map(({ item, popularity }) => [item, popularity] as const),
          ),
        );
        expect(mergeLists(origins, 5).items).toEqual(ordered.slice(0, 5).map(({ item }) => item));
      }),
      { seed: 7 },
    );
  });

  it('are merged once for a value', () => {
    const merged = mergedOnce(10);
    const lists = [list(0, [['a', 1]])];
    expect(merged(lists)).toBe(merged(lists));
    const stored = listsOfCategory.decode(listsOfCategory.encode(lists));
    expect(merged(stored)).not.toBe(merged(lists));
    expect(merged(stored)).toEqual(merged(lists));
  });
});
