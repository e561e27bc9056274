/** The frame types that flow between the stages. Symbols are in actors/README.md. */
import { frameType } from '../runtime/contract/stage.js';

/** What a user did with an item; but for the last: an item was shown to the user, in a list. */
export const EVENT_TYPES = ['view', 'cart', 'purchase', 'remove_from_cart', 'click', 'rating', 'impression'] as const;
export type EventType = (typeof EVENT_TYPES)[number];
/** What may say something of the user's interests. */
export type InteractionType = Exclude<EventType, 'impression'>;

export const codeOfType = (type: EventType): number => EVENT_TYPES.indexOf(type);

/** Codes of the `type` columns. */
export const VIEW = 0;
export const CART = 1;
export const PURCHASE = 2;
export const IMPRESSION = 6;

/** A valid event. `time` is event time, epoch ms; `price` and `rating` are NaN when absent. */
export const events = frameType('event', {
  time: 'f64',
  type: 'u8',
  user: 'text',
  item: 'text',
  category: 'text',
  brand: 'text',
  price: 'f64',
  rating: 'f64',
});

/**
 * Events from parse to watermark. `storedAt`: when the log stored an event whose event time is later than that, epoch ms; absent for other events, and
 * for those from the files of a bounded job. `past` 1: of the past, which counts with its own time and moves no watermark. `position`: of an impression, the place
 * of the item in the list, from 1; `arm` that of an experiment. Absent for other events.
 */
export const parsedEvents = frameType('event', {
  ...events.columns,
  storedAt: 'f64',
  past: 'u8',
  position: 'f64',
  arm: 'text',
});

/**
 * What the history has of an event beside the columns of `events`: the other fields, and its position: the stream sequence of its message, its number
 * among the accepted events of that message, and when the log stored it, epoch ms.
 */
export const eventDetails = frameType('event-details', {
  eventId: 'text',
  session: 'text',
  pageUrl: 'text',
  deviceType: 'text',
  clickType: 'text',
  referrer: 'text',
  reviewText: 'text',
  /** Of an impression: which model made the list. */
  model: 'text',
  sequence: 'f64',
  index: 'u32',
  receivedAt: 'f64',
});

/**
 * An accepted event with all its fields. `duplicate` 1: its id was known, so that it counts nowhere; its fields show what it would have changed. `past`,
 * `position` and `arm` as in `parsedEvents`.
 */
export const historyRows = frameType('history-row', {
  ...events.columns,
  ...eventDetails.columns,
  duplicate: 'u8',
  past: 'u8',
  position: 'f64',
  arm: 'text',
});

/** The key by which events are counted in a window. */
export const rowKey = {
  user: 'text',
  item: 'text',
  type: 'u8',
  category: 'text',
  brand: 'text',
  price: 'f64',
} as const;

/**
 * A row of a window: events counted by (window, user, item, type, category, brand, price). Window bounds and `time` (the latest event time among those
 * added) in epoch ms; `added` is what this emission adds; `count` what the window has so far, where the stage stores that (see window).
 */
export const windowRows = frameType('window-row', {
  windowStart: 'f64',
  windowEnd: 'f64',
  ...rowKey,
  count: 'u32',
  added: 'u32',
  time: 'f64',
});

/** A user's top main categories, strongest first (`rank` from 1); a user with none has one row with an absent category. */
export const interests = frameType('interest', { user: 'text', category: 'text', interest: 'f64', rank: 'u8' });

/** A user's interactions with an item: window rows, and those of type view, cart and purchase; `time`: the latest of this report, epoch ms. */
export const interactions = frameType('interaction', {
  user: 'text',
  item: 'text',
  count: 'u32',
  views: 'u32',
  carts: 'u32',
  purchases: 'u32',
  time: 'f64',
});

/** A row of a popularity table. `price` is the average over purchases; `time` is when the table was loaded, epoch ms, absent in a bounded job. */
export const popularItems = frameType('popular-item', {
  item: 'text',
  purchases: 'f64',
  category: 'text',
  brand: 'text',
  price: 'f64',
  time: 'f64',
});

/**
 * Top lists of one popularity instance (`origin`), each complete, best first. An absent category is the list over all categories; a row with an absent
 * item means that the list of that category is empty now.
 */
export const topLists = frameType('top-list', {
  category: 'text',
  origin: 'u32',
  item: 'text',
  popularity: 'f64',
  /** The category of the list; in the list over all the first main category of the item. */
  itemCategory: 'text',
  /** Its brand, and its average price; NaN when no event had one. */
  brand: 'text',
  price: 'f64',
});

/**
 * A catalogue entry: complete, it replaces the old one; or `deleted` 1, which removes it. `price` is NaN when absent, `updatedAt` is when it was
 * stored, epoch ms; several categories, and several tags, have `|` between them.
 */
export const catalogueItems = frameType('catalogue-item', {
  item: 'text',
  title: 'text',
  category: 'text',
  brand: 'text',
  price: 'f64',
  updatedAt: 'f64',
  deleted: 'u8',
  tags: 'text',
});

/** Items of events that the catalogue does not have: how many events since the last report, and the latest event time among them. */
export const unknownItems = frameType('unknown-item', { item: 'text', events: 'u32', time: 'f64' });

/** The part of an event that popularity and trending need. `storedAt` as in `parsedEvents`. */
export const engagements = frameType('engagement', {
  time: 'f64',
  type: 'u8',
  item: 'text',
  category: 'text',
  brand: 'text',
  price: 'f64',
  rating: 'f64',
  storedAt: 'f64',
});

/** The part of an event that ranking learns from, of a sample of users. `past`, `position` and `arm` as in `parsedEvents`. */
export const sampledEvents = frameType('sampled-event', {
  time: 'f64',
  type: 'u8',
  user: 'text',
  item: 'text',
  category: 'text',
  brand: 'text',
  price: 'f64',
  past: 'u8',
  position: 'f64',
  arm: 'text',
});

/**
 * Vectors of items, as a training has found them: little-endian floats in base64. `trainedAt` epoch ms; `alpha` and `regularisation` as in maths/als/options.
 * `last` 1: nothing follows of this training; this row has Xᵀ X of its users, as `vector` has numbers.
 */
export const itemFactors = frameType('item-factors', {
  item: 'text',
  vector: 'text',
  trainedAt: 'f64',
  alpha: 'f64',
  regularisation: 'f64',
  userGram: 'text',
  last: 'u8',
});

/** Windows that close; `last-hour` moves with every step instead. */
export const CLOSING_WINDOWS = ['hour', 'day'] as const;
export type ClosingWindow = (typeof CLOSING_WINDOWS)[number];
export const TRENDING_WINDOWS = [...CLOSING_WINDOWS, 'last-hour'] as const;
export type TrendingWindow = (typeof TRENDING_WINDOWS)[number];
export const TRENDING_RANKINGS = ['score', 'velocity', 'decayed'] as const;
export type TrendingRanking = (typeof TRENDING_RANKINGS)[number];

/**
 * Trending lists of one trending instance (`origin`), each complete, best first: of a window [start, end), epoch ms, by a ranking (codes of the lists
 * above). An absent category is the list over all; a row with an absent item means that the list is empty. `value` is what the list is ordered by;
 * `score` that of the window, `before` that of the previous window; `asOf` the step as of which it was published (maths/trending).
 */
export const trendingTops = frameType('trending-top', {
  window: 'u8',
  ranking: 'u8',
  start: 'f64',
  asOf: 'f64',
  category: 'text',
  origin: 'u32',
  item: 'text',
  itemCategory: 'text',
  views: 'u32',
  clicks: 'u32',
  value: 'f64',
  score: 'f64',
  before: 'f64',
});

/** The final list of a window, over all items, in rank order. `start` epoch ms. */
const trendingRow = {
  start: 'f64',
  item: 'text',
  views: 'u32',
  clicks: 'u32',
  score: 'f64',
  rank: 'u8',
} as const;
export const trendingHours = frameType('trending-hour', trendingRow);
export const trendingDays = frameType('trending-day', trendingRow);

/** What decides the order of a list. */
export const STRATEGIES = [
  'hybrid',
  'category-popularity',
  'co-visitation',
  'als',
  'als-trending',
  'trending',
] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** How much of an item's place in a list comes from a source, or from a feature that is none (`category-fit`). */
export interface Contribution {
  readonly source: string;
  /** In (0, 1]. */
  readonly share: number;
}

export const STREAMING_CATEGORY_POPULARITY = 0;
export const STREAMING_POPULAR_FALLBACK = 1;
export const STREAMING_HYBRID = 2;
export const STREAMING_CO_VISITATION = 3;
export const STREAMING_TRENDING = 4;
export const STREAMING_ALS = 5;
export const STREAMING_ALS_TRENDING = 6;
/** Codes of `ranked.kind`, with their names in the API. */
export const RECOMMENDATION_TYPES = [
  'streaming_category_popularity',
  'streaming_popular_fallback',
  'streaming_hybrid',
  'streaming_co_visitation',
  'streaming_trending',
  'streaming_als',
  'streaming_als_trending',
] as const;

/**
 * Users' lists, each complete and in rank order (`rank` from 1). A row with an absent item (rank 0) is a user whose list is empty. `interest` is the
 * user's factor of the score, and `interestRank` its rank among the user's interests (from 1), both for explanations; NaN and 0 on fallback rows
 * and on the row of an empty list.
 */
export const ranked = frameType('ranked', {
  user: 'text',
  item: 'text',
  category: 'text',
  score: 'f64',
  interest: 'f64',
  interestRank: 'u8',
  rank: 'u8',
  kind: 'u8',
});

/** Score of every item that is recommended only for its popularity. */
export const FALLBACK_SCORE = 0.1;

/** The most items in any list. */
export const LIST_MAX = 100;
