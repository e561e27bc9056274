import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Split, split, SPLITS } from '../../../../actors/maths/evaluation/splits.js';

const interactions = fc
  .array(fc.record({ user: fc.nat({ max: 5 }), item: fc.nat({ max: 5 }), time: fc.nat({ max: 20 }) }), {
    maxLength: 60,
  })
  .map((rows) => ({
    user: Uint32Array.from(rows, ({ user }) => user),
    item: Uint32Array.from(rows, ({ item }) => item),
    time: Float64Array.from(rows, ({ time }) => time),
  }));
const options = fc.record({ share: fc.double({ min: 0.1, max: 0.9, noNaN: true }), seed: fc.nat() });

const count = (values: Uint8Array): number => values.reduce((sum, one) => sum + one, 0);
const groupsOf = (numbers: Uint32Array): number[][] =>
  [...new Set(numbers)].map((number) => [...numbers.keys()].filter((row) => numbers[row] === number));

it('item-stratified has the share of each item, rounded', () => {
  fc.assert(
    fc.property(interactions, options, (all, by) => {
      const isTraining = split('item-stratified', all, by);
      for (const rows of groupsOf(all.item)) {
        expect(rows.filter((row) => isTraining[row] === 1)).toHaveLength(Math.round(rows.length * by.share));
      }
    }),
  );
});

it('random has the share of all', () => {
  fc.assert(
    fc.property(interactions, options, (all, by) => {
      expect(count(split('random', all, by))).toBe(Math.round(all.user.length * by.share));
    }),
  );
});

it('leave-last leaves the latest of each user, who keeps an only one', () => {
  fc.assert(
    fc.property(interactions, options, (all, by) => {
      const isTraining = split('leave-last', all, by);
      for (const rows of groupsOf(all.user)) {
        const latest = rows.reduce((a, b) => (all.time[b]! >= all.time[a]! ? b : a));
        const left = rows.filter((row) => isTraining[row] === 0);
        expect(left).toEqual(rows.length === 1 ? [] : [latest]);
      }
    }),
  );
});

it('temporal trains on nothing that is later than what it is judged by', () => {
  fc.assert(
    fc.property(interactions, options, (all, by) => {
      const isTraining = split('temporal', all, by);
      expect(count(isTraining)).toBe(Math.round(all.user.length * by.share));
      const times = (wanted: number): number[] => [...all.time].filter((_, row) => isTraining[row] === wanted);
      expect(Math.max(-1, ...times(1))).toBeLessThanOrEqual(Math.min(99, ...times(0)));
    }),
  );
});

it.each(SPLITS)('%s is the same for a seed', (how: Split) => {
  fc.assert(
    fc.property(interactions, options, (all, by) => {
      expect(split(how, all, by)).toEqual(split(how, all, by));
    }),
  );
});
