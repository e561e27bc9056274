import { expect, it } from 'vitest';
import {
  addTotals,
  interactionTotals,
  type InteractionTotals,
  ITEMS_PER_USER_MAX,
} from '../../../actors/maths/interaction-totals.js';

it('totals add up, and what is touched becomes the most recent', () => {
  const totals: InteractionTotals = new Map();
  addTotals(totals, 'a', [2, 1, 1, 0]);
  addTotals(totals, 'b', [1, 0, 0, 1]);
  expect(addTotals(totals, 'a', [1, 1, 0, 0])).toEqual([3, 2, 1, 0]);
  expect([...totals]).toEqual([
    ['b', [1, 0, 0, 1]],
    ['a', [3, 2, 1, 0]],
  ]);
});

it('the item not touched for longest is forgotten first, with its totals', () => {
  const totals: InteractionTotals = new Map();
  for (let i = 0; i < ITEMS_PER_USER_MAX; i++) addTotals(totals, String(i), [1, 1, 0, 0]);
  addTotals(totals, '0', [1, 1, 0, 0]);
  addTotals(totals, 'new', [1, 1, 0, 0]);
  expect(totals.size).toBe(ITEMS_PER_USER_MAX);
  expect([totals.has('0'), totals.has('1'), totals.has('2')]).toEqual([true, false, true]);
  expect(addTotals(totals, '1', [1, 0, 0, 0])).toEqual([1, 0, 0, 0]);
});

it('order and totals survive the store', () => {
  const totals: InteractionTotals = new Map([
    ['b', [1, 0, 0, 1]],
    ['a"', [3, 2, 1, 0]],
  ]);
  expect([...interactionTotals.decode(interactionTotals.encode(totals))]).toEqual([...totals]);
});
