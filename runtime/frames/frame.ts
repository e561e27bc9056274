/**
 * Frames: batches of rows as columns, the only data that stages exchange.
 *
 * A frame type names its columns and their kinds; a builder grows one row after the other; a frame is read column by column.
 * Absent is NaN in an f64 column and code 0 in a text column. Times are epoch milliseconds in f64.
 */
import { ABSENT, type Dictionary, DictionaryBuilder, Excerpt, grown, hashAt, textAt } from './dictionary.js';
import { newBytes, newFloats, newWords } from './pool.js';

export type ColumnKind = 'f64' | 'u32' | 'u8' | 'text';
export type Columns = Readonly<Record<string, ColumnKind>>;

export interface FrameType<C extends Columns = Columns> {
  readonly name: string;
  readonly columns: C;
}

export const frameType = <const C extends Columns>(name: string, columns: C): FrameType<C> => ({ name, columns });

export interface TextColumn {
  readonly codes: Uint32Array;
  readonly dictionary: Dictionary;
}

export type ColumnData<K extends ColumnKind> = {
  f64: Float64Array;
  u32: Uint32Array;
  u8: Uint8Array;
  text: TextColumn;
}[K];

export type AnyColumn = Float64Array | Uint32Array | Uint8Array | TextColumn;

export interface Frame<C extends Columns = Columns> {
  readonly type: FrameType<C>;
  readonly rows: number;
  readonly columns: { readonly [N in keyof C]: ColumnData<C[N]> };
}

/** A row as plain values; absent is `undefined`. For tests, sinks and slow paths. */
export type Row<C extends Columns> = {
  [N in keyof C]: { f64: number; u32: number; u8: number; text: string }[C[N]] | undefined;
};

interface TextBuilder {
  codes: Uint32Array;
  readonly dictionary: DictionaryBuilder;
}

type BuilderColumns<C extends Columns> = {
  -readonly [N in keyof C]: C[N] extends 'text' ? TextBuilder : ColumnData<C[N]>;
};

const ROWS_INITIAL = 16;

/**
 * Grows a frame. Fast path: `reserve(n)`, write `columns.x[rows]` directly, `rows++` (read `columns` again after each `reserve`:
 * growing replaces the arrays). Slow path: `add({...})`. After `finish()` it must not be written to.
 */
export class FrameBuilder<C extends Columns> {
  rows = 0;
  readonly columns: BuilderColumns<C>;
  private capacity: number;

  constructor(
    readonly type: FrameType<C>,
    capacity = ROWS_INITIAL,
  ) {
    this.capacity = capacity;
    const columns: Record<string, unknown> = {};
    for (const [name, kind] of Object.entries(type.columns)) {
      columns[name] =
        kind === 'text'
          ? { codes: newWords(capacity), dictionary: new DictionaryBuilder() }
          : newColumn(kind, capacity);
    }
    this.columns = columns as BuilderColumns<C>;
  }

  reserve(more: number): void {
    const needed = this.rows + more;
    if (needed <= this.capacity) return;
    this.capacity = Math.max(needed, this.capacity * 2);
    const columns = this.columns as Record<string, TextBuilder | Float64Array | Uint32Array | Uint8Array>;
    for (const name of Object.keys(columns)) {
      const column = columns[name]!;
      if ('codes' in column) column.codes = grown(column.codes, this.capacity);
      else columns[name] = grown(column, this.capacity);
    }
  }

  add(row: Partial<Row<C>>): void {
    this.reserve(1);
    const columns = this.columns as Record<string, TextBuilder | Float64Array | Uint32Array | Uint8Array>;
    const values = row as Record<string, string | number | undefined>;
    for (const [name, kind] of Object.entries(this.type.columns)) {
      const column = columns[name]!;
      const value = values[name];
      if ('codes' in column) column.codes[this.rows] = column.dictionary.addText(value as string | undefined);
      else column[this.rows] = (value as number | undefined) ?? (kind === 'f64' ? NaN : 0);
    }
    this.rows++;
  }

  finish(): Frame<C> {
    const columns: Record<string, AnyColumn> = {};
    for (const [name, column] of Object.entries(this.columns as Record<string, TextBuilder | Float64Array>)) {
      columns[name] =
        'codes' in column
          ? { codes: column.codes.subarray(0, this.rows), dictionary: column.dictionary.view() }
          : column.subarray(0, this.rows);
    }
    return { type: this.type, rows: this.rows, columns: columns as Frame<C>['columns'] };
  }
}

export function newColumn(kind: 'f64' | 'u32' | 'u8', length: number): Float64Array | Uint32Array | Uint8Array {
  if (kind === 'f64') return newFloats(length);
  return kind === 'u32' ? newWords(length) : newBytes(length);
}

/** The rows of a frame as plain objects. */
export function rowsOf<C extends Columns>(frame: Frame<C>): Row<C>[] {
  const rows: Row<C>[] = [];
  const columns = Object.entries(frame.columns as Record<string, AnyColumn>);
  for (let r = 0; r < frame.rows; r++) {
    const row: Record<string, string | number | undefined> = {};
    for (const [name, column] of columns) {
      if ('codes' in column) row[name] = textAt(column.dictionary, column.codes[r]!);
      else row[name] = Number.isNaN(column[r]) ? undefined : column[r];
    }
    rows.push(row as Row<C>);
  }
  return rows;
}

export function frameOf<C extends Columns>(type: FrameType<C>, rows: readonly Partial<Row<C>>[]): Frame<C> {
  const builder = new FrameBuilder(type, Math.max(1, rows.length));
  for (const row of rows) builder.add(row);
  return builder.finish();
}

/** The given rows of a frame, in the given order, with dictionaries of only what they use. */
export function gather<C extends Columns>(frame: Frame<C>, indexes: Uint32Array): Frame<C> {
  const columns: Record<string, AnyColumn> = {};
  const count = indexes.length;
  for (const [name, column] of Object.entries(frame.columns as Record<string, AnyColumn>)) {
    if ('codes' in column) {
      const codes = newWords(count);
      for (let i = 0; i < count; i++) codes[i] = column.codes[indexes[i]!]!;
      columns[name] = excerptOf(codes, column.dictionary);
    } else columns[name] = picked(column, indexes);
  }
  return { type: frame.type, rows: count, columns: columns as Frame<C>['columns'] };
}

/** The codes, which are written over, with a dictionary of only what they use. */
export function excerptOf(codes: Uint32Array, dictionary: Dictionary): TextColumn {
  const excerpt = new Excerpt(dictionary, codes.length);
  for (let i = 0; i < codes.length; i++) codes[i] = excerpt.get(codes[i]!);
  return { codes, dictionary: excerpt.view() };
}

/** One loop per kind of array: a loop that sees several is a fifth slower. */
export function picked(column: Float64Array | Uint32Array | Uint8Array, indexes: Uint32Array): AnyColumn {
  const count = indexes.length;
  if (column instanceof Float64Array) {
    const values = newFloats(count);
    for (let i = 0; i < count; i++) values[i] = column[indexes[i]!]!;
    return values;
  }
  if (column instanceof Uint32Array) {
    const values = newWords(count);
    for (let i = 0; i < count; i++) values[i] = column[indexes[i]!]!;
    return values;
  }
  const values = newBytes(count);
  for (let i = 0; i < count; i++) values[i] = column[indexes[i]!]!;
  return values;
}

/** Rows [start, end) of a frame; shares its memory. */
export function slice<C extends Columns>(frame: Frame<C>, start: number, end: number): Frame<C> {
  const columns: Record<string, AnyColumn> = {};
  for (const [name, column] of Object.entries(frame.columns as Record<string, AnyColumn>)) {
    columns[name] =
      'codes' in column
        ? { codes: column.codes.subarray(start, end), dictionary: column.dictionary }
        : column.subarray(start, end);
  }
  return { type: frame.type, rows: end - start, columns: columns as Frame<C>['columns'] };
}

/** Splits a frame over n partitions by the hash of a text column; a partition without rows is `undefined`. */
export function partitionBy<C extends Columns>(frame: Frame<C>, column: string, n: number): (Frame<C> | undefined)[] {
  if (frame.rows === 0) return new Array<undefined>(n).fill(undefined);
  if (n === 1) return [frame];
  const { codes, dictionary } = (frame.columns as Record<string, AnyColumn>)[column] as TextColumn;
  /** Plus one; 0: not known yet. */
  const partitionOf = newWords(dictionary.size);
  const assigned = newWords(frame.rows);
  const counts = new Uint32Array(n);
  for (let r = 0; r < frame.rows; r++) {
    const code = codes[r]!;
    if (partitionOf[code] === 0) partitionOf[code] = code === ABSENT ? 1 : (hashAt(dictionary, code) % n) + 1;
    const partition = partitionOf[code]! - 1;
    assigned[r] = partition;
    counts[partition]!++;
  }
  const indexes = Array.from(counts, (count) => newWords(count));
  const filled = new Uint32Array(n);
  for (let r = 0; r < frame.rows; r++) {
    const partition = assigned[r]!;
    indexes[partition]![filled[partition]!++] = r;
  }
  return indexes.map((rows) => (rows.length === 0 ? undefined : gather(frame, rows)));
}
