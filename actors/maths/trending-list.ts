/**
 * trending-list: the lists of all trending instances as one.
 *
 *   list = the first n of ⋃ top_o        o  origin: a trending instance; an item has one origin
 *   order  value desc, then item asc     (item-order)
 *
 * Only lists of one stage can be compared: of one window and, by velocity, as of one step. When a new stage begins, the instances publish their lists one
 * after the other: until all that had items in the previous stage have published, or `ROLL_MS` have passed, the list is that of the previous stage,
 * rather than the part of one instance.
 *
 *   revision = max(the previous one + 1, the time of the latest tick)    by the clock of the log: a revision that was lost, with all that came
 *                                                                         after a backup, is not used again
 *
 * A list that has become empty is dropped. The revision of all lists that do not exist is the latest at which one was dropped.
 */
import { partitionOf, type PartitionCounts } from '../../runtime/contract/stage.js';
import { LIST_MAX, type TrendingRanking } from '../model.js';
import { compareItems } from './item-order.js';
import { mergeSorted } from './merge-sorted.js';

export interface TrendingEntry {
  readonly item: string;
  /** The value that the list is ordered by. */
  readonly value: number;
  readonly views: number;
  readonly clicks: number;
  /** '' for none. */
  readonly category: string;
  /** The score in the window, and in the previous window. */
  readonly score: number;
  readonly before: number;
}

/** A list of an instance: of the window that begins at `startMs`, as of a step. */
export interface InstanceList {
  readonly ranking: TrendingRanking;
  readonly startMs: number;
  readonly asOfMs: number;
  readonly origin: number;
  readonly list: readonly TrendingEntry[];
}

/** The instances' lists of one stage: by origin, best first. Never modified in place. */
export interface InstanceLists {
  readonly startMs: number;
  /** The latest step as of which one of them has published. */
  readonly asOfMs: number;
  readonly origins: Readonly<Record<number, readonly TrendingEntry[]>>;
}

export interface TrendingState {
  readonly now: InstanceLists;
  /** A newer stage, for which not all instances have published yet, and the tick at which it began. */
  readonly next?: InstanceLists;
  readonly nextSinceMs?: number;
  /** Increases with every change of the listed items. */
  readonly revision: number;
  /** The step that `now` had reached when it got its revision: the list is reported as of this step. */
  readonly asOfMs: number;
}

const ROLL_MS = 2_000;

/** Stages of a list are ordered. */
const stageOf = (
  ranking: TrendingRanking,
  { startMs, asOfMs }: { readonly startMs: number; readonly asOfMs: number },
): number => (ranking === 'velocity' ? asOfMs : startMs);

/** With the list of one more instance, for the same window. */
export const withList = (
  lists: InstanceLists | undefined,
  { startMs, asOfMs, origin, list }: Omit<InstanceList, 'ranking'>,
): InstanceLists => ({
  startMs,
  asOfMs: Math.max(asOfMs, lists?.asOfMs ?? -Infinity),
  origins: { ...lists?.origins, [origin]: list },
});

/** The state after a list of an instance; `tickMs`: the latest tick; `forgotten`: the revision of lists that do not exist. */
export function afterList(
  state: TrendingState | undefined,
  said: InstanceList,
  tickMs: number,
  forgotten: number,
): TrendingState | undefined {
  if (state === undefined) {
    if (said.list.length === 0) return undefined;
    const { asOfMs } = said;
    return { now: withList(undefined, said), revision: revisionAfter(forgotten, tickMs), asOfMs };
  }
  const { now, next } = state;
  const [stage, of] = [stageOf(said.ranking, said), (other: InstanceLists) => stageOf(said.ranking, other)];
  if (stage === of(now)) return listing(state, withList(now, said), tickMs);
  if (stage < of(next ?? now)) return state;
  const rolling = withList(next !== undefined && of(next) === stage ? next : undefined, said);
  const isComplete = Object.entries(now.origins).every(
    ([o, items]) => items.length === 0 || Number(o) in rolling.origins,
  );
  if (!isComplete) return { ...state, next: rolling };
  return rolled(state, rolling, tickMs);
}

/** The state after a tick. */
export function afterTick(state: TrendingState, tickMs: number): TrendingState {
  const { next, nextSinceMs } = state;
  if (next === undefined) return state;
  if (nextSinceMs === undefined) return { ...state, nextSinceMs: tickMs };
  return tickMs < nextSinceMs + ROLL_MS ? state : rolled(state, next, tickMs);
}

const rolled = (state: TrendingState, now: InstanceLists, tickMs: number): TrendingState => ({
  now,
  revision: revisionAfter(state.revision, tickMs),
  asOfMs: now.asOfMs,
});

/** An equal list keeps its revision. */
function listing(state: TrendingState, now: InstanceLists, tickMs: number): TrendingState {
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

/** It is empty, and no instance has begun a newer stage. */
export const isOver = ({ now, next }: TrendingState): boolean => next === undefined && listOf(now).length === 0;

const compareEntries = (a: TrendingEntry, b: TrendingEntry): number =>
  b.value - a.value || compareItems(a.item, b.item);

const merged = new WeakMap<InstanceLists, readonly TrendingEntry[]>();

/** All origins as one list. */
export function listOf(said: InstanceLists): readonly TrendingEntry[] {
  const known = merged.get(said);
  if (known !== undefined) return known;
  const list: TrendingEntry[] = [];
  for (const entry of mergeSorted(Object.values(said.origins), compareEntries)) {
    if (list.length === LIST_MAX) break;
    list.push(entry);
  }
  merged.set(said, list);
  return list;
}

/** For another number of instances, as far as it is known; new instances publish their complete lists when they start. */
export function splitTrending(
  { now, revision, asOfMs }: TrendingState,
  { item: origins }: PartitionCounts,
): TrendingState {
  const byOrigin: Record<number, TrendingEntry[]> = {};
  for (const entry of listOf(now)) (byOrigin[partitionOf(entry.item, origins)] ??= []).push(entry);
  return { now: { ...now, origins: byOrigin }, revision, asOfMs };
}
