import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeSorted } from '../../../actors/maths/merge-sorted.js';

interface Card {
  readonly value: number;
  readonly list: number;
}

const byValue = (a: Card, b: Card): number => a.value - b.value;
const sortedLists = fc
  .array(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 8 }), { maxLength: 5 })
  .map((lists) => lists.map((values, list) => values.map((value): Card => ({ value, list })).sort(byValue)));

test('lists are merged in order, equal elements in the order of their lists', () => {
  fc.assert(
    fc.property(sortedLists, (lists) => {
      // Sorting is stable.
      expect([...mergeSorted(lists, byValue)]).toEqual(lists.flat().sort(byValue));
    }),
  );
});
