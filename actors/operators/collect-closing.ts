/**
 * collectClosing(closing), releaseClosing(closing): collect the lists of the windows that close in an epoch, and emit them at its end,
 * ascending.
 *
 *   tops     --a--b-----|      a: the hour 13:00 of instance 0: [7]    b: the hours 12:00: [5] and 13:00: [9] of instance 1
 *   ends     --------c--|
 *   result   --------x--|      x: the hours 12:00: 5 and 13:00: 7, 9
 *
 * Law: the output depends on the lists of the epoch alone, not on their order.
 */
import { ignoreElements, map, type Observable, type OperatorFunction, tap } from 'rxjs';
import type { FrameOf, Value } from '../../runtime/contract/stage.js';
import { groupsOf, type TrendingGroup } from '../maths/trending-groups.js';
import { withList, type InstanceLists } from '../maths/trending-list.js';
import type { TrendingWindow, trendingTops } from '../model.js';

type Tops = FrameOf<typeof trendingTops>;

export interface ClosingWindowLists {
  readonly window: TrendingWindow;
  readonly lists: InstanceLists;
}

/** By name of the window. */
export type Closing = Record<string, ClosingWindowLists>;

export const collectClosing =
  (closing: Value<Closing>) =>
  (frames: Observable<Tops>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        for (const group of groupsOf(frame)) add(closing, group);
      }),
      ignoreElements(),
    );

export const releaseClosing = (closing: Value<Closing>): OperatorFunction<unknown, readonly ClosingWindowLists[]> =>
  map(() => {
    const windows = Object.values(closing.get());
    if (windows.length > 0) closing.set({});
    return windows.sort((a, b) => a.lists.startMs - b.lists.startMs);
  });

function add(closing: Value<Closing>, group: TrendingGroup): void {
  if (group.list.length === 0) return;
  const { window, startMs } = group;
  const name = `${window}/${startMs}`;
  // In place: an epoch may have thousands of windows.
  const all = closing.get();
  all[name] = { window, lists: withList(all[name]?.lists, group) };
  closing.set(all);
}
