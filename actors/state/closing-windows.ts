/**
 * ClosingWindows: the lists over all items of the hours and days that close, ascending.
 *
 *   close(W)      of each window that W closes and that had events; then drops what no open window needs
 *   open()        the same of those that nothing has closed yet, which stay open: the input of a bounded job may go on
 *
 * From window to window the order of the items is kept up to date: a move costs the items of the hours that leave and come, not those of the window.
 */
import { CodeMap, type FrameOf } from '../../runtime/contract/stage.js';
import { FrameChunks } from '../maths/frame-chunks.js';
import { NumberedOrder } from '../maths/item-order.js';
import { HOUR_MS, isClosed, scoreOf, type ScoreWeights, startOf, stepOf } from '../maths/trending.js';
import { type ClosingWindow, trendingDays, trendingHours } from '../model.js';
import type { WindowSums } from '../maths/window-sums.js';
import type { CountState, TrendCounts } from './trend-counts.js';
import { itemOf, ITEMS } from './trending-items.js';

export interface ClosingOptions extends ScoreWeights {
  readonly listSize: number;
  /** The distance of W from the latest event. */
  readonly delayMs: number;
}

/** By kind of window; days have the same columns as hours. */
export type ClosedWindows = Readonly<Record<ClosingWindow, readonly FrameOf<typeof trendingHours>[]>>;

export class ClosingWindows {
  private readonly sums: Readonly<Record<ClosingWindow, WindowSums>>;

  constructor(
    private readonly state: CountState,
    private readonly counts: TrendCounts,
    private readonly options: ClosingOptions,
  ) {
    this.sums = { hour: counts.sumsOf('hour'), day: counts.sumsOf('day') };
  }

  close(closesUpToMs: number): ClosedWindows {
    const closed = this.closing(closesUpToMs);
    this.counts.closeUpTo(closesUpToMs);
    return closed;
  }

  open(): ClosedWindows {
    return this.closing(Infinity);
  }

  private closing(closesUpToMs: number): ClosedWindows {
    return { hour: this.lists('hour', closesUpToMs), day: this.lists('day', closesUpToMs) };
  }

  private lists(window: ClosingWindow, closesUpToMs: number): readonly FrameOf<typeof trendingHours>[] {
    const { delayMs, listSize } = this.options;
    const closedUpToMs = this.state.closedUpTo.get();
    const closes = (start: number): boolean =>
      isClosed(window, start, closesUpToMs, delayMs) && !isClosed(window, start, closedUpToMs, delayMs);
    const starts = startsWith(this.state.panes.numbers(), window).filter(closes);
    if (starts.length === 0) return [];
    const items = this.state.items.table(ITEMS).dictionary('item');
    const chunks = new FrameChunks(window === 'hour' ? trendingHours : trendingDays, starts.length * listSize);
    let codes = new CodeMap(items, chunks.frame.columns.item.dictionary);
    const sums = this.sums[window];
    const moveTo = this.rankedIn(sums);
    for (const startMs of starts) {
      const ranked = moveTo(startMs);
      if (chunks.group()) codes = new CodeMap(items, chunks.frame.columns.item.dictionary);
      const { frame } = chunks;
      const length = Math.min(ranked.length, listSize);
      frame.reserve(length);
      const { columns } = frame;
      for (let i = 0; i < length; i++, frame.rows++) {
        const [row, item] = [frame.rows, ranked[i]!];
        columns.start[row] = startMs;
        columns.item.codes[row] = codes.get(item + 1);
        columns.views[row] = sums.views[item]!;
        columns.clicks[row] = sums.clicks[item]!;
        columns.score[row] = scoreOf(sums.views[item]!, sums.clicks[item]!, this.options);
        columns.rank[row] = i + 1;
      }
    }
    // What is counted next need not be added there.
    sums.forget();
    return chunks.finish();
  }

  /** The numbers of all items with a score in a window that moves, best first. */
  private rankedIn(sums: WindowSums): (startMs: number) => Uint32Array {
    const { items } = this.counts;
    const order = new NumberedOrder((item) => itemOf(this.state.items, item));
    const [scores, hasMoved] = [new Float64Array(items), new Uint8Array(items)];
    const ranked = new Uint32Array(items);
    let length = 0;
    const isBefore = (a: number, b: number): boolean =>
      scores[a]! > scores[b]! || (scores[a] === scores[b] && order.isBefore(a, b));
    return (startMs) => {
      const moved: number[] = [];
      for (const pane of sums.moveTo(startMs, items)) {
        for (const item of pane) {
          if (hasMoved[item] === 0) moved.push(item);
          hasMoved[item] = 1;
        }
      }
      let kept = 0;
      for (let i = 0; i < length; i++) if (hasMoved[ranked[i]!] === 0) ranked[kept++] = ranked[i]!;
      for (const item of moved) {
        hasMoved[item] = 0;
        scores[item] = scoreOf(sums.views[item]!, sums.clicks[item]!, this.options);
      }
      const coming = moved.filter((item) => scores[item]! > 0).sort((a, b) => (isBefore(a, b) ? -1 : 1));
      length = kept + coming.length;
      // From the end, in place: what has been kept moves back as far as there are items to come.
      for (let to = length - 1, left = coming.length; left > 0; to--) {
        const isKept = kept > 0 && isBefore(coming[left - 1]!, ranked[kept - 1]!);
        ranked[to] = isKept ? ranked[--kept]! : coming[--left]!;
      }
      return ranked.subarray(0, length);
    };
  }
}

/** The starts of windows that contain one of the panes, ascending. */
function startsWith(panes: readonly number[], window: ClosingWindow): number[] {
  const starts = new Set<number>();
  for (const pane of panes) {
    for (let start = startOf(window, stepOf(pane)); start <= pane; start += HOUR_MS) starts.add(start);
  }
  return [...starts].sort((a, b) => a - b);
}
