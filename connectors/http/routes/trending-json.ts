/** Trending lists as JSON: complete for a request, and as Server-Sent Events for a subscriber. */
import type { TrendingEntry, TrendingList, TrendingQuery } from '../../facade/ports.js';
import { differenceOf, type TrendingEncoder } from '../../facade/trending/feed.js';
import { timeOf } from './fields.js';

/** Their names in the API. */
export const WINDOWS = { '1h': 'hour', '24h': 'day', 'last-hour': 'last-hour' } as const;
const NAMES = { hour: '1h', day: '24h', 'last-hour': 'last-hour' } as const;

/** The first items of a list, with its query. */
export function listJson(
  { window, ranking, category }: TrendingQuery,
  list: TrendingList,
  limit: number,
  isStale = false,
): string {
  const items = list.items.slice(0, limit);
  return JSON.stringify({
    ...{ window: NAMES[window], ranking, category },
    ...headOf(list),
    ...(isStale ? { stale: true } : {}),
    ...spanOf(list),
    count: items.length,
    items: items.map((_, i) => shown(items, i)),
  });
}

const headOf = ({ revision, asOfMs }: TrendingList): object => ({ revision, as_of: timeOf(asOfMs) });

const spanOf = ({ window }: TrendingList): object => ({
  window_start: timeOf(window?.startMs),
  window_end: timeOf(window?.endMs),
});

function shown(items: readonly TrendingEntry[], at: number): object {
  const { itemId, title, category, brand, price, score, views, clicks, velocity } = items[at]!;
  return { rank: at + 1, item_id: itemId, title, category, brand, price, score, views, clicks, velocity };
}

/** `id` is what a client sends as Last-Event-ID when it reconnects. */
const event = (name: string, { revision }: TrendingList, data: object): Buffer =>
  Buffer.from(`event: ${name}\nid: ${revision}\ndata: ${JSON.stringify(data)}\n\n`);

export const TRENDING_EVENTS: TrendingEncoder = {
  snapshot: (state) =>
    event('snapshot', state, {
      ...headOf(state),
      ...spanOf(state),
      items: state.items.map((_, i) => shown(state.items, i)),
    }),
  delta: (from, to) => {
    const { entered, moved, left } = differenceOf(from, to);
    const shownAt = (i: number): object => shown(to.items, i);
    return event('delta', to, {
      ...headOf(to),
      from_revision: from.revision,
      ...spanOf(to),
      entered: entered.map(shownAt),
      moved: moved.map(shownAt),
      left,
    });
  },
  heartbeat: (state) => event('heartbeat', state, headOf(state)),
};
