/**
 * A cut that is encoded in slices, while its cell is used on (STATE-1–STATE-3, TABLE-3): what comes of it is the state at the cut, to the byte, whatever is read,
 * changed in place, deleted or dropped between two slices; and what was not yet all written when a crash came is as if it had never been cut.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type StageState,
  type ChangedEntry,
  type StoredState,
  type KeyedState,
  keyed,
} from '../../../runtime/state/kinds.js';
import { frameOf, frameType, rowsOf } from '../../../runtime/frames/frame.js';
import { tables } from '../../../runtime/state/tables.js';

/** The stored side. A cut is taken in slices, and stored, all of it, at the end. */
class SlicedStore implements StoredState {
  values = new Map<string, Uint8Array>();
  private cutting: Iterator<ChangedEntry> | undefined;
  private taken: ChangedEntry[] = [];

  get isCutting(): boolean {
    return this.cutting !== undefined;
  }

  cut(cell: StageState): void {
    this.cutting = cell.cut()[Symbol.iterator]();
    this.taken = [];
  }

  /** True when that was the last. */
  take(count: number): boolean {
    for (let i = 0; i < count; i++) {
      const { done, value } = this.cutting!.next() as IteratorResult<ChangedEntry>;
      if (done === true) return true;
      this.taken.push({ key: value.key, value: value.value?.slice() });
    }
    return false;
  }

  written(cell: StageState): readonly ChangedEntry[] {
    while (!this.take(1)) continue;
    for (const { key, value } of this.taken) {
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, value);
    }
    this.cutting = undefined;
    cell.written();
    return this.taken;
  }

  crash(): void {
    this.cutting = undefined;
  }

  get(key: string): Uint8Array | undefined {
    return this.values.get(key);
  }

  entries(): Iterable<readonly [string, Uint8Array]> {
    return [...this.values].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

const slices = fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 1, max: 3 }) });
const rarely = fc.record({ do: fc.constantFrom('cut' as const, 'written' as const, 'crash' as const) });

interface Basket {
  items: string[];
}

describe('a keyed cell', () => {
  const key = fc.constantFrom(...'abcdefghij');
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom('add' as const, 'put' as const), key, item: fc.string() }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('read' as const, 'delete' as const), key }) },
    { weight: 4, arbitrary: slices },
    { weight: 3, arbitrary: rarely },
  );

  it('gives its state at the cut, whatever happens between two slices, and reads are never behind', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 150, size: 'max' }),
        fc.integer({ min: 1, max: 1_500 }),
        (steps, cachedBytesMax) => {
          const store = new SlicedStore();
          const open = (): KeyedState<Basket> => {
            const cell = keyed<Basket>(undefined, { cachedBytesMax }).create();
            cell.restore(store);
            return cell;
          };
          let cell = open();
          let oracle = new Map<string, string[]>();
          let atCut = new Map<string, string[]>();
          let written = new Map<string, string[]>();
          const copied = (from: typeof oracle) => new Map([...from].map(([of, items]) => [of, [...items]]));
          for (const one of steps) {
            if (one.do === 'add') {
              // In place: what `get` gave is the very thing that a cut in progress may still have to encode.
              const basket = cell.get(one.key) ?? { items: [] };
              basket.items.push(one.item);
              cell.set(one.key, basket);
              oracle.set(one.key, [...(oracle.get(one.key) ?? []), one.item]);
            } else if (one.do === 'put') {
              cell.set(one.key, { items: [one.item] });
              oracle.set(one.key, [one.item]);
            } else if (one.do === 'read') expect(cell.get(one.key)?.items).toEqual(oracle.get(one.key));
            else if (one.do === 'delete') {
              cell.delete(one.key);
              oracle.delete(one.key);
            } else if (one.do === 'cut' && !store.isCutting) {
              store.cut(cell);
              atCut = copied(oracle);
            } else if (one.do === 'take' && store.isCutting) store.take(one.count);
            else if (one.do === 'written' && store.isCutting) {
              const keys = store.written(cell).map((change) => change.key);
              expect(new Set(keys).size).toBe(keys.length);
              written = atCut;
              const stored = new Map(
                [...store.values].map(([of, bytes]) => [of, (JSON.parse(String(Buffer.from(bytes))) as Basket).items]),
              );
              expect(stored).toEqual(new Map([...written].sort()));
            } else if (one.do === 'crash') {
              store.crash();
              cell = open();
              oracle = copied(written);
            }
          }
          for (const of of 'abcdefghij') expect(cell.get(of)?.items).toEqual(oracle.get(of));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is not held up by the cut: nothing is encoded before it is taken', () => {
    let encoded = 0;
    const codec = {
      encode: (n: number): Uint8Array => {
        encoded++;
        return Uint8Array.of(n);
      },
      decode: (bytes: Uint8Array): number => bytes[0]!,
    };
    const cell = keyed(codec).create();
    for (let n = 0; n < 100; n++) cell.set(`k${n}`, n);
    const changes = cell.cut()[Symbol.iterator]();
    expect(encoded).toBe(0);
    changes.next();
    expect(encoded).toBe(1);
    cell.set('k50', 7);
    expect(encoded).toBe(2);
    while (changes.next().done !== true) continue;
    expect(encoded).toBe(100);
  });
});

describe('tables', () => {
  const counts = frameType('counts', { user: 'text', n: 'u32', sum: 'f64' });
  const spec = tables(counts, { key: ['user'] });
  type CountTables = ReturnType<typeof spec.create>;
  /** Pages hold 1,024 rows: these make some, and touch old ones. */
  const batch = fc.record({
    do: fc.constant('add' as const),
    at: fc.nat(1),
    from: fc.nat(3_000),
    count: fc.integer({ min: 1, max: 1_500 }),
  });
  const step = fc.oneof(
    { weight: 5, arbitrary: batch },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('touch' as const), at: fc.nat(1), row: fc.nat(4_500) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), at: fc.nat(1) }) },
    { weight: 4, arbitrary: slices },
    { weight: 4, arbitrary: rarely },
  );
  const contents = (cell: CountTables): unknown =>
    cell.numbers().map((at) => [at, rowsOf(cell.table(at).frame())] as const);

  it('give their rows at the cut, in order of first sight, whatever happens between two slices', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
        const store = new SlicedStore();
        const open = (): CountTables => {
          const cell = spec.create();
          cell.restore(store);
          return cell;
        };
        let cell = open();
        let atCut: unknown = [];
        let written: unknown = [];
        for (const one of steps) {
          if (one.do === 'add') {
            const table = cell.table(one.at);
            const users = Array.from({ length: one.count }, (_, i) => ({ user: `u${one.from + i}` }));
            for (const row of table.upsert(frameOf(counts, users).columns)) {
              table.values.n[row]!++;
              table.values.sum[row]! += row;
            }
          } else if (one.do === 'touch' && cell.has(one.at) && one.row < cell.table(one.at).rows) {
            cell.table(one.at).touch(one.row);
            cell.table(one.at).values.n[one.row]! += 1_000;
          } else if (one.do === 'drop') cell.drop(one.at);
          else if (one.do === 'cut' && !store.isCutting) {
            store.cut(cell);
            atCut = contents(cell);
          } else if (one.do === 'take' && store.isCutting) store.take(one.count);
          else if (one.do === 'written' && store.isCutting) {
            store.written(cell);
            written = atCut;
            expect(contents(open())).toEqual(written);
          } else if (one.do === 'crash') {
            store.crash();
            cell = open();
            expect(contents(cell)).toEqual(written);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
