import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bestRows } from '../../../actors/maths/best-rows.js';

it('has the first rows of each group, in order', () => {
  const values = [5, 9, 7, 1, 8];
  const best = bestRows(Uint32Array.of(1, 1, 1, 2, 1), 4, 3, (a, b) => values[a]! > values[b]!);
  expect(Array.from(best)).toEqual([0, 0, 0, 2, 5, 3, 4, 0, 0, 0, 0, 0]);
});

it('is a sort of each group, cut', () => {
  const rows = fc.array(fc.record({ group: fc.nat({ max: 4 }), value: fc.nat({ max: 5 }), counts: fc.boolean() }));
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 5 }), (all, k) => {
      const beats = (a: number, b: number): boolean =>
        all[a]!.value === all[b]!.value ? a < b : all[a]!.value > all[b]!.value;
      const best = bestRows(
        Uint32Array.from(all, ({ group }) => group),
        5,
        k,
        beats,
        (row) => all[row]!.counts,
      );
      const expected = [0, 1, 2, 3, 4].flatMap((group) => {
        const own = [...all.keys()].filter((row) => all[row]!.group === group && all[row]!.counts);
        const sorted = own.sort((a, b) => (beats(a, b) ? -1 : 1)).slice(0, k);
        return Array.from({ length: k }, (_, i) => (sorted[i] === undefined ? 0 : sorted[i] + 1));
      });
      expect(Array.from(best)).toEqual(expected);
    }),
    { seed: 6, numRuns: 300 },
  );
});
