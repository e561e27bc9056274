/** Where shards go: the same everywhere, even, and still where nodes come and go. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { place } from '../../../runtime/cluster/placement.js';

const UNITS = ['source', 'user', 'item', 'view'].flatMap((kind) => [0, 1, 2, 3, 4, 5, 6, 7].map((p) => `${kind}-${p}`));
const nodes = fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{8}$/), { minLength: 1, maxLength: 12 });
const owners = (shards: readonly string[], ids: readonly string[]): Map<string, string | undefined> =>
  new Map([...place(shards, ids)].map(([shard, [owner]]) => [shard, owner]));

describe('place', () => {
  it('gives every node its share of each kind, and each shard all nodes in some order (PLACEMENT-2)', () => {
    fc.assert(
      fc.property(nodes, (ids) => {
        const placed = place(UNITS, ids);
        for (const ranked of placed.values()) expect([...ranked].sort()).toEqual([...ids].sort());
        for (const kind of ['source', 'user', 'item', 'view']) {
          const counts = ids.map(
            (id) => UNITS.filter((shard) => shard.startsWith(kind) && placed.get(shard)![0] === id).length,
          );
          expect(Math.max(...counts)).toBeLessThanOrEqual(Math.ceil(8 / ids.length));
        }
      }),
    );
  });

  it('is the same whatever the order in which shards and nodes are named (PLACEMENT-1)', () => {
    fc.assert(
      fc.property(nodes, fc.shuffledSubarray(UNITS, { minLength: UNITS.length }), (ids, shards) => {
        expect(owners(shards, [...ids].reverse())).toEqual(owners(UNITS, ids));
      }),
    );
  });

  it('moves little when a node goes (PLACEMENT-3)', () => {
    const before = owners(UNITS, ['a', 'b', 'c', 'd']);
    const after = owners(UNITS, ['a', 'b', 'd']);
    const moved = UNITS.filter((shard) => before.get(shard) !== after.get(shard));
    const had = UNITS.filter((shard) => before.get(shard) === 'c');
    expect(moved.length).toBeLessThanOrEqual(2 * had.length);
    expect(moved).toEqual(expect.arrayContaining(had));
  });

  it('without nodes: nobody', () => {
    expect(place(['user-0'], []).get('user-0')).toEqual([]);
  });
});
