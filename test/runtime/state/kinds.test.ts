/** Cells (STATE-1, STATE-2) under any order of use, cuts, written() and crashes. The oracle is a Map, and a Map as of the last written cut. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type StageState,
  type ChangedEntry,
  type StoredState,
  type Codec,
  type KeyedState,
  keyed,
  value,
} from '../../../runtime/state/kinds.js';
import { frameOf, frameType, rowsOf } from '../../../runtime/frames/frame.js';
import { tables } from '../../../runtime/state/tables.js';

/** The stored side, as the snapshotter writes it: a cut is kept, and becomes what is stored when it is written. */
class Stored implements StoredState {
  readonly values = new Map<string, Uint8Array>();
  private pending: readonly ChangedEntry[] = [];
  reads: string[] = [];

  cut(cell: StageState): readonly ChangedEntry[] {
    return (this.pending = [...cell.cut()]);
  }

  written(cell: StageState): void {
    for (const { key, value: bytes } of this.pending) {
      if (bytes === undefined) this.values.delete(key);
      else this.values.set(key, bytes.slice());
    }
    cell.written();
  }

  get(key: string): Uint8Array | undefined {
    this.reads.push(key);
    return this.values.get(key);
  }

  entries(): Iterable<readonly [string, Uint8Array]> {
    return [...this.values].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }
}

describe('a value', () => {
  const spec = value<{ n: number }>(() => ({ n: 0 }));

  it('starts as its initial, restores what was written, and reports a change once (STATE-1)', () => {
    const stored = new Stored();
    let cell = spec.create();
    expect(cell.get()).toEqual({ n: 0 });
    expect(stored.cut(cell)).toEqual([]);
    cell.set({ n: 1 });
    cell.get().n = 2;
    cell.set(cell.get());
    expect(stored.cut(cell)).toHaveLength(1);
    expect([...cell.cut()]).toEqual([]);
    stored.written(cell);
    cell.set({ n: 3 });
    cell = spec.create();
    cell.restore(stored);
    expect(cell.get()).toEqual({ n: 2 });
  });

  it('gives each instance an initial of its own', () => {
    const [one, other] = [spec.create(), spec.create()];
    one.get().n = 5;
    expect(other.get().n).toBe(0);
  });

  it('is encoded at the cut: what changes afterwards belongs to the next', () => {
    const stored = new Stored();
    const cell = spec.create();
    cell.set({ n: 1 });
    stored.cut(cell);
    cell.get().n = 99;
    cell.set(cell.get());
    stored.written(cell);
    expect(JSON.parse(Buffer.from(stored.values.get('')!).toString())).toEqual({ n: 1 });
    expect([...cell.cut()]).toHaveLength(1);
  });
});

type Step =
  | { readonly do: 'set'; readonly key: string; readonly n: number }
  | { readonly do: 'get' | 'delete'; readonly key: string }
  | { readonly do: 'cut' | 'written' | 'crash' };

const key = fc.constantFrom(...'abcdefghijklmnopqrst');
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('set' as const), key, n: fc.nat(99) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('get' as const, 'delete' as const), key }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'written' as const, 'crash' as const) }) },
  ),
  { maxLength: 120, size: 'max' },
);

describe('a keyed cell', () => {
  it('agrees with a map, however small its cache, wherever it is cut, written or crashes', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 1_500 }), (all: readonly Step[], cachedBytesMax) => {
        const stored = new Stored();
        const open = (): KeyedState<{ n: number }> => {
          const cell = keyed<{ n: number }>(undefined, { cachedBytesMax }).create();
          cell.restore(stored);
          return cell;
        };
        let cell = open();
        let oracle = new Map<string, number>();
        let cutOracle = new Map<string, number>();
        let written = new Map<string, number>();
        let cutting = false;
        for (const step of all) {
          if (step.do === 'get') expect(cell.get(step.key)?.n).toBe(oracle.get(step.key));
          else if (step.do === 'set') {
            cell.set(step.key, { n: step.n });
            oracle.set(step.key, step.n);
          } else if (step.do === 'delete') {
            cell.delete(step.key);
            oracle.delete(step.key);
          } else if (step.do === 'cut' && !cutting) {
            const keys = stored.cut(cell).map((change) => change.key);
            expect(new Set(keys).size).toBe(keys.length);
            cutOracle = new Map(oracle);
            cutting = true;
          } else if (step.do === 'written' && cutting) {
            stored.written(cell);
            written = cutOracle;
            cutting = false;
          } else if (step.do === 'crash') {
            cell = open();
            oracle = new Map(written);
            cutting = false;
          }
        }
        for (const one of 'abcdefghijklmnopqrst') expect(cell.get(one)?.n).toBe(oracle.get(one));
      }),
      { numRuns: 200 },
    );
  });

  it('reads what a cut gave out from memory until it is written (STATE-2)', () => {
    const stored = new Stored();
    const cell = keyed<number>(undefined, { cachedBytesMax: 1 }).create();
    cell.restore(stored);
    for (let i = 0; i < 50; i++) cell.set(`k${i}`, i);
    stored.cut(cell);
    stored.reads = [];
    for (let i = 0; i < 50; i++) expect(cell.get(`k${i}`)).toBe(i);
    expect(stored.reads).toEqual([]);
  });

  it.each([
    ['few large', 50_000, 20],
    ['many small', 10, 1_000],
  ])('keeps %s values within as many bytes, once the changes are written', (_, length, most) => {
    const stored = new Stored();
    const open = (): KeyedState<string> => {
      const cell = keyed<string>(undefined, { cachedBytesMax: 1_000_000 }).create();
      cell.restore(stored);
      return cell;
    };
    const cell = open();
    const text = (i: number): string => `${i}`.padStart(length);
    const entries = 5 * most;
    const max = 1_000_000 / length;
    for (let i = 0; i < entries; i++) cell.set(`k${i}`, text(i));
    expect(cell.keys).toBe(entries);
    stored.cut(cell);
    stored.written(cell);
    for (const read of [cell, open()]) {
      for (let i = 0; i < entries; i++) expect(read.get(`k${i}`)).toBe(text(i));
      expect(read.keys).toBeLessThanOrEqual(max);
      expect(read.keys).toBeGreaterThan(most / 2);
    }
    // Larger than when it was read, and changed again.
    for (let i = 0; i < 15; i++) cell.set(`k${i}`, text(i).repeat(2));
    stored.cut(cell);
    stored.written(cell);
    for (let i = entries - 100; i < entries; i++) cell.get(`k${i}`);
    expect(cell.keys).toBeLessThanOrEqual(max);
  });

  it('reports a deletion once, and nothing of a key that was only read (STATE-1)', () => {
    const stored = new Stored();
    const cell = keyed<number>().create();
    cell.restore(stored);
    cell.set('a', 1);
    stored.cut(cell);
    stored.written(cell);
    cell.get('a');
    cell.get('b');
    expect(stored.cut(cell)).toEqual([]);
    cell.delete('a');
    expect(stored.cut(cell)).toEqual([{ key: 'a', value: undefined }]);
    expect(stored.cut(cell)).toEqual([]);
  });

  it('takes a codec of the stage’s own', () => {
    const stored = new Stored();
    const codec: Codec<number> = { encode: (n) => Uint8Array.of(n), decode: (bytes) => bytes[0]! };
    const cell = keyed(codec).create();
    cell.restore(stored);
    cell.set('a', 7);
    expect(stored.cut(cell)).toEqual([{ key: 'a', value: Uint8Array.of(7) }]);
  });
});

describe('tables', () => {
  const rowType = frameType('rows', { user: 'text', n: 'u32' });
  const spec = tables(rowType, { key: ['user'] });
  const users = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 6 });
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), at: fc.nat(3), users }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), at: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('snapshot' as const, 'crash' as const) }) },
  );

  it('agree with maps of maps: added to, dropped, made again, through snapshots and crashes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (all) => {
        const stored = new Stored();
        let cell = spec.create();
        cell.restore(stored);
        let oracle = new Map<number, Map<string, number>>();
        let written = new Map<number, Map<string, number>>();
        const copied = (from: typeof oracle) => new Map([...from].map(([at, rows]) => [at, new Map(rows)]));
        for (const one of all) {
          if (one.do === 'add') {
            const table = cell.table(one.at * 1000);
            const users = one.users.map((user) => ({ user }));
            for (const row of table.upsert(frameOf(rowType, users).columns)) table.values.n[row]!++;
            const rows = oracle.get(one.at * 1000) ?? new Map<string, number>();
            for (const user of one.users) rows.set(user, (rows.get(user) ?? 0) + 1);
            oracle.set(one.at * 1000, rows);
          } else if (one.do === 'drop') {
            cell.drop(one.at * 1000);
            oracle.delete(one.at * 1000);
          } else if (one.do === 'snapshot') {
            stored.cut(cell);
            stored.written(cell);
            written = copied(oracle);
          } else {
            cell = spec.create();
            cell.restore(stored);
            oracle = copied(written);
          }
          expect(cell.numbers()).toEqual([...oracle.keys()].sort((a, b) => a - b));
          expect(cell.keys).toBe([...oracle.values()].reduce((sum, rows) => sum + rows.size, 0));
          for (const [at, rows] of oracle) {
            expect(cell.has(at)).toBe(true);
            expect(rowsOf(cell.table(at).frame())).toEqual([...rows].map(([user, n]) => ({ user, n })));
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([{ key: ['user'] }, { key: ['user', 'shop'] }] as const)(
    'of many pages are restored with their row numbers, and found again; key $key',
    ({ key }) => {
      const many = tables(frameType('many', { user: 'text', shop: 'u32', n: 'u32' }), { key });
      const visits = frameType('visits', { user: 'text', shop: 'u32' });
      const rows = Array.from({ length: 30_000 }, (_, i) => {
        const user = (i * 7_919) % 12_007;
        return { user: user === 5 ? undefined : `user-${user}`, shop: i % 3 };
      });
      fc.assert(
        fc.property(fc.nat(rows.length), (at) => {
          const stored = new Stored();
          const cell = many.create();
          cell.restore(stored);
          const known = frameOf(visits, rows.slice(0, at));
          cell
            .table(0)
            .upsert(known.columns)
            .forEach((row, i) => (cell.table(0).values.n[row] = i));
          stored.cut(cell);
          stored.written(cell);
          const restored = many.create();
          restored.restore(stored);
          expect(restored.table(0).storedPages()).toEqual(cell.table(0).storedPages());
          for (const asked of [frameOf(visits, rows.slice(at)), known]) {
            expect(restored.table(0).upsert(asked.columns)).toEqual(cell.table(0).upsert(asked.columns));
          }
          expect(rowsOf(restored.table(0).frame())).toEqual(rowsOf(cell.table(0).frame()));
        }),
        { numRuns: 5 },
      );
    },
  );
});
