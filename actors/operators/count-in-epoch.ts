/**
 * countInEpoch(cells, windows, count): counts events that are on time in the table of the running epoch, by (pane, user, item, type, category,
 * brand, price), and passes on those that are late.
 *
 *   frames   --a--b--|      C = 600: windows that end by then are closed; size 300
 *   result   -----x--|      a: times 601, 900    b: 299, 602    x: 299; the epoch then counts pane 600: 2, pane 900: 1
 *
 * Law: on time + late = events, and neither depends on order or on how the events of an epoch are put into frames.
 */
import { filter, map, type Observable } from 'rxjs';
import { type Counter, type FrameOf, frameType, gather, type Tables, tables, type Value } from '../../runtime/stage.js';
import { isLate, type Windows } from '../maths/window.js';
import type { events } from '../model.js';

/** What tells rows of one window apart. */
export const ROW_KEY = ['user', 'item', 'type', 'category', 'brand', 'price'] as const;

/** Events of one key in one pane of the running epoch: how many, the first and the latest event time. */
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

export type EpochRows = FrameOf<typeof epochRows>;
export type EpochTables = Tables<typeof epochRows.columns>;
export const epochTables = () => tables(epochRows, { key: ['pane', ...ROW_KEY] });

/** The cell holds one table, that of the running epoch. */
export const RUNNING = 0;

type Events = FrameOf<typeof events>;

export interface EpochCells {
  readonly epoch: EpochTables;
  /** C */
  readonly closedUpTo: Value<number>;
}

export const countInEpoch =
  (cells: EpochCells, windows: Windows, count: (counter: Counter, n: number) => void) =>
  (frames: Observable<Events>): Observable<Events> =>
    frames.pipe(
      filter((frame) => frame.rows > 0),
      map((frame) => {
        const { onTime, late } = splitLate(frame, windows, cells.closedUpTo.get());
        if (onTime !== NONE) addTo(cells.epoch, frame, onTime, windows.paneMs);
        count('on_time', frame.rows - late.length);
        count('late', late.length);
        return late.length === frame.rows ? frame : gather(frame, late);
      }),
      filter((late) => late.rows > 0),
    );

const NONE = new Uint32Array(0);

interface Split {
  /** Rows; absent for all. */
  readonly onTime: Uint32Array | undefined;
  readonly late: Uint32Array;
}

function splitLate({ rows, columns: { time } }: Events, windows: Windows, closedUpToMs: number): Split {
  let oldest = Infinity;
  for (let row = 0; row < rows; row++) if (time[row]! < oldest) oldest = time[row]!;
  if (!isLate(oldest, windows, closedUpToMs)) return { onTime: undefined, late: NONE };
  const sorted = new Uint32Array(rows);
  let onTime = 0;
  let rest = rows;
  for (let row = 0; row < rows; row++) {
    if (isLate(time[row]!, windows, closedUpToMs)) sorted[--rest] = row;
    else sorted[onTime++] = row;
  }
  return { onTime: onTime === 0 ? NONE : sorted.subarray(0, onTime), late: sorted.slice(onTime).reverse() };
}

function addTo(epoch: EpochTables, frame: Events, selection: Uint32Array | undefined, paneMs: number): void {
  const { time } = frame.columns;
  const table = epoch.table(RUNNING);
  const keyed = { ...frame, columns: { ...frame.columns, pane: panesOf(time, paneMs), price: groupingPrices(frame) } };
  const rows = table.upsert(keyed, selection);
  const { added, first, time: latest } = table.values;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const at = time[selection === undefined ? i : selection[i]!]!;
    if (added[row]!++ === 0) first[row] = latest[row] = at;
    else if (at > latest[row]!) latest[row] = at;
    else if (at < first[row]!) first[row] = at;
  }
}

function panesOf(times: Float64Array, paneMs: number): Float64Array {
  const panes = new Float64Array(times.length);
  for (let row = 0, pane = NaN; row < times.length; row++) {
    const time = times[row]!;
    // Neighbours are mostly of one pane: no division for them.
    if (!(time >= pane && time < pane + paneMs)) pane = Math.floor(time / paneMs) * paneMs;
    panes[row] = pane;
  }
  return panes;
}

/** Prices as they are grouped: tables compare bits, so 0 and −0 are made one, and so are all NaN (absent). */
function groupingPrices({ rows, columns: { price } }: Events): Float64Array {
  const prices = new Float64Array(rows);
  for (let row = 0; row < rows; row++) prices[row] = Number.isNaN(price[row]) ? NaN : price[row]! + 0;
  return prices;
}
