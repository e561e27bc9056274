/**
 * The kinds of state that a stage can have.
 *
 *   value    one value
 *   keyed    key → value, loaded from the store at first use, in a bounded cache
 *   tables   number → column table (window start → rows of that window), all in memory: tables.ts
 *
 * Invariants
 *   STATE-1  A state reports each change exactly once: `cut()` returns the changes since the last cut, as they were at that moment.
 *   STATE-2  The changes of a cut stay in memory until `written()`: a read never sees an older value from the store.
 *   STATE-3  A cut is cheap: its changes are encoded lazily, while later inputs are processed. So a value that may change (in place too: any that a state
 *            returns) is encoded first if a cut still needs it.
 */
import { textOf, utf8 } from '../frames/bytes.js';
import type { KeyedRescaling, Rescaling } from './rescaling.js';

export interface ChangedEntry {
  readonly key: string;
  /** `undefined` deletes. */
  readonly value: Uint8Array | undefined;
}

/** The stored side of one state of one instance. */
export interface StoredState {
  get(key: string): Uint8Array | undefined;
  /** Every key, in byte order; empty for states that are not resident. */
  entries(): Iterable<readonly [key: string, value: Uint8Array]>;
  /** The state, if it was restored ahead. */
  readonly restored?: StageState;
}

export interface StageState {
  restore(store: StoredState): void;
  /** As `restore`, in pieces, for a state whose entries may be many: it is restored when all of them are taken. */
  restoring?(store: StoredState): Iterable<unknown>;
  /** To be iterated once, if necessary in pieces. */
  cut(): Iterable<ChangedEntry>;
  /** The changes of the last cut, all of them taken, are in the store. */
  written(): void;
  /** Keys held in memory, for metrics. */
  readonly keys: number;
}

export interface StateSpec<out T extends StageState> {
  /** Whether `restore` reads all entries at once, so that they must be loaded first. */
  readonly resident: boolean;
  readonly create: () => T;
  /** Absent: the stage itself must define how to repartition it. */
  readonly rescale?: Rescaling<T>;
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

export interface ValueState<T> extends StageState {
  get(): T;
  set(next: T): void;
}

class SingleValueState<T> implements ValueState<T> {
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

  restore(store: StoredState): void {
    const bytes = store.get('');
    this.current = bytes === undefined ? this.initial() : this.codec.decode(bytes);
  }

  /** One value is encoded at once. */
  cut(): readonly ChangedEntry[] {
    if (!this.dirty) return [];
    this.dirty = false;
    return [{ key: '', value: this.codec.encode(this.current) }];
  }

  written(): void {
    // One value stays in memory anyway.
  }
}

/**
 * One value. After changing it in place, `set` it again. `merge`: computes the value of each new partition from those of the old ones.
 */
export const value = <T>(
  initial: () => T,
  codec: Codec<T> = json<T>(),
  merge?: (values: readonly T[]) => T,
): StateSpec<ValueState<T>> => ({
  resident: false,
  create: () => new SingleValueState(initial, codec),
  ...(merge === undefined ? {} : { rescale: mergeOnRescaling(merge) }),
});

/** Each new partition gets the merged value of the old ones. */
const mergeOnRescaling = <T>(merge: (values: readonly T[]) => T): Rescaling<ValueState<T>> => ({
  kind: 'move',
  move: (from, to) => {
    for (const state of to) state.set(merge(from.map((one) => one.get())));
  },
});

export interface KeyedState<V> extends StageState {
  get(key: string): V | undefined;
  /** Also after changing a value in place. */
  set(key: string, value: V): void;
  delete(key: string): void;
  /** A key that is in memory: the next one but `skip`, cyclically; for telemetry and samples, never for a stage's output. */
  someKey(skip: number): string | undefined;
}

interface Entry<V> {
  value: V | undefined;
  /** Bytes in the cache, as of its last read or encoding. */
  bytes: number;
  /** The last set of changes that it is in. */
  changes: Changes<V> | undefined;
  /** Its value at the cut of those changes is encoded. */
  encoded: boolean;
}

/** What changes from one cut to the next, then that cut. */
class Changes<V> implements Iterable<ChangedEntry> {
  readonly entries = new Map<string, Entry<V>>();
  /** Encoded ahead, since they were about to change. */
  private readonly ahead: ChangedEntry[] = [];
  isWritten = false;

  constructor(
    private readonly codec: Codec<V>,
    private readonly onGrown: (bytes: number) => void,
  ) {}

  encodeAhead(key: string, entry: Entry<V>): void {
    this.ahead.push(this.encode(key, entry));
  }

  *[Symbol.iterator](): Generator<ChangedEntry> {
    for (const [key, entry] of this.entries) {
      if (entry.changes === this && !entry.encoded) yield this.encode(key, entry);
    }
    yield* this.ahead;
  }

  /** An identity only, which entries refer to. */
  written(): void {
    this.isWritten = true;
    this.entries.clear();
    this.ahead.length = 0;
  }

  private encode(key: string, entry: Entry<V>): ChangedEntry {
    entry.encoded = true;
    const encoded = entry.value === undefined ? undefined : this.codec.encode(entry.value);
    const bytes = bytesOf(encoded);
    this.onGrown(bytes - entry.bytes);
    entry.bytes = bytes;
    return { key, value: encoded };
  }
}

/** Of an entry: its key, its place in maps, the objects around its value. */
const ENTRY_BYTES = 200;
const bytesOf = (encoded: Uint8Array | undefined): number => ENTRY_BYTES + (encoded?.length ?? 0);

class CachedKeyedState<V> implements KeyedState<V> {
  private readonly cache = new Map<string, Entry<V>>();
  private cachedBytes = 0;
  private changes: Changes<V>;
  private writing: Changes<V>[] = [];
  private store: StoredState | undefined;
  private hand: MapIterator<[string, Entry<V>]> | undefined;
  private sampled: MapIterator<[string, Entry<V>]> | undefined;

  constructor(
    private readonly codec: Codec<V>,
    private readonly cachedBytesMax: number,
  ) {
    this.changes = this.newChanges();
  }

  get keys(): number {
    return this.cache.size;
  }

  get(key: string): V | undefined {
    const known = this.cache.get(key);
    if (known !== undefined) {
      this.mayChange(key, known);
      if (this.cachedBytes > this.cachedBytesMax) this.trim();
      return known.value;
    }
    const bytes = this.store?.get(key);
    if (bytes === undefined) return undefined;
    const entry = { value: this.codec.decode(bytes), bytes: bytesOf(bytes), changes: undefined, encoded: false };
    this.remember(key, entry);
    return entry.value;
  }

  set(key: string, next: V): void {
    this.change(key, next);
  }

  delete(key: string): void {
    this.change(key, undefined);
  }

  someKey(skip: number): string | undefined {
    // At most two rounds: few entries are deleted.
    for (let looks = 2 * this.cache.size; looks > 0; looks--) {
      this.sampled ??= this.cache.entries();
      const { done, value: next } = this.sampled.next();
      if (done === true) this.sampled = undefined;
      else if (skip-- <= 0 && next[1].value !== undefined) return next[0];
    }
    return undefined;
  }

  restore(store: StoredState): void {
    this.store = store;
    this.cache.clear();
    this.cachedBytes = 0;
    this.hand = undefined;
    this.sampled = undefined;
    this.changes = this.newChanges();
    this.writing = [];
  }

  cut(): Iterable<ChangedEntry> {
    const { changes } = this;
    this.writing.push(changes);
    this.changes = this.newChanges();
    return changes;
  }

  written(): void {
    for (const changes of this.writing) changes.written();
    this.writing = [];
  }

  private change(key: string, next: V | undefined): void {
    const known = this.cache.get(key);
    const entry = known ?? { value: next, bytes: ENTRY_BYTES, changes: undefined, encoded: false };
    this.mayChange(key, entry);
    entry.value = next;
    if (entry.changes !== this.changes) {
      entry.changes = this.changes;
      entry.encoded = false;
      this.changes.entries.set(key, entry);
    }
    if (known === undefined) this.remember(key, entry);
  }

  /** STATE-3 */
  private mayChange(key: string, entry: Entry<V>): void {
    const { changes, encoded } = entry;
    if (changes !== undefined && changes !== this.changes && !encoded && !changes.isWritten) {
      changes.encodeAhead(key, entry);
    }
  }

  private remember(key: string, entry: Entry<V>): void {
    this.cache.set(key, entry);
    this.cachedBytes += entry.bytes;
    this.trim();
  }

  /**
   * Shrinks the cache towards its bound by dropping entries that are in the store (STATE-2). It continues where it stopped last: from the start it would
   * visit the same entries each time.
   */
  private trim(): void {
    for (let looks = TRIM_STEPS; looks > 0 && this.cachedBytes > this.cachedBytesMax; looks--) {
      this.hand ??= this.cache.entries();
      const { done, value: next } = this.hand.next();
      if (done === true) this.hand = undefined;
      else if (next[1].changes?.isWritten !== false && this.cache.delete(next[0])) this.cachedBytes -= next[1].bytes;
    }
  }

  private newChanges(): Changes<V> {
    return new Changes(this.codec, (bytes) => (this.cachedBytes += bytes));
  }
}

/** Entries checked for one that can be dropped, each time one is read or added. */
const TRIM_STEPS = 8;
/** As encoded: in memory objects take some two or three times as much. */
const CACHED_BYTES_MAX = 32 * 1024 * 1024;

export interface KeyedOptions<V> {
  /** Bounds the clean entries in memory, not how many there may be. */
  readonly cachedBytesMax?: number;
  readonly rescale?: KeyedRescaling<V>;
}

/** Key → value; absent keys are `undefined`. */
export const keyed = <V>(
  codec: Codec<V> = json<V>(),
  { cachedBytesMax = CACHED_BYTES_MAX, rescale }: KeyedOptions<V> = {},
): StateSpec<KeyedState<V>> => ({
  resident: false,
  create: () => new CachedKeyedState(codec, cachedBytesMax),
  ...(rescale === undefined ? {} : { rescale: keyedRescaling(codec, rescale) }),
});

const keyedRescaling = <V, T>(codec: Codec<V>, rescale: KeyedRescaling<V>): Rescaling<T> =>
  rescale === 'byKey'
    ? { kind: 'keys' }
    : { kind: 'same', revise: (bytes, counts) => codec.encode(rescale(codec.decode(bytes), counts)) };
