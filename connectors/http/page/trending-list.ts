/**
 * The trending list in the page: the state received by the stream, and the history of each item since the page was opened.
 *
 *   movement(i) = rank(i) a minute ago − rank(i) now       up is positive; `new` when it was not in the list then
 */
import type { TrendingDelta, TrendingItem, TrendingSnapshot } from './answers.js';

/** Points of a sparkline. Beyond that every second one is dropped: the line always covers the full time. */
export const POINTS_MAX = 80;
const POINT_EVERY_MS = 1_000;
const MOVEMENT_OVER_MS = 60_000;
/** Ranks of an item, one per change, within MOVEMENT_OVER_MS. */
const RANKS_MAX = 64;

export type ScorePoint = { readonly atMs: number; readonly score: number };

export type FollowedItem = TrendingItem & {
  readonly points: readonly ScorePoint[];
  readonly movement: number | 'new';
};

type Past = {
  points: ScorePoint[];
  everyMs: number;
  ranks: { readonly atMs: number; readonly rank: number }[];
  readonly since: number;
};

export class TrendingHistory {
  private revision: number | undefined;
  private items = new Map<string, TrendingItem>();
  private pasts = new Map<string, Past>();
  /** The time of the first list: its items are not new. */
  private openedAtMs: number | undefined;
  asOf: string | undefined;
  /** Start of the window. */
  since: string | undefined;

  takeSnapshot(snapshot: TrendingSnapshot, atMs: number): void {
    this.openedAtMs ??= atMs;
    this.items = new Map(snapshot.items.map((item) => [item.item_id, item]));
    this.since = snapshot.window_start;
    this.revision = snapshot.revision;
    this.note(snapshot.as_of, snapshot.items, atMs);
  }

  /** Throws when the delta does not belong to this list. */
  takeDelta(delta: TrendingDelta, atMs: number): void {
    if (delta.from_revision !== this.revision) throw new Error('A change of the list is missing.');
    for (const id of delta.left ?? []) this.items.delete(id);
    const changed = [...(delta.entered ?? []), ...(delta.moved ?? [])];
    // Each item is complete: a missing field (its title) has been removed.
    for (const item of changed) this.items.set(item.item_id, item);
    this.revision = delta.revision;
    this.since = delta.window_start;
    this.note(delta.as_of, changed, atMs);
  }

  takeAsOf(asOf: string | undefined): void {
    this.asOf = asOf ?? this.asOf;
  }

  /** By rank. */
  list(nowMs: number): FollowedItem[] {
    return [...this.items.values()]
      .sort((a, b) => a.rank - b.rank)
      .map((item) => {
        const past = this.pasts.get(item.item_id)!;
        const now = { atMs: nowMs, score: item.score };
        return { ...item, points: [...past.points, now], movement: this.movementOf(item, past, nowMs) };
      });
  }

  private note(asOf: string | undefined, changed: readonly TrendingItem[], atMs: number): void {
    this.takeAsOf(asOf);
    for (const { item_id: id, rank, score } of changed) {
      const past = this.pasts.get(id) ?? { points: [], everyMs: POINT_EVERY_MS, ranks: [], since: atMs };
      this.pasts.set(id, past);
      addPoint(past, { atMs, score });
      if (past.ranks.at(-1)?.rank !== rank) past.ranks.push({ atMs, rank });
      if (past.ranks.length > RANKS_MAX) past.ranks.splice(0, past.ranks.length - RANKS_MAX);
    }
    // Bounded by the list: the history of an item that leaves it is dropped.
    for (const id of this.pasts.keys()) if (!this.items.has(id)) this.pasts.delete(id);
  }

  private movementOf(item: TrendingItem, past: Past, nowMs: number): number | 'new' {
    const from = nowMs - MOVEMENT_OVER_MS;
    if (past.since > from && past.since !== this.openedAtMs) return 'new';
    const then = past.ranks.findLast(({ atMs }) => atMs <= from) ?? past.ranks[0]!;
    return then.rank - item.rank;
  }
}

function addPoint(past: Past, point: ScorePoint): void {
  const last = past.points.at(-1);
  if (last !== undefined && point.atMs - last.atMs < past.everyMs) return;
  past.points.push(point);
  if (past.points.length <= POINTS_MAX) return;
  past.points = past.points.filter((_, i) => i % 2 === 0);
  past.everyMs *= 2;
}
