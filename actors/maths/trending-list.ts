/**
 * trending-list: the lists of all trending instances as one.
 *
 *   list = the first n of ⋃ top_o        o  origin: a trending instance; an item has one origin
 *   order  score desc, then item asc     (item-order)
 *
 * When an hour begins, the instances say the lists of the new window one after the other: until all that had items in the window before have
 * spoken, or `ROLL_MS` have passed, the list is that of the window before, rather than what one instance knows.
 */
import { partitionOf, type PartitionCounts } from '../../runtime/stage.js';
import { LIST_MAX } from '../model.js';
import { compareKeyed, orderKey } from './item-order.js';

export interface TrendingEntry {
  readonly item: string;
  readonly score: number;
  readonly views: number;
  readonly clicks: number;
  /** '' for none. */
  readonly category: string;
  /** Score per hour; null where nobody asks for it: JSON has no NaN. */
  readonly velocity: number | null;
}

/** What instances have said of one window: by origin, best first. Never changed in place. */
export interface SaidOfWindow {
  readonly startMs: number;
  readonly origins: Readonly<Record<number, readonly TrendingEntry[]>>;
}

export interface TrendingState {
  readonly now: SaidOfWindow;
  /** A newer window, of which not all have spoken yet, and at which tick that was noticed. */
  readonly next?: SaidOfWindow;
  readonly nextSinceMs?: number;
  /** Grows with every change of what is listed. */
  readonly revision: number;
}

const ROLL_MS = 2_000;

export const alsoSaid = (
  said: SaidOfWindow | undefined,
  startMs: number,
  origin: number,
  list: readonly TrendingEntry[],
): SaidOfWindow => ({ startMs, origins: { ...(said?.startMs === startMs ? said.origins : {}), [origin]: list } });

/** After an instance has said its list of a window. */
export function heardFrom(
  state: TrendingState | undefined,
  startMs: number,
  origin: number,
  list: readonly TrendingEntry[],
): TrendingState {
  // Of a list that is made anew later on (`--start-anew`), nobody shall take a revision for one of the list before.
  if (state === undefined) return { now: alsoSaid(undefined, startMs, origin, list), revision: startMs };
  const { now, next } = state;
  if (startMs < (next ?? now).startMs && startMs !== now.startMs) return state;
  if (startMs === now.startMs) return listing(state, alsoSaid(now, startMs, origin, list));
  const rolling = alsoSaid(next, startMs, origin, list);
  const isComplete = Object.entries(now.origins).every(
    ([o, items]) => items.length === 0 || Number(o) in rolling.origins,
  );
  return isComplete ? rolled(state, rolling) : { ...state, next: rolling };
}

/** At a tick. */
export function ticked(state: TrendingState, timeMs: number): TrendingState {
  const { next, nextSinceMs } = state;
  if (next === undefined) return state;
  if (nextSinceMs === undefined) return { ...state, nextSinceMs: timeMs };
  return timeMs < nextSinceMs + ROLL_MS ? state : rolled(state, next);
}

const rolled = ({ revision }: TrendingState, now: SaidOfWindow): TrendingState => ({ now, revision: revision + 1 });

/** What looks the same keeps its revision. */
function listing(state: TrendingState, now: SaidOfWindow): TrendingState {
  const isSame = JSON.stringify(listOf(now)) === JSON.stringify(listOf(state.now));
  return isSame ? { ...state, now } : { ...state, now, revision: state.revision + 1 };
}

const merged = new WeakMap<SaidOfWindow, readonly TrendingEntry[]>();

/** All origins as one list. */
export function listOf(said: SaidOfWindow): readonly TrendingEntry[] {
  const known = merged.get(said);
  if (known !== undefined) return known;
  const all = Object.values(said.origins).flatMap((list) =>
    list.map((entry) => ({ entry, item: entry.item, key: orderKey(entry.item) })),
  );
  all.sort((a, b) => b.entry.score - a.entry.score || compareKeyed(a, b));
  const list = all.slice(0, LIST_MAX).map(({ entry }) => entry);
  merged.set(said, list);
  return list;
}

/** As instances of another number have it, as far as it is known; they say their lists whole when they start. */
export function splitTrending({ now, revision }: TrendingState, { item: origins }: PartitionCounts): TrendingState {
  const byOrigin: Record<number, TrendingEntry[]> = {};
  for (const entry of listOf(now)) (byOrigin[partitionOf(entry.item, origins)] ??= []).push(entry);
  return { now: { startMs: now.startMs, origins: byOrigin }, revision };
}
