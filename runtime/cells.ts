/**
 * Cells: the kinds of state that a stage can be handed.
 *
 *   value    one value
 *   keyed    key → value, loaded from the store when first asked for, kept in a bounded cache
 *   tables   number → column table (window start → rows of that window), all in memory
 *
 * Invariants
 *   C1  A cell reports each change exactly once: `cut()` gives what changed since the last cut, encoded.
 *   C2  What a cut gave out stays in memory until `written()`: a read never sees the store behind the cut.
 */
import { textOf, utf8 } from './bytes.js';
import type { Columns, FrameType } from './frame.js';
import { ColumnTable } from './table.js';

export interface CellChange {
  readonly key: string;
  /** `undefined` deletes. */
  readonly value: Uint8Array | undefined;
}

/** The stored side of one cell of one instance. */
export interface CellStore {
  get(key: string): Uint8Array | undefined;
  /** Every key, in byte order; empty for cells that are not resident. */
  entries(): Iterable<readonly [key: string, value: Uint8Array]>;
}

export interface Cell {
  restore(store: CellStore): void;
  cut(): readonly CellChange[];
  /** The changes of the last cut are in the store. */
  written(): void;
  /** Keys held in memory, for metrics. */
  readonly keys: number;
}

export interface CellSpec<out T extends Cell> {
  /** Whether `restore` reads all entries at once, so that they must be loaded first. */
  readonly resident: boolean;
  readonly create: () => T;
}

export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** Values as JSON text: small, readable in `rivulet state get`, fast enough off the hot path. */
export const json = <T>(): Codec<T> => ({
  encode: (plain) => utf8(JSON.stringify(plain)),
  decode: (bytes) => JSON.parse(textOf(bytes)) as T,
});

export interface Value<T> extends Cell {
  get(): T;
  set(next: T): void;
}

class ValueCell<T> implements Value<T> {
  readonly keys = 1;
  private dirty = false;
  private current: T;

  constructor(
    private readonly initial: () => T,
    private readonly codec: Codec<T>,
  ) {
    this.current = initial();
  }

  get(): T {
    return this.current;
  }

  set(next: T): void {
    this.current = next;
    this.dirty = true;
  }

  restore(store: CellStore): void {
    const bytes = store.get('');
    this.current = bytes === undefined ? this.initial() : this.codec.decode(bytes);
  }

  cut(): readonly CellChange[] {
    if (!this.dirty) return [];
    this.dirty = false;
    return [{ key: '', value: this.codec.encode(this.current) }];
  }

  written(): void {
    // One value stays in memory anyway.
  }
}

/** One value. After changing it in place, `set` it again. */
export const value = <T>(initial: () => T, codec: Codec<T> = json<T>()): CellSpec<Value<T>> => ({
  resident: false,
  create: () => new ValueCell(initial, codec),
});

export interface Keyed<V> extends Cell {
  get(key: string): V | undefined;
  /** Also after changing a value in place. */
  set(key: string, value: V): void;
  delete(key: string): void;
}

interface Entry<V> {
  value: V | undefined;
  /** In the set of the next cut, or of a cut that is not yet written. */
  pinned: number;
}

class KeyedCell<V> implements Keyed<V> {
  private readonly cache = new Map<string, Entry<V>>();
  private dirty = new Map<string, Entry<V>>();
  private writing = new Map<string, Entry<V>>();
  private store: CellStore | undefined;

  constructor(
    private readonly codec: Codec<V>,
    private readonly cachedMax: number,
  ) {}

  get keys(): number {
    return this.cache.size;
  }

  get(key: string): V | undefined {
    const known = this.cache.get(key);
    if (known !== undefined) return known.value;
    const bytes = this.store?.get(key);
    if (bytes === undefined) return undefined;
    const entry = { value: this.codec.decode(bytes), pinned: 0 };
    this.remember(key, entry);
    return entry.value;
  }

  set(key: string, next: V): void {
    this.change(key, next);
  }

  delete(key: string): void {
    this.change(key, undefined);
  }

  restore(store: CellStore): void {
    this.store = store;
    this.cache.clear();
    this.dirty.clear();
    this.writing.clear();
  }

  cut(): readonly CellChange[] {
    const changes: CellChange[] = [];
    for (const [key, { value: next }] of this.dirty) {
      changes.push({ key, value: next === undefined ? undefined : this.codec.encode(next) });
    }
    this.writing = this.dirty;
    this.dirty = new Map();
    return changes;
  }

  written(): void {
    for (const entry of this.writing.values()) entry.pinned--;
    this.writing.clear();
    this.trim(this.cache.size);
  }

  private change(key: string, next: V | undefined): void {
    const known = this.cache.get(key);
    const entry = known ?? { value: next, pinned: 0 };
    entry.value = next;
    if (!this.dirty.has(key)) {
      this.dirty.set(key, entry);
      entry.pinned++;
    }
    if (known === undefined) this.remember(key, entry);
  }

  private remember(key: string, entry: Entry<V>): void {
    this.cache.set(key, entry);
    this.trim(TRIM_LOOKS);
  }

  /** Keeps the cache within its bound by dropping the oldest entries that the store can give back. */
  private trim(looks: number): void {
    for (const [key, entry] of this.cache) {
      if (this.cache.size <= this.cachedMax || looks-- === 0) return;
      this.cache.delete(key);
      // A pinned entry moves to the young end, so that the next look finds others.
      if (entry.pinned > 0) this.cache.set(key, entry);
    }
  }
}

/** Entries looked at to find one that can go, each time one comes. */
const TRIM_LOOKS = 8;
const CACHED_MAX = 200_000;

/** Key → value; absent keys are `undefined`. `cachedMax` bounds the clean entries kept in memory, not how many there may be. */
export const keyed = <V>(
  codec: Codec<V> = json<V>(),
  { cachedMax = CACHED_MAX }: { readonly cachedMax?: number } = {},
): CellSpec<Keyed<V>> => ({
  resident: false,
  create: () => new KeyedCell(codec, cachedMax),
});

export interface Tables<C extends Columns> extends Cell {
  /** The table of a number, made when missing. */
  table(key: number): ColumnTable<C>;
  has(key: number): boolean;
  drop(key: number): void;
  /** The numbers that have tables, ascending. */
  numbers(): number[];
}

class TablesCell<C extends Columns> implements Tables<C> {
  private readonly tables = new Map<number, ColumnTable<C>>();
  /** Stored keys of tables dropped since the last cut. */
  private dropped: string[] = [];

  constructor(
    private readonly type: FrameType<C>,
    private readonly keyColumns: readonly (keyof C & string)[],
  ) {}

  get keys(): number {
    let rows = 0;
    for (const table of this.tables.values()) rows += table.rows;
    return rows;
  }

  table(key: number): ColumnTable<C> {
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

  restore(store: CellStore): void {
    this.tables.clear();
    this.dropped = [];
    const pages = new Map<number, [page: string, bytes: Uint8Array][]>();
    for (const [key, bytes] of store.entries()) {
      const at = key.indexOf('/');
      const number = Number(key.slice(0, at));
      const list = pages.get(number) ?? [];
      list.push([key.slice(at + 1), bytes]);
      pages.set(number, list);
    }
    for (const number of [...pages.keys()].sort((a, b) => a - b)) this.table(number).load(pages.get(number)!);
  }

  cut(): readonly CellChange[] {
    const changes: CellChange[] = this.dropped.map((key) => ({ key, value: undefined }));
    this.dropped = [];
    for (const [number, table] of this.tables) {
      for (const [page, bytes] of table.cut()) changes.push({ key: `${number}/${page}`, value: bytes });
    }
    return changes;
  }

  written(): void {
    // Tables stay in memory whole; nothing was pinned.
  }
}

/** Number → table of rows of one frame type, found by its key columns. */
export const tables = <C extends Columns>(
  type: FrameType<C>,
  options: { readonly key: readonly (keyof C & string)[] },
): CellSpec<Tables<C>> => ({
  resident: true,
  create: () => new TablesCell(type, options.key),
});
