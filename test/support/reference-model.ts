/**
 * reference-model: the main job as a plain batch computation, the oracle that the pipeline is compared with.
 *
 * Written from design.md §4 alone; it optimises nothing and knows no frames, partitions or restarts. Epochs of events
 * go in, every row that the job must write comes out. Windows are tumbling, of 5 minutes, without allowed lateness; delay is 10 minutes.
 *
 *   W(n)        = max time of the events of epochs < n, minus delay             the watermark known at the start of epoch n
 *   late(e,n)   ⇔ window(e).end ≤ W(n − 1)                                      judged before anything of epoch n is counted
 *   update(n)   = the rows that an event of epoch n touched, with their counts so far
 *   I(u,c)      = number of update(n) rows of user u with main category c       score(u,i) = I(u,c) · N(i) / 100
 *
 * R1  No event has been seen at the start of epoch 0, so W(0) = −∞; an epoch without events leaves W as it is, but still ends.
 * R2  W(n) closes windows at the *end* of epoch n: the events of epoch n + 1 are the first that W(n) can make late. A row of a window that
 *     closes at the end of epoch n is in update(n) if epoch n touched it.
 * R3  The key of a row is (window, user, item, type, category, brand, price). An absent field is a value like any other, and the empty
 *     string is absent.
 */
import { windowOracle } from './window-oracle.js';

const CATEGORIES_PER_USER_MAX = 3;
const WINDOW_MS = 300_000;
const DELAY_MS = 600_000;
const LIST_ITEMS_MAX = 10;
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

export interface ReferenceOptions {
  /** One row per item; default none. */
  readonly popularity?: readonly ReferencePopularityRow[];
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
  /** update(n) of each epoch. */
  readonly windowRows: readonly (readonly ReferenceWindowRow[])[];
}

/** Runs the job over all epochs; the order of rows within an epoch means nothing. */
export function referenceModel(
  epochs: readonly (readonly ReferenceEvent[])[],
  options: ReferenceOptions = {},
): ReferenceResult {
  const windows = windowRows(epochs);
  const popularity = placed(options.popularity ?? []);
  return {
    ...windows,
    recommendations: windows.windowRows.flatMap((rows, epoch) => recommend(epoch, rows, popularity)),
    userInteractions: windows.windowRows.flatMap((rows, epoch) => countInteractions(epoch, rows)),
  };
}

// --- watermark, lateness and windows ---

function windowRows(epochs: readonly (readonly ReferenceEvent[])[]): Pick<ReferenceResult, 'late' | 'windowRows'> {
  let watermarkMs = -Infinity; // W(n)
  const known = epochs.map((events) => {
    const epoch = { events: events.map(withoutEmpty), watermarkMs };
    for (const { time } of events) watermarkMs = Math.max(watermarkMs, time - DELAY_MS);
    return epoch;
  });
  const kind = { kind: 'fixed', sizeMs: WINDOW_MS, slideMs: WINDOW_MS } as const;
  const answers = windowOracle(known, { kind, latenessMs: 0, keyOf: rowKey });
  return {
    late: answers.flatMap(({ late }, epoch) => late.map((event) => ({ epoch, ...event }))),
    windowRows: answers.map(({ update }, epoch) =>
      update.map(({ event: { time: _, ...key }, start, end, count }) => ({
        ...{ epoch, windowStart: start, windowEnd: end },
        ...{ ...key, count },
      })),
    ),
  };
}

const rowKey = ({ user, item, type, category, brand, price }: ReferenceEvent): string =>
  JSON.stringify([user, item, type, category ?? null, brand ?? null, price === undefined ? null : String(price)]);

/** The same record without fields that are undefined or the empty string. */
function withoutEmpty<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined && value !== '')) as T;
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
      .slice(0, LIST_ITEMS_MAX);
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
