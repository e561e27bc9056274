/**
 * reference-model: the main job as a plain batch computation, the oracle that the pipeline is compared with.
 *
 * Written from design.md §4 alone; it optimises nothing and knows no frames, partitions or restarts. Epochs of events
 * go in, every row that the job must write comes out.
 *
 *   W(n)        = max time of the events of epochs < n, minus delay             the watermark known at the start of epoch n
 *   closed(w,n) ⇔ w.end + lateness ≤ W(n − 1)                                   the ends of epochs < n have closed window w
 *   late(e,n)   ⇔ every window of e is closed(·, n)                             judged before anything of epoch n is counted
 *   update(n)   = the rows that an event of epoch n touched, with their counts so far
 *   append(n)   = the open rows whose window has end + lateness ≤ W(n), once and for ever
 *   I(u,c)      = number of update(n) rows of user u with main category c       score(u,i) = I(u,c) · N(i) / 100
 *
 * R1  No event has been seen at the start of epoch 0, so W(0) = −∞; an epoch without events leaves W as it is, but still ends.
 * R2  W(n) closes windows at the *end* of epoch n: the events of epoch n + 1 are the first that W(n) can make late.
 * R3  A row of a window that closes at the end of epoch n is in update(n) if epoch n touched it, and in append(n) with the same count.
 * R4  The key of a row is (window, user, item, type, category, brand, price). An absent field is a value like any other, and the empty
 *     string is absent.
 * R5  Hopping: an event counts in those of its windows that are open, and is late only if none is.
 * R6  Session: an event opens [time, time + gap) and is late iff *that* is closed, whatever it might have merged with, which keeps
 *     lateness independent of order. Sessions of one key merge while events are closer than gap; the merged count is one row,
 *     and the rows that it replaces are gone without a row of their own. A closed session merges no more. Events exactly gap apart stay
 *     two sessions, as [start, end) says; Spark and Flink would merge them (the only difference that runs against Spark showed).
 */

import { referenceWindows, withoutEmpty } from './reference-windows.js';

const CATEGORIES_PER_USER_MAX = 3;
const FALLBACK_ITEMS = 10;
const FALLBACK_SCORE = 0.1;

export interface ReferenceEvent {
  /** Event time, milliseconds since 1970. */
  readonly time: number;
  readonly type: string;
  readonly user: string;
  readonly item: string;
  readonly category?: string;
  readonly brand?: string;
  readonly price?: number;
}

export interface ReferencePopularityRow {
  readonly item: string;
  readonly totalPurchases: number;
  readonly mainCategory?: string;
}

export type ReferenceWindowKind = 'tumbling' | { readonly hopping: number } | { readonly session: number };

export interface ReferenceOptions {
  /** Length of tumbling and hopping windows; default 5 min. */
  readonly windowMs?: number;
  /** How far the watermark stays behind the newest event; default 10 min. */
  readonly delayMs?: number;
  /** How much longer than its end a window stays open; default 0. */
  readonly allowedLatenessMs?: number;
  /** Length of a user's list; default 10. The fallback list is the global top 10 whatever this says. */
  readonly topN?: number;
  /** One row per item; default none. */
  readonly popularity?: readonly ReferencePopularityRow[];
  /** Default tumbling. `hopping` is the slide (≤ windowMs), `session` the gap. */
  readonly windowKind?: ReferenceWindowKind;
}

/** A count of equal events in one window; absent fields are absent from the row. */
export interface ReferenceWindowRow {
  readonly epoch: number;
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly user: string;
  readonly item: string;
  readonly type: string;
  readonly category?: string;
  readonly brand?: string;
  readonly price?: number;
  readonly count: number;
}

export interface ReferenceRecommendation {
  readonly epoch: number;
  readonly user: string;
  readonly item: string;
  readonly score: number;
  /** The item's own main category; absent only in fallback rows of items that have none. */
  readonly mainCategory?: string;
  /** From 1. */
  readonly rank: number;
  readonly type: 'streaming_category_popularity' | 'streaming_popular_fallback';
}

export interface ReferenceUserInteraction {
  readonly epoch: number;
  readonly user: string;
  readonly item: string;
  /** Rows, not events; so are the three below. */
  readonly interactionCount: number;
  readonly views: number;
  readonly carts: number;
  readonly purchases: number;
}

export interface ReferenceLateEvent extends ReferenceEvent {
  readonly epoch: number;
}

export interface ReferenceResult {
  readonly recommendations: readonly ReferenceRecommendation[];
  readonly userInteractions: readonly ReferenceUserInteraction[];
  readonly late: readonly ReferenceLateEvent[];
  /** Index = epoch. */
  readonly windowRows: readonly {
    readonly update: readonly ReferenceWindowRow[];
    readonly append: readonly ReferenceWindowRow[];
  }[];
}

/** Runs the job over all epochs; the order of rows within an epoch means nothing. */
export function referenceModel(
  epochs: readonly (readonly ReferenceEvent[])[],
  options: ReferenceOptions = {},
): ReferenceResult {
  const windows = referenceWindows(epochs, options);
  const popularity = placed(options.popularity ?? []);
  const updates = windows.windowRows.map(({ update }) => update);
  return {
    ...windows,
    recommendations: updates.flatMap((rows, epoch) => recommend(epoch, rows, popularity, options.topN ?? 10)),
    userInteractions: updates.flatMap((rows, epoch) => countInteractions(epoch, rows)),
  };
}

// --- interests, join, fallback, interactions ---

/** A row of the popularity table with its place in the order that breaks ties. */
interface PopularItem extends ReferencePopularityRow {
  readonly place: number;
}

function recommend(
  epoch: number,
  rows: readonly ReferenceWindowRow[],
  popularity: readonly PopularItem[],
  topN: number,
): ReferenceRecommendation[] {
  const bought = popularity.filter((row) => row.totalPurchases > 0 && row.mainCategory !== undefined);
  const boughtByCategory = groupBy(bought, (row) => row.mainCategory!);
  const globalTop = [...popularity]
    .sort((a, b) => b.totalPurchases - a.totalPurchases || a.place - b.place)
    .slice(0, FALLBACK_ITEMS);

  return [...groupBy(rows, (row) => row.user)].flatMap(([user, userRows]) => {
    const list = topCategories(userRows)
      .flatMap(({ category, interest }) =>
        (boughtByCategory.get(category) ?? []).map((row) => ({ ...row, score: (interest * row.totalPurchases) / 100 })),
      )
      .sort((a, b) => b.score - a.score || a.place - b.place)
      .slice(0, topN);
    const type = list.length > 0 ? 'streaming_category_popularity' : 'streaming_popular_fallback';
    const ranked = list.length > 0 ? list : globalTop.map((row) => ({ ...row, score: FALLBACK_SCORE }));
    return ranked.map(({ item, mainCategory, score }, index) =>
      withoutEmpty({ epoch, user, item, score, mainCategory, rank: index + 1, type } as ReferenceRecommendation),
    );
  });
}

/** What one user is most interested in, from the user's rows of one epoch. */
function topCategories(rows: readonly ReferenceWindowRow[]): { category: string; interest: number }[] {
  const withCategory = rows.filter((row) => row.category !== undefined);
  return [...groupBy(withCategory, (row) => mainCategoryOf(row.category!))]
    .map(([category, categoryRows]) => ({ category, interest: categoryRows.length }))
    .sort((a, b) => b.interest - a.interest || compareText(a.category, b.category))
    .slice(0, CATEGORIES_PER_USER_MAX);
}

function countInteractions(epoch: number, rows: readonly ReferenceWindowRow[]): ReferenceUserInteraction[] {
  return [...groupBy(rows, (row) => JSON.stringify([row.user, row.item])).values()].map((group) => ({
    epoch,
    user: group[0]!.user,
    item: group[0]!.item,
    interactionCount: group.length,
    views: group.filter((row) => row.type === 'view').length,
    carts: group.filter((row) => row.type === 'cart').length,
    purchases: group.filter((row) => row.type === 'purchase').length,
  }));
}

/** The text before the first dot. */
function mainCategoryOf(category: string): string {
  return category.split('.')[0]!;
}

/** The table by item: numeric when every item is an integer, else by text. Its index is an item's place. */
function placed(popularity: readonly ReferencePopularityRow[]): PopularItem[] {
  const numeric = popularity.every(({ item }) => /^-?\d+$/.test(item));
  const byNumber = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
  return popularity
    .map(withoutEmpty)
    .sort((a, b) => (numeric && byNumber(BigInt(a.item), BigInt(b.item))) || compareText(a.item, b.item))
    .map((row, place) => ({ ...row, place }));
}

// --- plain helpers ---

/** By UTF-8 bytes, as Spark and LevelDB order text. */
function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
