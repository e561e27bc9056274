/** Where units go: the same everywhere, even, and still where nodes come and go. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { place } from '../../../runtime/cluster/placement.js';

const UNITS = ['source', 'user', 'item', 'view'].flatMap((kind) => [0, 1, 2, 3, 4, 5, 6, 7].map((p) => `${kind}-${p}`));
const nodes = fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{8}$/), { minLength: 1, maxLength: 12 });
const owners = (units: readonly string[], ids: readonly string[]): Map<string, string | undefined> =>
  new Map([...place(units, ids)].map(([unit, [owner]]) => [unit, owner]));

describe('place', () => {
  it('gives every node its share of each kind, and each unit all nodes in some order (L2)', () => {
    fc.assert(
      fc.property(nodes, (ids) => {
        const placed = place(UNITS, ids);
        for (const ranked of placed.values()) expect([...ranked].sort()).toEqual([...ids].sort());
        for (const kind of ['source', 'user', 'item', 'view']) {
          const counts = ids.map(
            (id) => UNITS.filter((unit) => unit.startsWith(kind) && placed.get(unit)![0] === id).length,
          );
          expect(Math.max(...counts)).toBeLessThanOrEqual(Math.ceil(8 / ids.length));
        }
      }),
    );
  });

  it('is the same whatever the order in which units and nodes are named (L1)', () => {
    fc.assert(
      fc.property(nodes, fc.shuffledSubarray(UNITS, { minLength: UNITS.length }), (ids, units) => {
        expect(owners(units, [...ids].reverse())).toEqual(owners(UNITS, ids));
      }),
    );
  });

  it('moves little when a node goes (L3)', () => {
    const before = owners(UNITS, ['a', 'b', 'c', 'd']);
    const after = owners(UNITS, ['a', 'b', 'd']);
    const moved = UNITS.filter((unit) => before.get(unit) !== after.get(unit));
    const had = UNITS.filter((unit) => before.get(unit) === 'c');
    expect(moved.length).toBeLessThanOrEqual(2 * had.length);
    expect(moved).toEqual(expect.arrayContaining(had));
  });

  it('without nodes: nobody', () => {
    expect(place(['user-0'], []).get('user-0')).toEqual([]);
  });
});
