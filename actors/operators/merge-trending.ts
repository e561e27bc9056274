/**
 * mergeTops(state), rollOver(state): maintain the merged lists of all trending instances, each with a revision; emit nothing.
 *
 *   tops     --a--b-----|      a: the hour 13:00 of instance 0: [7]    b: the same of instance 1: [9]; then the hour 14:00 of instance 0: [8]
 *   ticks    --------c--|      c: 2 s after the first tick since the hour 14:00 has begun
 *   result   -----------|      after a: 7    after b: 7, 9    after c: 8
 *
 * Law: a list and its revision follow from the order of lists and ticks alone (maths/trending-list), not on how lists are divided into frames.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import type { FrameOf, Keyed, Tick, Value } from '../../runtime/contract/stage.js';
import { groupsOf, keyOf, type TrendingGroup } from '../maths/trending-groups.js';
import { afterList, isOver, afterTick, type TrendingState } from '../maths/trending-list.js';
import type { trendingTops } from '../model.js';

type Tops = FrameOf<typeof trendingTops>;

export interface TrendingListState {
  readonly lists: Keyed<TrendingState>;
  /** Keys of lists with a newer stage. */
  readonly rolling: Value<readonly string[]>;
  readonly tick: Value<number>;
  /** The revision of all lists that do not exist. */
  readonly forgotten: Value<number>;
}

export const mergeTops =
  (state: TrendingListState) =>
  (frames: Observable<Tops>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        keep(state, groupsOf(frame));
      }),
      ignoreElements(),
    );

export const rollOver =
  (state: TrendingListState) =>
  (ticks: Observable<Tick>): Observable<never> =>
    ticks.pipe(
      tap(({ timeMs }) => {
        roll(state, timeMs);
      }),
      ignoreElements(),
    );

function keep(state: TrendingListState, groups: readonly TrendingGroup[]): void {
  const { lists, rolling, tick, forgotten } = state;
  const keys = new Set(rolling.get());
  for (const group of groups) {
    const key = keyOf(group.window, group.ranking, group.category);
    const before = lists.get(key);
    const after = afterList(before, group, tick.get(), forgotten.get());
    if (after !== undefined) put(state, key, after);
    if (after?.next !== undefined) keys.add(key);
  }
  if (keys.size > rolling.get().length) rolling.set([...keys]);
}

/** Only lists with items, or with a pending change, are stored. */
function put({ lists, forgotten }: TrendingListState, key: string, list: TrendingState): void {
  if (!isOver(list)) {
    lists.set(key, list);
    return;
  }
  lists.delete(key);
  forgotten.set(Math.max(forgotten.get(), list.revision));
}

function roll(state: TrendingListState, tickMs: number): void {
  const { lists, rolling, tick } = state;
  tick.set(Math.max(tick.get(), tickMs));
  if (rolling.get().length === 0) return;
  const left = rolling.get().filter((key) => {
    const before = lists.get(key);
    if (before === undefined) return false;
    const after = afterTick(before, tick.get());
    if (after !== before) put(state, key, after);
    return after.next !== undefined;
  });
  rolling.set(left);
}
