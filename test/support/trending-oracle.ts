/** Trending as a batch job would do it: every event into every window that it is part of and that is open, then sort. */
import { EVENT_TYPES, type EventType } from '../../actors/model.js';

export interface Engagement {
  readonly time: number;
  readonly type: string;
  readonly item: string;
  readonly category?: string | undefined;
}

/** As trending takes it in. */
export const rowOf = ({ time, type, item, category }: Engagement) => ({
  ...{ time, type: EVENT_TYPES.indexOf(type as EventType), item },
  ...(category === undefined ? {} : { category }),
});

export interface OracleRow {
  readonly start: number;
  readonly end: number;
  readonly item: string;
  readonly views: number;
  readonly clicks: number;
  readonly score: number;
  readonly rank: number;
}

export const HOUR = 3_600_000;
const KINDS = {
  hour: { size: HOUR, delay: 2 * HOUR },
  day: { size: 24 * HOUR, delay: 26 * HOUR },
} as const;
export type Kind = keyof typeof KINDS;

const isView = ({ type }: Engagement): boolean => type === 'view';
const isClick = ({ type }: Engagement): boolean => ['click', 'cart', 'purchase'].includes(type);

/** Numbers by value; the tests give either numbers alone or words alone. */
const byItem = (a: string, b: string): number =>
  /^\d+$/.test(a) && /^\d+$/.test(b) ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;

/** The best of some events, ranked. */
export function ranked(events: readonly Engagement[], start: number, end: number, size = 100): OracleRow[] {
  const counts = new Map<string, { views: number; clicks: number }>();
  for (const event of events) {
    if (!isView(event) && !isClick(event)) continue;
    const count = counts.get(event.item) ?? { views: 0, clicks: 0 };
    if (isView(event)) count.views++;
    else count.clicks++;
    counts.set(event.item, count);
  }
  return [...counts]
    .map(([item, { views, clicks }]) => ({ start, end, item, views, clicks, score: views + 2 * clicks }))
    .sort((a, b) => b.score - a.score || byItem(a.item, b.item))
    .slice(0, size)
    .map((row, i) => ({ ...row, rank: i + 1 }));
}

/** Windows that an event is part of, by where they begin. */
const startsOf = (time: number, kind: Kind): number[] => {
  const pane = Math.floor(time / HOUR) * HOUR;
  const count = KINDS[kind].size / HOUR;
  return Array.from({ length: count }, (_, i) => pane - i * HOUR);
};

/**
 * Every window with its list. An event of epoch n counts in a window unless that was closed by the latest event of the epochs before the one
 * before n: W moves at the end of an epoch, and closes at the end of the next.
 */
export function trendingOracle(epochs: readonly (readonly Engagement[])[], kind: Kind, size = 100): OracleRow[] {
  const { size: length, delay } = KINDS[kind];
  const windows = new Map<number, Engagement[]>();
  let [known, closedUpTo] = [-Infinity, -Infinity];
  for (const events of epochs) {
    for (const event of events) {
      for (const start of startsOf(event.time, kind)) {
        if (start + length + delay <= closedUpTo) continue;
        const inside = windows.get(start) ?? [];
        windows.set(start, inside);
        inside.push(event);
      }
    }
    // The W of this epoch's start closes at its end.
    closedUpTo = Math.max(closedUpTo, known);
    known = Math.max(known, ...events.map(({ time }) => time));
  }
  return [...windows]
    .sort(([a], [b]) => a - b)
    .flatMap(([start, events]) => ranked(events, start, start + length, size));
}
