/**
 * The state of the current epoch: its events that are on time, until the end of the epoch.
 *
 * Most epochs begin and end between two snapshots: their frames are stored unchanged, without lookups. Only a snapshot within an epoch moves its events
 * into a table, counted by (pane, user, item, type, category, brand, price), so that they are stored once.
 *
 * Invariants
 *   EPOCH-LOG-1  `take` returns the same keys in the same order with the same dictionaries (entries in order of first use, none unused), whatever
 *                snapshots and restarts there were: the output, and how the runtime splits it, depends on the events alone.
 *   EPOCH-LOG-2  With `counted` it returns one row per key and pane. Without, any number of rows.
 */
import {
  CodeMap,
  DictionaryBuilder,
  FrameBuilder,
  type FrameOf,
  frameType,
  type StateOf,
  type StateSpec,
  tables,
  type TextColumn,
  type Value,
} from '../../runtime/contract/stage.js';
import { type events, rowKey } from '../model.js';

/** The key of the rows of one window. */
export const ROW_KEY = ['user', 'item', 'type', 'category', 'brand', 'price'] as const;
export const ROW_TEXTS = ['user', 'item', 'category', 'brand'] as const;
const NUMBERS = ['pane', 'type', 'price', 'added', 'first', 'time'] as const;

/** Events of one key in one pane: how many, the first and the latest event time. */
export const epochRows = frameType('epoch-row', {
  pane: 'f64',
  ...rowKey,
  added: 'u32',
  first: 'f64',
  time: 'f64',
});

type Events = FrameOf<typeof events>;
export type EpochRows = FrameOf<typeof epochRows>;

const epochTables = tables(epochRows, { key: ['pane', ...ROW_KEY], by: 'user' });
type EpochTables = StateOf<typeof epochTables>;
type StoredTables = Parameters<EpochTables['restore']>[0];
const RUNNING = 0;

export interface EpochLogOptions {
  readonly paneMs: number;
  readonly counted: boolean;
}

export class EpochLog {
  private readonly tables: EpochTables = epochTables.create();
  private frames: EpochRows[] = [];

  constructor(private readonly options: EpochLogOptions) {}

  get keys(): number {
    return this.frames.reduce((sum, { rows }) => sum + rows, this.tables.keys);
  }

  /** Adds the given rows of a frame, or all. */
  add(frame: Events, rows?: Uint32Array): void {
    this.frames.push(asEpochRows(frame, rows, this.options.paneMs));
  }

  /** Removes and returns all events of the epoch, if there are any. */
  take(): EpochRows | undefined {
    if (this.options.counted || this.tables.has(RUNNING)) this.settle();
    const rows = this.tables.has(RUNNING) ? this.tables.table(RUNNING).frame() : joined(this.frames);
    this.tables.drop(RUNNING);
    this.frames = [];
    return rows;
  }

  restore(store: StoredTables): void {
    this.tables.restore(store);
    this.frames = [];
  }

  restoring(store: StoredTables): Iterable<unknown> {
    this.frames = [];
    return this.tables.restoring!(store);
  }

  cut(): ReturnType<EpochTables['cut']> {
    this.settle();
    return this.tables.cut();
  }

  written(): void {
    this.tables.written();
  }

  /** From the logs of old partitions to those of new ones. */
  static move(from: readonly EpochLog[], to: readonly EpochLog[]): void {
    for (const log of from) log.settle();
    const { rescale } = epochTables;
    if (rescale?.kind === 'move')
      rescale.move(
        from.map((log) => log.tables),
        to.map((log) => log.tables),
      );
  }

  /** Counts the frames into the table. */
  private settle(): void {
    const rows = joined(this.frames);
    this.frames = [];
    if (rows === undefined) return;
    const table = this.tables.table(RUNNING);
    const found = table.upsert(rows.columns);
    const { added, first, time } = table.values;
    for (let i = 0; i < found.length; i++) {
      const row = found[i]!;
      const at = rows.columns.time[i]!;
      if (added[row]!++ === 0) first[row] = time[row] = at;
      else if (at > time[row]!) time[row] = at;
      else if (at < first[row]!) first[row] = at;
    }
  }
}

/** The current epoch, and C. */
export interface EpochState {
  readonly epoch: EpochLog;
  /** C */
  readonly closedUpTo: Value<number>;
}

export const epochLog = (options: EpochLogOptions): StateSpec<EpochLog> => ({
  resident: true,
  create: () => new EpochLog(options),
  rescale: {
    kind: 'move',
    move: (from, to) => {
      EpochLog.move(from, to);
    },
  },
});

/** Each event as a count of one. Copies everything that the runtime may reuse: the texts of a received frame are in its message. */
function asEpochRows({ columns }: Events, rows: Uint32Array | undefined, paneMs: number): EpochRows {
  const time = rows === undefined ? columns.time : picked(columns.time, rows, new Float64Array(rows.length));
  const text = (column: TextColumn): TextColumn => tidyText(column, rows);
  return {
    type: epochRows,
    rows: time.length,
    columns: {
      pane: panesOf(time, paneMs),
      user: text(columns.user),
      item: text(columns.item),
      type: rows === undefined ? columns.type : picked(columns.type, rows, new Uint8Array(rows.length)),
      category: text(columns.category),
      brand: text(columns.brand),
      price: groupingPrices(columns.price, rows),
      added: new Uint32Array(time.length).fill(1),
      first: time,
      time,
    },
  };
}

function picked<A extends Float64Array | Uint8Array>(column: A, rows: Uint32Array, out: A): A {
  for (let i = 0; i < rows.length; i++) out[i] = column[rows[i]!]!;
  return out;
}

function panesOf(times: Float64Array, paneMs: number): Float64Array {
  const panes = new Float64Array(times.length);
  for (let row = 0, pane = NaN; row < times.length; row++) {
    const time = times[row]!;
    // Neighbours are usually in one pane: no division for them.
    if (!(time >= pane && time < pane + paneMs)) pane = Math.floor(time / paneMs) * paneMs;
    panes[row] = pane;
  }
  return panes;
}

/** Prices for grouping: tables compare bits, so 0 and −0 are made equal, and so are all NaN (absent). */
function groupingPrices(prices: Float64Array, rows: Uint32Array | undefined): Float64Array {
  const count = rows?.length ?? prices.length;
  const grouping = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const price = prices[rows === undefined ? i : rows[i]!]!;
    grouping[i] = Number.isNaN(price) ? NaN : price + 0;
  }
  return grouping;
}

/** Frames as one. */
function joined(frames: readonly EpochRows[]): EpochRows | undefined {
  if (frames.length <= 1) return frames[0];
  const rows = frames.reduce((sum, frame) => sum + frame.rows, 0);
  const builder = new FrameBuilder(epochRows, rows);
  const { columns: to } = builder;
  for (const frame of frames) {
    for (const name of NUMBERS) to[name].set(frame.columns[name], builder.rows);
    for (const name of ROW_TEXTS) recode(frame.columns[name], undefined, to[name], builder.rows);
    builder.rows += frame.rows;
  }
  return builder.finish();
}

/** Writes the given rows of a text column, or all, in the codes of a dictionary that grows. */
function recode({ codes, dictionary }: TextColumn, rows: Uint32Array | undefined, to: GrowingText, at: number): void {
  const map = new CodeMap(dictionary, to.dictionary);
  const count = rows?.length ?? codes.length;
  for (let i = 0; i < count; i++) to.codes[at + i] = map.get(codes[rows === undefined ? i : rows[i]!]!);
}

interface GrowingText {
  readonly codes: Uint32Array;
  readonly dictionary: DictionaryBuilder;
}

/** The given rows of a text column, or all, with a dictionary of its own whose entries are in order of first use, none unused (EPOCH-LOG-1). */
function tidyText(column: TextColumn, rows: Uint32Array | undefined): TextColumn {
  const { codes, dictionary } = column;
  if (rows === undefined && isTidy(column))
    return { codes, dictionary: { ...dictionary, bytes: dictionary.bytes.slice() } };
  const tidy = { codes: new Uint32Array(rows?.length ?? codes.length), dictionary: new DictionaryBuilder() };
  recode(column, rows, tidy, 0);
  return { codes: tidy.codes, dictionary: tidy.dictionary.view() };
}

function isTidy({ codes, dictionary }: TextColumn): boolean {
  let used = 0;
  for (let row = 0; row < codes.length; row++) {
    if (codes[row]! <= used) continue;
    if (codes[row]! !== ++used) return false;
  }
  return used === dictionary.size - 1;
}
