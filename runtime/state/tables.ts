/** The state of column tables: number → table (window start → rows of that window), all in memory. */
import type { StageState, ChangedEntry, StateSpec, StoredState } from './kinds.js';
import { type Columns, type FrameType, partitionBy } from '../frames/frame.js';
import { ColumnTable } from '../frames/table.js';

export interface TableState<C extends Columns, K extends keyof C & string> extends StageState {
  /** The table of a number, made when missing. */
  table(key: number): ColumnTable<C, K>;
  has(key: number): boolean;
  /** The dropped table must not be written to any more: a cut may still read it. */
  drop(key: number): void;
  /** The numbers that have tables, ascending. */
  numbers(): number[];
}

class KeptTables<C extends Columns, K extends keyof C & string> implements TableState<C, K> {
  private readonly tables = new Map<number, ColumnTable<C, K>>();
  /** Stored keys of tables dropped since the last cut. */
  private dropped: string[] = [];

  constructor(
    private readonly type: FrameType<C>,
    private readonly keyColumns: readonly K[],
  ) {}

  get keys(): number {
    let rows = 0;
    for (const table of this.tables.values()) rows += table.rows;
    return rows;
  }

  table(key: number): ColumnTable<C, K> {
    let table = this.tables.get(key);
    if (table === undefined) {
      table = new ColumnTable(this.type, this.keyColumns);
      this.tables.set(key, table);
    }
    return table;
  }

  has(key: number): boolean {
    return this.tables.has(key);
  }

  drop(key: number): void {
    const table = this.tables.get(key);
    if (table === undefined) return;
    this.tables.delete(key);
    for (const page of table.storedPages()) this.dropped.push(`${key}/${page}`);
  }

  numbers(): number[] {
    return [...this.tables.keys()].sort((a, b) => a - b);
  }

  restore(store: StoredState): void {
    const pieces = this.restoring(store);
    while (pieces.next().done !== true) continue;
  }

  /** A page at a time. */
  *restoring(store: StoredState): Generator<undefined> {
    this.tables.clear();
    this.dropped = [];
    const stored = new Map<number, { readonly page: number; readonly bytes: Uint8Array }[]>();
    for (const [key, bytes] of store.entries()) {
      const [number, page] = key.split('/').map(Number) as [number, number];
      const pages = stored.get(number) ?? [];
      pages.push({ page, bytes });
      stored.set(number, pages);
    }
    for (const [number, pages] of stored) {
      const table = this.table(number);
      table.expect(pages.length);
      for (const { bytes } of pages.sort((a, b) => a.page - b.page)) {
        table.load(bytes);
        yield;
      }
    }
  }

  cut(): Iterable<ChangedEntry> {
    const { dropped } = this;
    this.dropped = [];
    // All of them are cut now.
    const cuts = [...this.tables].map(([number, table]) => [number, table.cut()] as const);
    return changesOf(dropped, cuts);
  }

  written(): void {
    // Tables are always completely in memory; nothing was pinned.
  }
}

type PageCuts = readonly (readonly [table: number, pages: Iterable<readonly [page: number, bytes: Uint8Array]>])[];

function* changesOf(dropped: readonly string[], cuts: PageCuts): Generator<ChangedEntry> {
  for (const key of dropped) yield { key, value: undefined };
  for (const [number, pages] of cuts) {
    for (const [page, bytes] of pages) yield { key: `${number}/${page}`, value: bytes };
  }
}

/**
 * Number → table of rows of one frame type, found by its key columns. `by`: the column that decides where a row goes when the number of partitions
 * changes; tables of one number become one.
 */
export const tables = <C extends Columns, const K extends keyof C & string>(
  type: FrameType<C>,
  { key, by }: { readonly key: readonly K[]; readonly by?: NoInfer<K> },
): StateSpec<TableState<C, K>> => ({
  resident: true,
  create: () => new KeptTables(type, key),
  ...(by === undefined
    ? {}
    : {
        rescale: {
          kind: 'move',
          move: (from, to) => {
            moveRows(from, to, by);
          },
        },
      }),
});

/** Rows keep their order, partition after partition. */
function moveRows<C extends Columns, K extends keyof C & string>(
  from: readonly TableState<C, K>[],
  to: readonly TableState<C, K>[],
  by: K,
): void {
  for (const old of from) {
    for (const number of old.numbers()) {
      partitionBy(old.table(number).frame(), by, to.length).forEach((rows, q) => {
        if (rows !== undefined) to[q]!.table(number).put(rows);
      });
      old.drop(number);
    }
  }
}
