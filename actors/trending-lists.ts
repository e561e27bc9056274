/**
 * trending-lists: the lists of all trending instances, merged into one each.
 *
 *   list(w, ranking, c) = the first n of ⋃ top_o(w, ranking, c)        o  a trending instance; see maths/trending-list
 *
 *   live      a view of the newest window: `trendingReader` reads its state, synchronously, between two inputs. Every change of a list has a
 *             revision, which is the same on all nodes, since it follows from the mailbox alone
 *   bounded   the closed windows, each kind ascending, at the end of the epoch in which they closed
 *
 * State    per list the latest part of each instance (some 100 bytes an entry), and its revision; the latest tick. A list without items is dropped.
 * Restart  restored with the snapshot; lists that arrived since are replayed from the mailbox.
 */
import { merge, mergeMap } from 'rxjs';
import { type FrameOf, input, json, keyed, readerOf, stage, value } from '../runtime/contract/stage.js';
import { FrameChunks } from './maths/frame-chunks.js';
import { EVERY_CATEGORY, keyOf } from './maths/trending-groups.js';
import { listOf, splitTrending, type TrendingEntry, type TrendingState } from './maths/trending-list.js';
import { SIZE_MS, velocity } from './maths/trending.js';
import {
  LIST_MAX,
  type TrendingRanking,
  type TrendingWindow,
  trendingDays,
  trendingHours,
  trendingTops,
} from './model.js';
import { type Closing, type ClosingWindowLists, collectClosing, releaseClosing } from './operators/collect-closing.js';
import { mergeTops, rollOver } from './operators/merge-trending.js';

const only = <T>([one]: readonly T[]): T => one!;

const state = {
  lists: keyed(json<TrendingState>(), { rescale: splitTrending }),
  rolling: value<readonly string[]>(() => [], undefined, only),
  tick: value(() => 0, undefined, only),
  forgotten: value(() => 0, undefined, only),
  closing: value<Closing>(() => ({}), undefined, only),
};

export const trendingLists = ({ published }: { readonly published: 'live' | 'closed' }) =>
  stage({
    id: 'trending-lists',
    version: 1,
    key: 'whole',
    inputs: { tops: input(trendingTops) },
    outputs: { hours: trendingHours, days: trendingDays },
    state,
    pipeline: ({ inputs, ticks, epochEnds, inputEnd, state, out }) => {
      if (published === 'live') return merge(inputs.tops.pipe(mergeTops(state)), ticks.pipe(rollOver(state)));
      const closed = merge(epochEnds, inputEnd).pipe(
        releaseClosing(state.closing),
        mergeMap((windows) => [
          ...rowsOf(trendingHours, 'hour', windows).map((frame) => out.hours(frame)),
          ...rowsOf(trendingDays, 'day', windows).map((frame) => out.days(frame)),
        ]),
      );
      return merge(inputs.tops.pipe(collectClosing(state.closing)), closed);
    },
  });

/** The windows of one kind. Days have the same columns as hours. */
function rowsOf(
  type: typeof trendingHours,
  kind: TrendingWindow,
  windows: readonly ClosingWindowLists[],
): FrameOf<typeof trendingHours>[] {
  const chunks = new FrameChunks(type, LIST_MAX);
  for (const { lists } of windows.filter(({ window }) => window === kind)) {
    const list = listOf(lists);
    chunks.group();
    const { frame } = chunks;
    frame.reserve(list.length);
    const { columns } = frame;
    list.forEach(({ item, views, clicks, score }, i) => {
      const row = frame.rows++;
      columns.start[row] = lists.startMs;
      columns.end[row] = lists.startMs + SIZE_MS[kind];
      columns.item.codes[row] = columns.item.dictionary.addText(item);
      columns.views[row] = views;
      columns.clicks[row] = clicks;
      columns.score[row] = score;
      columns.rank[row] = i + 1;
    });
  }
  return chunks.finish();
}

export interface ReadEntry extends TrendingEntry {
  /** Score per hour. */
  readonly velocity: number;
}

export interface ReadTrending {
  readonly revision: number;
  /** [start, end), epoch ms; absent when the list is empty. */
  readonly window: { readonly startMs: number; readonly endMs: number } | undefined;
  readonly list: readonly ReadEntry[];
}

/** The same object until it changes. */
export type TrendingReader = (
  window: TrendingWindow,
  ranking: TrendingRanking,
  category: string | undefined,
) => ReadTrending;

export const trendingReader = readerOf(state, ({ lists, forgotten }): TrendingReader => {
  const known = new Map<string, ReadTrending>();
  let nothing: ReadTrending = { revision: 0, window: undefined, list: [] };
  return (window, ranking, category = EVERY_CATEGORY) => {
    const key = keyOf(window, ranking, category);
    const stored = lists.get(key);
    const before = known.get(key);
    if (stored === undefined) {
      known.delete(key);
      const latest = forgotten.get();
      if (nothing.revision !== latest) nothing = { ...nothing, revision: latest };
      return nothing;
    }
    const { now, revision, asOfMs } = stored;
    if (before?.revision === revision) return before;
    const [{ startMs }, size] = [now, SIZE_MS[window]];
    const list = listOf(now).map((entry) => ({
      ...entry,
      velocity: velocity(entry.score, entry.before, startMs, size, asOfMs),
    }));
    const read = { revision, window: { startMs, endMs: startMs + size }, list };
    known.set(key, read);
    return read;
  };
});
