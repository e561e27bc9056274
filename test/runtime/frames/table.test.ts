/** Column tables (TABLE-1, TABLE-2). The oracle is a Map from key to value in order of first sight. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameOf, frameType, rowsOf } from '../../../runtime/frames/frame.js';
import { ColumnTable } from '../../../runtime/frames/table.js';

const visits = frameType('visits', { user: 'text', at: 'f64', shop: 'u32', kind: 'u8', n: 'f64', times: 'u32' });
const KEY = ['user', 'at', 'shop', 'kind'] as const;

interface Visit {
  readonly user: string | undefined;
  readonly at: number | undefined;
  readonly shop: number;
  readonly kind: number;
}
type Table = ColumnTable<typeof visits.columns, (typeof KEY)[number]>;
type Oracle = Map<string, Visit & { n: number; times: number }>;

const visit: fc.Arbitrary<Visit> = fc.record({
  user: fc.option(fc.constantFrom('a', 'b', 'c', 'ä', 'long'.repeat(20)), { nil: undefined }),
  at: fc.option(fc.constantFrom(0, 1.5, -1, 1e12, 2 ** 53), { nil: undefined }),
  shop: fc.constantFrom(0, 1, 0xffffffff),
  kind: fc.constantFrom(0, 7, 255),
});
const batches = fc.array(fc.array(visit, { maxLength: 40 }), { maxLength: 12 });

const newTable = (): Table => new ColumnTable(visits, [...KEY]);

/** Adds 1 to `times` and i to `n` of each row, as a counting stage does. */
function count(table: Table, rows: readonly Visit[]): void {
  const found = table.upsert(frameOf(visits, rows).columns);
  found.forEach((row, i) => {
    table.values.times[row]! += 1;
    table.values.n[row]! += i;
  });
}

function countInMap(oracle: Oracle, rows: readonly Visit[]): void {
  rows.forEach((row, i) => {
    const key = JSON.stringify(KEY.map((name) => row[name] ?? null));
    const known = oracle.get(key) ?? { ...row, n: 0, times: 0 };
    oracle.set(key, { ...known, n: known.n + i, times: known.times + 1 });
  });
}

const pagesOf = (table: Pick<Table, 'cut'>): (readonly [string, Uint8Array])[] =>
  [...table.cut()].map(([page, bytes]) => [String(page), bytes] as const);

describe('upsert', () => {
  it('agrees with a map, rows in order of first sight (TABLE-1)', () => {
    fc.assert(
      fc.property(batches, (all) => {
        const table = newTable();
        const oracle: Oracle = new Map();
        for (const rows of all) {
          count(table, rows);
          countInMap(oracle, rows);
        }
        expect(rowsOf(table.frame())).toEqual([...oracle.values()]);
        expect(table.rows).toBe(oracle.size);
      }),
    );
  });

  it('finds the same rows however they were batched', () => {
    fc.assert(
      fc.property(fc.array(visit), fc.nat(40), (rows, cut) => {
        const [whole, parts] = [newTable(), newTable()];
        const found = whole.upsert(frameOf(visits, rows).columns);
        const first = parts.upsert(frameOf(visits, rows.slice(0, cut)).columns);
        const second = parts.upsert(frameOf(visits, rows.slice(cut)).columns);
        expect([...first, ...second]).toEqual([...found]);
        expect(rowsOf(parts.frame())).toEqual(rowsOf(whole.frame()));
      }),
    );
  });

  it('takes of a frame the selected rows alone', () => {
    const table = newTable();
    const rows = ['a', 'b', 'c', 'a'].map((user) => ({ user, at: 0, shop: 0, kind: 0 }));
    expect([...table.upsert(frameOf(visits, rows).columns, Uint32Array.of(3, 1, 0))]).toEqual([0, 1, 0]);
    expect(rowsOf(table.frame()).map(({ user }) => user)).toEqual(['a', 'b']);
  });

  it('takes any frame that has the key columns, of whatever type', () => {
    const table = newTable();
    const other = frameType('other', { more: 'text', kind: 'u8', shop: 'u32', at: 'f64', user: 'text' });
    expect([...table.upsert(frameOf(other, [{ user: 'a', at: 1, shop: 2, kind: 3 }]).columns)]).toEqual([0]);
    const lacking = frameType('lacking', { user: 'text' });
    // @ts-expect-error: the compiler refuses it too.
    expect(() => table.upsert(frameOf(lacking, [{ user: 'a' }]).columns)).toThrow(/no column at/);
  });

  it('holds many rows, found again after growing', () => {
    const table = newTable();
    const rows = Array.from({ length: 20_000 }, (_, i) => ({ user: `u${i % 500}`, at: i, shop: i % 3, kind: 0 }));
    for (let at = 0; at < rows.length; at += 777) count(table, rows.slice(at, at + 777));
    expect(table.rows).toBe(20_000);
    expect([...table.upsert(frameOf(visits, rows.slice(-5)).columns)]).toEqual([
      19_995, 19_996, 19_997, 19_998, 19_999,
    ]);
    expect(table.dictionary('user').size).toBe(501);
    expect([...table.keyOf('shop').subarray(0, 4)]).toEqual([0, 1, 2, 0]);
  });
});

describe('frame', () => {
  it('gives the rows that are asked for, as copies', () => {
    const table = newTable();
    count(table, [
      { user: 'a', at: 1, shop: 1, kind: 1 },
      { user: undefined, at: undefined, shop: 2, kind: 2 },
    ]);
    const some = table.frame(Uint32Array.of(1, 0));
    table.values.n[0] = 99;
    expect(rowsOf(some)).toEqual([
      { user: undefined, at: undefined, shop: 2, kind: 2, n: 1, times: 1 },
      { user: 'a', at: 1, shop: 1, kind: 1, n: 0, times: 1 },
    ]);
  });
});

describe('pages', () => {
  it('restore the table, row numbers and order too, at any cuts (TABLE-1)', () => {
    fc.assert(
      fc.property(batches, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (all, cuts) => {
        const stored = new Map<string, Uint8Array>();
        let table = newTable();
        const oracle = newTable();
        all.forEach((rows, i) => {
          count(table, rows);
          count(oracle, rows);
          for (const [page, bytes] of pagesOf(table)) stored.set(page, bytes);
          if (cuts[i] !== true) return;
          table = newTable();
          for (const [, bytes] of stored) table.load(bytes);
          expect([...table.cut()]).toEqual([]);
        });
        expect(rowsOf(table.frame())).toEqual(rowsOf(oracle.frame()));
        const probe = frameOf(visits, all.flat());
        expect([...table.upsert(probe.columns)]).toEqual([...oracle.upsert(probe.columns)]);
        expect([...table.keyOf('user')]).toEqual([...oracle.keyOf('user')]);
      }),
    );
  });

  const rows = Array.from({ length: 3_000 }, (_, i) => ({ user: `u${i}`, at: 0, shop: 0, kind: 0 }));

  it('are rewritten only where a row was touched (TABLE-2)', () => {
    const table = newTable();
    const pages = (): number[] => [...table.cut()].map(([page]) => page);
    count(table, rows);
    expect(pages()).toEqual([0, 1, 2]);
    expect(pages()).toEqual([]);
    count(table, [rows[5]!, rows[2_999]!]);
    expect(pages()).toEqual([0, 2]);
    table.touch(1_024);
    expect(pages()).toEqual([1]);
    table.touchAll(Uint32Array.of(1_023, 0, 2_048));
    expect(pages()).toEqual([0, 2]);
    count(table, [{ user: 'new', at: 0, shop: 0, kind: 0 }]);
    expect(pages()).toEqual([2]);
    expect(table.storedPages()).toEqual([0, 1, 2]);
  });

  it('load in page order, whatever order they come in, and know what is stored', () => {
    const table = newTable();
    for (let at = 0; at < 12_000; at += 3_000) {
      count(
        table,
        rows.map((row) => ({ ...row, at })),
      );
    }
    const pages = pagesOf(table);
    expect(pages).toHaveLength(12);
    const restored = newTable();
    restored.expect(pages.length);
    for (const [, bytes] of pages) restored.load(bytes);
    expect(rowsOf(restored.frame())).toEqual(rowsOf(table.frame()));
    expect(restored.storedPages()).toEqual(table.storedPages());
  });
});

describe('a table whose key is one text', () => {
  const seen = frameType('seen', { id: 'text', times: 'u32' });
  const newSeen = () => new ColumnTable(seen, ['id']);
  const add = (table: ReturnType<typeof newSeen>, ids: readonly (string | undefined)[]): number[] => {
    const rows = table.upsert(
      frameOf(
        seen,
        ids.map((id) => ({ id, times: 0 })),
      ).columns,
    );
    rows.forEach((row) => {
      table.values.times[row]! += 1;
    });
    return [...rows];
  };

  it('numbers ids in order of first sight, an absent one too, and goes on so after a restore', () => {
    const ids = fc.array(
      fc.option(
        fc.nat(40).map((n) => `id-${n}`),
        { nil: undefined },
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(ids, ids, ids, (first, second, third) => {
        const order = [...new Set([...first, ...second, ...third])];
        const table = newSeen();
        expect(add(table, first)).toEqual(first.map((id) => order.indexOf(id)));
        add(table, second);
        const pages = pagesOf(table);
        const restored = newSeen();
        restored.expect(pages.length);
        for (const [, bytes] of pages) restored.load(bytes);
        expect(rowsOf(restored.frame())).toEqual(rowsOf(table.frame()));
        expect(add(restored, third)).toEqual(third.map((id) => order.indexOf(id)));
      }),
    );
  });

  it('finds each of many ids again, in a table that was restored from many pages', () => {
    const ids = Array.from({ length: 5_000 }, (_, i) => `id-${i}`);
    const table = newSeen();
    add(table, ids);
    const pages = [...table.cut()];
    const restored = newSeen();
    restored.expect(pages.length);
    for (const [, bytes] of pages) restored.load(bytes);
    expect(add(restored, [...ids.slice(-3), 'new', ...ids.slice(0, 3)])).toEqual([4_997, 4_998, 4_999, 5_000, 0, 1, 2]);
  });
});

it('refuses text that is no key: it could not be added to', () => {
  expect(() => new ColumnTable(frameType('t', { id: 'u32', name: 'text' }), ['id'])).toThrow(
    /name must be part of the key/,
  );
});
