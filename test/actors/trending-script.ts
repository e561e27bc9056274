/** Steps of trending, and what it said of them as text that can be worked by hand. */
import { EVENT_TYPES, type EventType } from '../../actors/model.js';
import { trending, type TrendingOptions } from '../../actors/trending.js';
import { HOUR } from '../support/trending-oracle.js';
import { rowsSaid, type Saying, type Step } from './script.js';

export const MINUTE = 60_000;
/** An event `at` minutes after midnight. */
export const did = (type: EventType, item: string, at: number, category?: string) => ({
  ...{ time: at * MINUTE, type: EVENT_TYPES.indexOf(type), item },
  ...(category === undefined ? {} : { category }),
});
export const feed = (...rows: object[]): Step => ({ feed: 'events', rows });
export const live = (more: TrendingOptions = {}) => trending({ published: 'live', delayMs: 10 * MINUTE, ...more });
export const closed = (more: TrendingOptions = {}) => trending({ published: 'closed', delayMs: 10 * MINUTE, ...more });
export const TICK: Step = { tick: 1 };

const WINDOWS = ['hour', 'day', 'last-hour'];
const RANKINGS = ['score', 'velocity', 'decayed'];
const hours = (ms: number): string => `${ms / HOUR}h`;

/** As `hour 0h score *: a 1v1c=3 …`; numbers rounded. */
export const listsOf = (said: readonly Saying[]): string[] => textsOf(said, ({ window }) => window !== 2, hours);
/** The same of the last hour: `last-hour 5m score *: …`. */
export const lastHoursOf = (said: readonly Saying[]): string[] =>
  textsOf(
    said,
    ({ window }) => window === 2,
    (ms) => `${ms / MINUTE}m`,
  );

/** The same of the windows that close, whose lists are over all. */
export const closedOf = (said: readonly Saying[]): string[] =>
  said.flatMap((saying) =>
    (['hour', 'day'] as const).flatMap((window) => {
      const lists = new Map<string, string[]>();
      for (const r of rowsSaid([saying], window === 'hour' ? 'hours' : 'days')) {
        const list = `${window} ${hours(Number(r['start']))}:`;
        lists.set(list, [...(lists.get(list) ?? []), `${r['item']} ${r['views']}v${r['clicks']}c=${r['score']}`]);
      }
      return [...lists].map(([list, items]) => [list, ...items].join(' '));
    }),
  );

function textsOf(
  said: readonly Saying[],
  isWanted: (row: { readonly window?: unknown }) => boolean,
  startOf: (ms: number) => string,
): string[] {
  const lists: [string, string[]][] = [];
  for (const r of rowsSaid(said, 'tops').filter(isWanted)) {
    const [window, ranking] = [WINDOWS[Number(r['window'])], RANKINGS[Number(r['ranking'])]];
    const list = `${window} ${startOf(Number(r['start']))} ${ranking} ${r['category'] ?? '*'}`;
    if (lists.at(-1)?.[0] !== list) lists.push([list, []]);
    if (r['item'] === undefined) continue;
    lists.at(-1)![1].push(`${r['item']} ${r['views']}v${r['clicks']}c=${Math.round(Number(r['value']) * 100) / 100}`);
  }
  return lists.map(([list, items]) => [`${list}:`, ...items].join(' '));
}
