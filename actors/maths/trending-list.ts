/**
 * trending-list: the lists of all trending instances as one.
 *
 *   list = the first n of ⋃ top_o        o  origin: a trending instance; an item has one origin
 *   order  value desc, then item asc     (item-order)
 *
 * Only what was said of one stage of a list can be compared: of one window and, by velocity, as of one step. When a new stage begins, the instances
 * say their lists one after the other: until all that had items in the stage before have spoken, or `ROLL_MS` have passed, the list is that of the
 * stage before, rather than what one instance knows.
 *
 *   revision = max(the one before + 1, the time of the latest tick)      by the clock of the log: one that was lost, with all that came after
 *                                                                         a backup, is not given again
 *
 * A list that has become empty is forgotten. Of all lists that are not known the revision is the latest at which one was forgotten.
 */
import { partitionOf, type PartitionCounts } from '../../runtime/contract/stage.js';
import { LIST_MAX, type TrendingRanking } from '../model.js';
import { compareKeyed, orderKey } from './item-order.js';

export interface TrendingEntry {
  readonly item: string;
  /** What the list is ordered by. */
  readonly value: number;
  readonly views: number;
  readonly clicks: number;
  /** '' for none. */
  readonly category: string;
  /** Of the window, and of the window before. */
  readonly score: number;
  readonly before: number;
}

/** What an instance says of a list: of the window that begins at `startMs`, as of a step. */
export interface SaidList {
  readonly ranking: TrendingRanking;
  readonly startMs: number;
  readonly asOfMs: number;
  readonly origin: number;
  readonly list: readonly TrendingEntry[];
}

/** What instances have said of one stage: by origin, best first. Never changed in place. */
export interface SaidOfWindow {
  readonly startMs: number;
  /** The latest step as of which one of them has spoken. */
  readonly asOfMs: number;
  readonly origins: Readonly<Record<number, readonly TrendingEntry[]>>;
}

export interface TrendingState {
  readonly now: SaidOfWindow;
  /** A newer stage, of which not all have spoken yet, and at which tick that was noticed. */
  readonly next?: SaidOfWindow;
  readonly nextSinceMs?: number;
  /** Grows with every change of what is listed. */
  readonly revision: number;
  /** The step that `now` had reached when it was given its revision: what is told of the list is told as of this. */
  readonly asOfMs: number;
}

const ROLL_MS = 2_000;

/** Stages of a list follow each other. */
const stageOf = (
  ranking: TrendingRanking,
  { startMs, asOfMs }: { readonly startMs: number; readonly asOfMs: number },
): number => (ranking === 'velocity' ? asOfMs : startMs);

/** With what one more has said of the same window. */
export const alsoSaid = (
  said: SaidOfWindow | undefined,
  { startMs, asOfMs, origin, list }: Omit<SaidList, 'ranking'>,
): SaidOfWindow => ({
  startMs,
  asOfMs: Math.max(asOfMs, said?.asOfMs ?? -Infinity),
  origins: { ...said?.origins, [origin]: list },
});

/** After an instance has said its list, `tickMs` being the latest tick; `forgotten`: the revision of lists that are not known. */
export function heardFrom(
  state: TrendingState | undefined,
  said: SaidList,
  tickMs: number,
  forgotten: number,
): TrendingState | undefined {
  if (state === undefined) {
    if (said.list.length === 0) return undefined;
    const { asOfMs } = said;
    return { now: alsoSaid(undefined, said), revision: revisionAfter(forgotten, tickMs), asOfMs };
  }
  const { now, next } = state;
  const [stage, of] = [stageOf(said.ranking, said), (other: SaidOfWindow) => stageOf(said.ranking, other)];
  if (stage === of(now)) return listing(state, alsoSaid(now, said), tickMs);
  if (stage < of(next ?? now)) return state;
  const rolling = alsoSaid(next !== undefined && of(next) === stage ? next : undefined, said);
  const isComplete = Object.entries(now.origins).every(
    ([o, items]) => items.length === 0 || Number(o) in rolling.origins,
  );
  if (!isComplete) return { ...state, next: rolling };
  return rolled(state, rolling, tickMs);
}

/** At a tick. */
export function ticked(state: TrendingState, tickMs: number): TrendingState {
  const { next, nextSinceMs } = state;
  if (next === undefined) return state;
  if (nextSinceMs === undefined) return { ...state, nextSinceMs: tickMs };
  return tickMs < nextSinceMs + ROLL_MS ? state : rolled(state, next, tickMs);
}

const rolled = (state: TrendingState, now: SaidOfWindow, tickMs: number): TrendingState => ({
  now,
  revision: revisionAfter(state.revision, tickMs),
  asOfMs: now.asOfMs,
});

/** What looks the same keeps its revision. */
function listing(state: TrendingState, now: SaidOfWindow, tickMs: number): TrendingState {
  const [before, after] = [listOf(state.now), listOf(now)];
  const isSame = before.length === after.length && after.every((entry, i) => isSameEntry(entry, before[i]!));
  return isSame
    ? { ...state, now }
    : { ...state, now, revision: revisionAfter(state.revision, tickMs), asOfMs: now.asOfMs };
}

const isSameEntry = (a: TrendingEntry, b: TrendingEntry): boolean =>
  a === b ||
  (a.item === b.item &&
    a.value === b.value &&
    a.views === b.views &&
    a.clicks === b.clicks &&
    a.category === b.category &&
    a.score === b.score &&
    a.before === b.before);

const revisionAfter = (revision: number, tickMs: number): number => Math.max(revision + 1, tickMs);

/** Nothing is in it, and nobody has begun to say anything else. */
export const isOver = ({ now, next }: TrendingState): boolean => next === undefined && listOf(now).length === 0;

const merged = new WeakMap<SaidOfWindow, readonly TrendingEntry[]>();

/** All origins as one list. */
export function listOf(said: SaidOfWindow): readonly TrendingEntry[] {
  const known = merged.get(said);
  if (known !== undefined) return known;
  const all = Object.values(said.origins).flatMap((list) =>
    list.map((entry) => ({ entry, item: entry.item, key: orderKey(entry.item) })),
  );
  all.sort((a, b) => b.entry.value - a.entry.value || compareKeyed(a, b));
  const list = all.slice(0, LIST_MAX).map(({ entry }) => entry);
  merged.set(said, list);
  return list;
}

/** As instances of another number have it, as far as it is known; they say their lists whole when they start. */
export function splitTrending(
  { now, revision, asOfMs }: TrendingState,
  { item: origins }: PartitionCounts,
): TrendingState {
  const byOrigin: Record<number, TrendingEntry[]> = {};
  for (const entry of listOf(now)) (byOrigin[partitionOf(entry.item, origins)] ??= []).push(entry);
  return { now: { ...now, origins: byOrigin }, revision, asOfMs };
}
