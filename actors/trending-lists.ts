/**
 * trending-lists: the lists of all trending instances, merged into one each.
 *
 *   list(w, ranking, c) = the first n of ⋃ top_o(w, ranking, c)        o  a trending instance; see maths/trending-list
 *
 * A view of the newest window: `trendingReader` reads its state, synchronously, between two inputs. Every change of a list has a revision, which is the
 * same on all nodes, since it follows from the mailbox alone.
 *
 * State    per list the latest part of each instance (some 100 bytes an entry), and its revision; the latest tick. A list without items is dropped.
 * Restart  restored with the snapshot; lists that arrived since are replayed from the mailbox.
 */
import { merge } from 'rxjs';
import { input, json, keyed, readerOf, stage, value } from '../runtime/contract/stage.js';
import { EVERY_CATEGORY, keyOf } from './maths/trending-groups.js';
import { listOf, splitTrending, type TrendingEntry, type TrendingState } from './maths/trending-list.js';
import { SIZE_MS, velocity } from './maths/trending.js';
import { type TrendingRanking, type TrendingWindow, trendingTops } from './model.js';
import { mergeTops, rollOver } from './operators/merge-trending.js';

const only = <T>([one]: readonly T[]): T => one!;

const state = {
  lists: keyed(json<TrendingState>(), { rescale: splitTrending }),
  rolling: value<readonly string[]>(() => [], undefined, only),
  tick: value(() => 0, undefined, only),
  forgotten: value(() => 0, undefined, only),
};

export const trendingLists = () =>
  stage({
    id: 'trending-lists',
    version: 1,
    key: 'whole',
    inputs: { tops: input(trendingTops) },
    outputs: {},
    state,
    pipeline: ({ inputs, ticks, state }) => merge(inputs.tops.pipe(mergeTops(state)), ticks.pipe(rollOver(state))),
  });

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
