/**
 * collectClosing(closing), releaseClosing(closing): collect the lists of the windows that close in an epoch, and emit the first LIST_MAX items of each at its
 * end, the windows of a kind ascending.
 *
 *   tops     --a--b-----|      a: the hour 13:00 of instance 0: [7]    b: the hours 12:00: [5] and 13:00: [9] of instance 1
 *   ends     --------c--|
 *   result   --------x--|      x: the hours 12:00: 5 and 13:00: 7, 9
 *
 * Law: the output depends on the lists of the epoch alone, not on their order. (An item has one instance.)
 */
import { ignoreElements, map, type Observable, type OperatorFunction, tap } from 'rxjs';
import { ABSENT, type FrameOf, frameType, type StateOf, tables, textAt } from '../../runtime/contract/stage.js';
import { FrameChunks } from '../maths/frame-chunks.js';
import { NumberedOrder } from '../maths/item-order.js';
import { topRows } from '../maths/top-rows.js';
import { SIZE_MS } from '../maths/trending.js';
import {
  CLOSING_WINDOWS,
  type ClosingWindow,
  LIST_MAX,
  TRENDING_WINDOWS,
  trendingDays,
  trendingHours,
  type trendingTops,
} from '../model.js';

type Tops = FrameOf<typeof trendingTops>;

const closingRows = frameType('closing-row', { start: 'f64', item: 'text', views: 'u32', clicks: 'u32', score: 'f64' });

/** A table for each kind of window. */
export const closingTables = () => tables(closingRows, { key: ['start', 'item'], by: 'item' });
export type ClosingTables = StateOf<ReturnType<typeof closingTables>>;

/** By kind of window; days have the same columns as hours. */
export type ClosedWindows = Readonly<Record<ClosingWindow, readonly FrameOf<typeof trendingHours>[]>>;

const numberOf = (window: ClosingWindow): number => TRENDING_WINDOWS.indexOf(window);

export const collectClosing =
  (closing: ClosingTables) =>
  (frames: Observable<Tops>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        for (const window of CLOSING_WINDOWS) collect(closing, window, frame);
      }),
      ignoreElements(),
    );

export const releaseClosing = (closing: ClosingTables): OperatorFunction<unknown, ClosedWindows> =>
  map(() => ({ hour: release(closing, 'hour'), day: release(closing, 'day') }));

function collect(closing: ClosingTables, window: ClosingWindow, { rows, columns }: Tops): void {
  const { views, clicks, score } = columns;
  const number = numberOf(window);
  const isOwn = (row: number): boolean => columns.window[row] === number && columns.item.codes[row] !== ABSENT;
  const own = Uint32Array.from({ length: rows }, (_, row) => row).filter(isOwn);
  if (own.length === 0) return;
  const table = closing.table(number);
  const found = table.upsert(columns, own);
  const { values } = table;
  for (let i = 0; i < own.length; i++) {
    const [to, from] = [found[i]!, own[i]!];
    values.views[to] = views[from]!;
    values.clicks[to] = clicks[from]!;
    values.score[to] = score[from]!;
  }
}

function release(closing: ClosingTables, window: ClosingWindow): readonly FrameOf<typeof trendingHours>[] {
  const number = numberOf(window);
  if (!closing.has(number)) return [];
  const { rows, columns } = closing.table(number).frame();
  const { start, item, views, clicks, score } = columns;
  const starts = [...new Set(start)].sort((a, b) => a - b);
  // List 0 of `topRows` is that of all rows, which nobody reads.
  const lists = new Map(starts.map((ms, i) => [ms, i + 1]));
  const of = Uint32Array.from({ length: rows }, (_, row) => lists.get(start[row]!)!);
  const isRequested = new Uint8Array(starts.length + 1).fill(1, 1);
  const order = new NumberedOrder((code) => textAt(item.dictionary, code)!);
  const isBefore = (a: number, b: number): boolean => order.isBefore(item.codes[a]!, item.codes[b]!);
  const best = topRows(score, { of, listsOf: () => [] }, isRequested, LIST_MAX, isBefore);

  const chunks = new FrameChunks(window === 'hour' ? trendingHours : trendingDays, LIST_MAX);
  starts.forEach((startMs, i) => {
    const list = best.subarray((i + 1) * LIST_MAX, (i + 2) * LIST_MAX);
    const length = list.includes(0) ? list.indexOf(0) : LIST_MAX;
    chunks.group();
    const { frame } = chunks;
    frame.reserve(length);
    for (let rank = 1; rank <= length; rank++, frame.rows++) {
      const [to, from] = [frame.rows, list[rank - 1]! - 1];
      frame.columns.start[to] = startMs;
      frame.columns.end[to] = startMs + SIZE_MS[window];
      frame.columns.item.codes[to] = frame.columns.item.dictionary.addFrom(item.dictionary, item.codes[from]!);
      frame.columns.views[to] = views[from]!;
      frame.columns.clicks[to] = clicks[from]!;
      frame.columns.score[to] = score[from]!;
      frame.columns.rank[to] = rank;
    }
  });
  closing.drop(number);
  return chunks.finish();
}
