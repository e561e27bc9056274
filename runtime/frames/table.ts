/**
 * Column tables: rows of a frame type, found by their key columns.
 *
 * Keys are integers by the time they get here (text as dictionary codes of this table): about 60 ns per row for a seven-word key
 * (row-index.ts). Value columns are plain typed arrays that the stage adds to.
 *
 * Invariants
 *   TABLE-1  Rows keep their order of first sight, also through a snapshot: whatever is emitted in row order is the same after a restore.
 *   TABLE-2  A page (PAGE_ROWS rows) is stored as a frame of its own; a cut rewrites only pages with touched rows.
 *   TABLE-3  Rows are touched before their values change: a page that is cut and not yet encoded is encoded then. Keys never change.
 */
import { ABSENT, CodeMap, type Dictionary, DictionaryBuilder, grown } from './dictionary.js';
import {
  type AnyColumn,
  type ColumnData,
  type Columns,
  excerptOf,
  type Frame,
  type FrameType,
  newColumn,
  picked,
  type TextColumn,
} from './frame.js';
import { decodeFrame, encodeFrame } from './codec.js';
import { PageCut } from './table-pages.js';
import { CodeIndex, HashedIndex, type RowIndex } from './row-index.js';

export const NO_ROW = 0xffffffff;
/** With so many times fewer rows than there are texts a map of all codes costs more than to look each text up. */
const FEW = 8;
const PAGE_ROWS = 1024;

/** The columns that are no key. */
type ValueColumns<C extends Columns, K extends keyof C> = { [N in Exclude<keyof C, K>]: ColumnData<C[N]> };

/** The key columns of rows, as those of a frame. */
type KeyColumns<C extends Columns, K extends keyof C> = { readonly [N in K]: ColumnData<C[N]> };

interface KeyColumn<K> {
  readonly name: K;
  readonly kind: 'f64' | 'u32' | 'u8' | 'text';
  /** Where its words start in a key. */
  readonly at: number;
  readonly dictionary: DictionaryBuilder | undefined;
}

export class ColumnTable<C extends Columns, K extends keyof C & string> {
  /** To read, and to write to rows that were touched; read anew after each `upsert`, which may replace the arrays. */
  values: ValueColumns<C, K>;
  private readonly keyColumns: readonly KeyColumn<K>[];
  /** Of the one text that a key is, where it is nothing else. */
  private readonly onlyText: DictionaryBuilder | undefined;
  private readonly index: RowIndex;
  private dirtyPages = new Set<number>();
  /** Of the last cut, the pages that are not encoded yet. */
  private cutPages: PageCut | undefined;
  private pagesStored = 0;

  constructor(
    private readonly type: FrameType<C>,
    key: readonly K[],
  ) {
    let at = 0;
    this.keyColumns = key.map((name) => {
      const kind = type.columns[name]!;
      const column = { name, kind, at, dictionary: kind === 'text' ? new DictionaryBuilder() : undefined };
      at += kind === 'f64' ? 2 : 1;
      return column;
    });
    this.onlyText = key.length === 1 ? this.keyColumns[0]!.dictionary : undefined;
    this.index = this.onlyText === undefined ? new HashedIndex(at) : new CodeIndex();
    const values: Record<string, AnyColumn> = {};
    for (const [name, kind] of Object.entries(type.columns)) {
      if ((key as readonly string[]).includes(name)) continue;
      if (kind === 'text') throw new TypeError(`table of ${type.name}: text column ${name} must be part of the key`);
      values[name] = newColumn(kind, this.index.capacity);
    }
    this.values = values as ValueColumns<C, K>;
  }

  get rows(): number {
    return this.index.rows;
  }

  /**
   * The table row of each of the given rows, made when missing (its values are 0); they count as touched. `selection` are row numbers of the
   * columns; without it, all.
   */
  upsert(columns: KeyColumns<C, K>, selection?: Uint32Array): Uint32Array {
    const count = selection?.length ?? this.rowsIn(columns);
    const words = this.keyWords(columns, selection, count);
    const found = new Uint32Array(count);
    this.reserve(count);
    for (let i = 0; i < count; i++) found[i] = this.index.findOrAdd(words, i);
    this.touchAll(found);
    return found;
  }

  /** Before the values of a row are changed that no `upsert` of this input gave (TABLE-3). */
  touch(row: number): void {
    this.touchPage((row / PAGE_ROWS) | 0);
  }

  touchAll(rows: Uint32Array): void {
    let last = -1;
    for (let i = 0; i < rows.length; i++) {
      const page = (rows[i]! / PAGE_ROWS) | 0;
      if (page === last) continue;
      last = page;
      this.touchPage(page);
    }
  }

  /** Before the values of all rows are changed. */
  touchWhole(): void {
    for (let page = 0; page * PAGE_ROWS < this.rows; page++) this.touchPage(page);
  }

  /** One key column over all rows; of a text column the codes (see `dictionary`). f64 keys are not given this way. */
  keyOf(name: K): Uint32Array {
    return this.words(this.keyColumn(name).at, 1, undefined);
  }

  dictionary(name: K): DictionaryBuilder {
    const { dictionary } = this.keyColumn(name);
    if (dictionary === undefined) throw new TypeError(`table of ${this.type.name}: ${name} is no text column`);
    return dictionary;
  }

  /**
   * The given rows in the given order, as a frame of their own, which costs what they cost; without rows all, sharing the value columns: to read,
   * not to keep.
   */
  frame(rows?: Uint32Array): Frame<C> {
    const columns: Record<string, AnyColumn> = {};
    for (const [name, column] of Object.entries(this.values as Record<string, Float64Array>)) {
      columns[name] = rows === undefined ? column.subarray(0, this.rows) : picked(column, rows);
    }
    for (const column of this.keyColumns) columns[column.name] = this.keysAsColumn(column, rows);
    return { type: this.type, rows: rows?.length ?? this.rows, columns: columns as Frame<C>['columns'] };
  }

  storedPages(): number[] {
    return Array.from({ length: this.pagesStored }, (_, page) => page);
  }

  /** Pages changed since the last cut; encoded as they are taken, each as it is now. */
  cut(): Iterable<readonly [page: number, bytes: Uint8Array]> {
    if (this.dirtyPages.size === 0) return [];
    this.cutPages?.encodeRest();
    const pages = [...this.dirtyPages].sort((a, b) => a - b);
    this.dirtyPages.clear();
    this.pagesStored = Math.max(this.pagesStored, pages.at(-1)! + 1);
    const { rows } = this;
    const encode = (page: number): Uint8Array => {
      const start = page * PAGE_ROWS;
      const ofPage = Uint32Array.from({ length: Math.min(PAGE_ROWS, rows - start) }, (_, i) => start + i);
      return encodeFrame(this.frame(ofPage));
    };
    return (this.cutPages = new PageCut(pages, encode));
  }

  /** So many stored pages will be loaded: to grow with each of them would be half of the work. The last one may be short. */
  expect(pages: number): void {
    const rows = Math.max(0, pages - 1) * PAGE_ROWS;
    this.reserve(rows);
    this.onlyText?.expect(rows);
  }

  /** Takes the next stored page in, which starts with row `this.rows`. Its rows are in no other page (TABLE-2): none is looked up. */
  load(page: Uint8Array): void {
    const frame = decodeFrame(page, this.type);
    const from = this.rows;
    this.reserve(frame.rows);
    this.index.append(this.keyWords(frame.columns, undefined, frame.rows, true), frame.rows);
    for (const [name, column] of Object.entries(this.values as Record<string, Float64Array>)) {
      column.set((frame.columns as Record<string, AnyColumn>)[name] as Float64Array, from);
    }
    this.pagesStored++;
  }

  /** Rows with all of their columns; those of known keys are replaced. */
  put(frame: Frame<C>): void {
    const rows = this.upsert(frame.columns);
    for (const [name, column] of Object.entries(this.values as Record<string, Float64Array>)) {
      const given = (frame.columns as Record<string, AnyColumn>)[name] as Float64Array;
      for (let i = 0; i < rows.length; i++) column[rows[i]!] = given[i]!;
    }
  }

  private rowsIn(columns: KeyColumns<C, K>): number {
    const column: AnyColumn = columns[this.keyColumns[0]!.name];
    return 'codes' in column ? column.codes.length : column.length;
  }

  private touchPage(page: number): void {
    this.dirtyPages.add(page);
    this.cutPages?.encodeAhead(page);
  }

  private keyColumn(name: K): KeyColumn<K> {
    const column = this.keyColumns.find((candidate) => candidate.name === name);
    if (column === undefined) throw new TypeError(`table of ${this.type.name}: ${name} is no key column`);
    return column;
  }

  private words(at: number, each: 1 | 2, rows: Uint32Array | undefined): Uint32Array {
    const { keys, width } = this.index;
    const count = rows?.length ?? this.rows;
    const words = new Uint32Array(count * each);
    for (let i = 0; i < count; i++) {
      const word = (rows === undefined ? i : rows[i]!) * width + at;
      words[i * each] = keys[word]!;
      if (each === 2) words[i * 2 + 1] = keys[word + 1]!;
    }
    return words;
  }

  private keysAsColumn({ kind, at, dictionary }: KeyColumn<K>, rows: Uint32Array | undefined): AnyColumn {
    if (kind === 'f64') return new Float64Array(this.words(at, 2, rows).buffer);
    const words = this.words(at, 1, rows);
    if (kind === 'u32') return words;
    if (kind === 'u8') return Uint8Array.from(words);
    return rows === undefined ? { codes: words, dictionary: dictionary!.view() } : excerptOf(words, dictionary!);
  }

  /** The keys of the selected rows, interleaved, text in this table's codes. Column by column: each loop has one shape. */
  private keyWords(
    columns: KeyColumns<C, K>,
    selection: Uint32Array | undefined,
    count: number,
    isNew = false,
  ): Uint32Array {
    const { width } = this.index;
    const words = new Uint32Array(count * width);
    for (const { name, kind, at, dictionary } of this.keyColumns) {
      const column = (columns as Readonly<Record<string, AnyColumn | undefined>>)[name];
      if (column === undefined)
        throw new TypeError(`table of ${this.type.name}: the given rows have no column ${name}`);
      if (kind === 'text') {
        const { codes, dictionary: from } = column as TextColumn;
        // A row that is new has a new text then.
        if (isNew && this.onlyText !== undefined) appendText(words, codes, from, this.onlyText);
        else mapText(words, at, width, codes, from, dictionary!, selection, count);
      } else if (kind === 'f64') {
        const { buffer, byteOffset, length } = column as Float64Array;
        const pairs = new Uint32Array(buffer, byteOffset, length * 2);
        for (let i = 0, word = at; i < count; i++, word += width) {
          const row = selection === undefined ? i : selection[i]!;
          words[word] = pairs[row * 2]!;
          words[word + 1] = pairs[row * 2 + 1]!;
        }
      } else {
        const numbers = column as Uint32Array;
        for (let i = 0, word = at; i < count; i++, word += width) {
          words[word] = numbers[selection === undefined ? i : selection[i]!]!;
        }
      }
    }
    return words;
  }

  /** Room for `more` rows. */
  private reserve(more: number): void {
    const { index } = this;
    index.reserve(more);
    const values = this.values as Record<string, Float64Array>;
    for (const name of Object.keys(values)) {
      if (values[name]!.length < index.capacity) values[name] = grown(values[name]!, index.capacity);
    }
  }
}

function mapText(
  words: Uint32Array,
  at: number,
  width: number,
  codes: Uint32Array,
  from: Dictionary,
  to: DictionaryBuilder,
  selection: Uint32Array | undefined,
  count: number,
): void {
  if (count * FEW < from.size) {
    for (let i = 0, word = at; i < count; i++, word += width) {
      words[word] = to.addFrom(from, codes[selection === undefined ? i : selection[i]!]!);
    }
    return;
  }
  const map = new CodeMap(from, to);
  for (let i = 0, word = at; i < count; i++, word += width) {
    words[word] = map.get(codes[selection === undefined ? i : selection[i]!]!);
  }
}

/** As `mapText`, of texts that are not there yet. */
function appendText(words: Uint32Array, codes: Uint32Array, from: Dictionary, to: DictionaryBuilder): void {
  const first = to.append(from);
  for (let i = 0; i < words.length; i++) words[i] = codes[i] === ABSENT ? ABSENT : first + codes[i]! - 1;
}
