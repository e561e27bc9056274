/** Bounded lists of neighbours: by hand, and against a plain list. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NeighbourList, NONE } from '../../../../actors/maths/rank/neighbour-list.js';
import { neighbourBytes } from '../../../../actors/ranking/neighbours.js';

const entries = ({ others, weights, size }: NeighbourList): [number, number][] =>
  Array.from({ length: size }, (_, i) => [others[i]!, weights[i]!]);

const listOf = (max: number, ...added: readonly (readonly [other: number, weight: number])[]): NeighbourList => {
  const list = NeighbourList.empty();
  for (const [other, weight] of added) list.add(other, weight, max);
  return list;
};

describe('a list', () => {
  it('adds up the weights of each', () => {
    const list = listOf(4, [7, 1], [8, 0.5], [7, 2]);
    expect(entries(list)).toEqual([
      [7, 3],
      [8, 0.5],
    ]);
    expect([list.weightOf(7), list.weightOf(9)]).toEqual([3, 0]);
  });

  it('that is full drops the smallest, of equal ones the later, down to three quarters', () => {
    expect(entries(listOf(4, [1, 5], [2, 1], [3, 1], [4, 2], [5, 1]))).toEqual([
      [1, 5],
      [2, 1],
      [4, 2],
      [5, 1],
    ]);
  });

  it('has other numbers when items get others, without those that have none', () => {
    const numbers = Uint32Array.of(NONE, 5, 6);
    expect(entries(listOf(4, [0, 1], [2, 3], [1, 2]).renumbered(numbers))).toEqual([
      [6, 3],
      [5, 2],
    ]);
  });

  it('is that of a plain list, and the same from bytes at any address', () => {
    const added = fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.constantFrom(0.5, 1, 2)), { maxLength: 60 });
    fc.assert(
      fc.property(added, fc.integer({ min: 4, max: 9 }), (added, max) => {
        let expected: [number, number][] = [];
        for (const [other, weight] of added) {
          const known = expected.find(([one]) => one === other);
          if (known !== undefined) {
            known[1] += weight;
            continue;
          }
          if (expected.length === max) {
            const kept = [...expected].sort((a, b) => b[1] - a[1]).slice(0, Math.floor((max * 3) / 4));
            expected = expected.filter((one) => kept.includes(one));
          }
          expected.push([other, weight]);
        }
        const list = listOf(max, ...added);
        expect(entries(list)).toEqual(expected);
        const bytes = neighbourBytes.encode({ together: NeighbourList.empty(), next: list, similar: list });
        const shifted = new Uint8Array(bytes.length + 1);
        shifted.set(bytes, 1);
        // As LevelDB gives them: a view of a larger buffer.
        const viewed = Buffer.from(shifted.buffer, 1);
        for (const stored of [shifted.subarray(1), viewed]) {
          const { together, next, similar } = neighbourBytes.decode(stored);
          expect([together, next, similar].map(entries)).toEqual([[], expected, expected]);
        }
      }),
    );
  });
});
