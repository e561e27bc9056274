/**
 * The cell of the running epoch: its events that are on time, one row each, until the end of the epoch takes them.
 *
 * Most epochs begin and end between two snapshots, and are never looked up by key. Only a snapshot that falls into an epoch puts its rows
 * into a table, counted by (pane, user, item, type, category, brand, price), so that what it stores is small and stored once.
 *
 * Either way `take` gives the same keys, in the order of first sight, with the same dictionaries: what comes of it does not tell whether
 * there was a snapshot, or a restart.
 */
import { CodeMap, FrameBuilder, type FrameOf, frameType, type CellSpec, type Tables, tables } from '../../runtime/stage.js';
import type { events } from '../model.js';

/** What tells rows of one window apart. */
export const ROW_KEY = ['user', 'item', 'type', 'category', 'brand', 'price'] as const;
export const ROW_TEXTS = ['user', 'item', 'category', 'brand'] as const;

/** Events of one key in one pane: how many, the first and the latest event time. */
export const epochRows = frameType('epoch-row', {
  pane: 'f64',
  user: 'text',
  item: 'text',
  type: 'u8',
  category: 'text',
  brand: 'text',
  price: 'f64',
  added: 'u32',
  first: 'f64',
  time: 'f64',
});

type Events = FrameOf<typeof events>;
export type EpochRows = FrameOf<typeof epochRows>;
type EpochTables = Tables<typeof epochRows.columns>;

const RUNNING = 0;
const epochTables = tables(epochRows, { key: ['pane', ...ROW_KEY] });

export class EpochLog {
  private readonly tables: EpochTables = epochTables.create();
  private log = new FrameBuilder(epochRows);

  get keys(): number {
    return this.tables.keys + this.log.rows;
  }

  /** Adds the given rows of a frame, or all. */
  add(frame: Events, rows: Uint32Array | undefined, paneMs: number): void {
    const { log } = this;
    const count = rows?.length ?? frame.rows;
    log.reserve(count);
    const { rows: at, columns: to } = log;
    const { time, type, price } = frame.columns;
    for (let i = 0, pane = NaN; i < count; i++) {
      const row = rows === undefined ? i : rows[i]!;
      const timeMs = time[row]!;
      // Neighbours are mostly of one pane: no division for them.
      if (!(timeMs >= pane && timeMs < pane + paneMs)) pane = Math.floor(timeMs / paneMs) * paneMs;
      to.pane[at + i] = pane;
      to.first[at + i] = timeMs;
      to.time[at + i] = timeMs;
      to.type[at + i] = type[row]!;
      // Tables compare bits: 0 and −0 are made one, and so are all NaN (absent).
      to.price[at + i] = Number.isNaN(price[row]) ? NaN : price[row]! + 0;
    }
    to.added.fill(1, at, at + count);
    for (const name of ROW_TEXTS) {
      const { codes, dictionary } = frame.columns[name];
      appendCodes(to[name].codes, at, new CodeMap(dictionary, to[name].dictionary), codes, rows, count);
    }
    log.rows += count;
  }

  /** What the epoch has counted, and forgets it; rows of one key may be several. */
  take(): EpochRows | undefined {
    if (this.tables.has(RUNNING)) this.settle();
    const rows = this.tables.has(RUNNING) ? this.tables.table(RUNNING).frame() : this.log.finish();
    this.tables.drop(RUNNING);
    this.log = new FrameBuilder(epochRows);
    return rows;
  }

  restore(store: Parameters<EpochTables['restore']>[0]): void {
    this.tables.restore(store);
    this.log = new FrameBuilder(epochRows);
  }

  cut(): ReturnType<EpochTables['cut']> {
    this.settle();
    return this.tables.cut();
  }

  written(): void {
    this.tables.written();
  }

  /** Counts the log into the table. */
  private settle(): void {
    if (this.log.rows === 0) return;
    const { columns } = this.log;
    const log = this.log.finish();
    this.log = new FrameBuilder(epochRows);
    const table = this.tables.table(RUNNING);
    const found = table.upsert(log);
    const { added, first, time } = table.values;
    for (let i = 0; i < found.length; i++) {
      const row = found[i]!;
      const at = columns.time[i]!;
      if (added[row]!++ === 0) first[row] = time[row] = at;
      else if (at > time[row]!) time[row] = at;
      else if (at < first[row]!) first[row] = at;
    }
  }
}

export const epochLog = (): CellSpec<EpochLog> => ({ resident: true, create: () => new EpochLog() });

function appendCodes(to: Uint32Array, at: number, map: CodeMap, codes: Uint32Array, rows: Uint32Array | undefined, count: number): void {
  for (let i = 0; i < count; i++) to[at + i] = map.get(codes[rows === undefined ? i : rows[i]!]!);
}
