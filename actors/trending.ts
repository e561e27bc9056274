/**
 * trending: the items with most views and clicks, in the clock hour, in the last hour and in a day.
 *
 *   score(i, w) = a · views(i, w) + b · clicks(i, w)            a = 1, b = 2; the event types that count as views and as clicks are an option
 *   list(w, c)  = the first n items with main category c (or of all) with score > 0, by score desc, then i asc (item-order)      n = 100
 *
 *   w is a full hour, a day that begins with one, or the last hour, which ends with a step of five minutes; see maths/trending for when one is
 *   closed, for velocity and for decay
 *
 *   live      at ticks, for the newest of each kind: the lists of categories with new events, complete, by each ranking; those of the last hour
 *             also when a step has begun; all of them when an hour has, and after a start with other options. Newest: the window that ends with
 *             the hour, or the step, of the latest known event. A tick is forwarded, before the lists, so that the stage that merges them
 *             can measure how long it has waited
 *   bounded   in one instance, at the end of an epoch, and of the input: the list over all of the hours and days that close there
 *
 * An event is late when every hour and day that contains it is closed. Any other counts, also in the last hour if it happened then, although W
 * is behind it.
 *
 * An item's main categories are those of its latest event (by event time, then by text) that had one; with several it is in the list of each. Memory is bounded by `itemsMax` per hour
 * and step (maths/heavy-hitters defines the error beyond it), the some fifty open hours, and the steps of two hours.
 *
 * State    a row per item; a row per item and hour (some 30 bytes) while a window with that hour is open; live, a row per item and step of the
 *          last two hours; a row per category (≤ 4,096) with whether its lists may have changed since they were published, and per combination of
 *          several (≤ 16,384); times; the options that lists were published with.
 * Restart  restored with the snapshot; sums over windows follow from the hours and are recomputed when first needed.
 */
import { map, merge, mergeMap } from 'rxjs';
import { frameOf, input, stage, value } from '../runtime/contract/stage.js';
import { instant } from './maths/instant.js';
import { nameTables } from './state/numbered-names.js';
import { itemTables, moveTrending, paneTables } from './state/trending-items.js';
import {
  codeOfType,
  EVENT_TYPES,
  engagements,
  type EventType,
  LIST_MAX,
  trendingDays,
  trendingHours,
  trendingTops,
  type TrendingRanking,
} from './model.js';
import { adoptOptions, closePanes, countEngagements } from './operators/count-engagements.js';
import { A_CLICK, A_VIEW, type CountOptions, TrendCounts } from './state/trend-counts.js';
import type { Floors } from './state/counted-panes.js';
import { ClosingWindows } from './state/closing-windows.js';
import { TopItems } from './state/top-items.js';

export interface TrendingOptions {
  /** Event types that count as a view of the item, and as a click on it. */
  readonly views?: readonly EventType[];
  readonly clicks?: readonly EventType[];
  readonly viewWeight?: number;
  readonly clickWeight?: number;
  /** The rankings to publish; `score` is always among them. */
  readonly rankings?: readonly TrendingRanking[];
  /** For decayed scores. */
  readonly halfLifeMs?: number;
  /** Items counted per hour, per step and partition; beyond it the sketch begins. */
  readonly itemsMax?: number;
}

const ITEMS_MAX = 1_000_000;
const HALF_LIFE_MS = 6 * 3_600_000;

const VIEWS: readonly EventType[] = ['view'];
const CLICKS: readonly EventType[] = ['click', 'cart', 'purchase'];

/** By code of the event type. */
export function kindsOf({ views = VIEWS, clicks = CLICKS }: TrendingOptions): Uint8Array {
  const kinds = new Uint8Array(EVENT_TYPES.length);
  for (const type of views) kinds[codeOfType(type)] = A_VIEW;
  for (const type of clicks) kinds[codeOfType(type)] = A_CLICK;
  return kinds;
}

const lowest = (instants: readonly number[]): number => Math.min(...instants);
const highest = (instants: readonly number[]): number => Math.max(...instants);

const same = ([first = '', ...others]: readonly string[]): string =>
  others.every((other) => other === first) ? first : '';
const NO_TOPS = frameOf(trendingTops, []);

/** Items removed in an old partition may belong to any new one. */
function highestFloors(all: readonly Floors[]): Floors {
  const floors: Record<number, number> = {};
  for (const one of all) {
    for (const [pane, floor] of Object.entries(one)) floors[Number(pane)] = Math.max(floors[Number(pane)] ?? 0, floor);
  }
  return floors;
}

/** `said`: what is published, the newest lists at ticks or each window as it closes. `delayMs`: the distance of W from the latest event. */
export const trending = (
  options: TrendingOptions & { readonly published: 'live' | 'closed'; readonly delayMs: number },
) => {
  const { published, delayMs, rankings = [], itemsMax = ITEMS_MAX, viewWeight = 1, clickWeight = 2 } = options;
  const halfLifeMs = rankings.includes('decayed') ? (options.halfLifeMs ?? HALF_LIFE_MS) : undefined;
  const counted: CountOptions = {
    ...{ kinds: kindsOf(options), viewWeight, clickWeight, itemsMax, delayMs, halfLifeMs },
    withSteps: published === 'live',
  };
  const listing = {
    ...{ listSize: LIST_MAX, viewWeight, clickWeight, halfLifeMs },
    rankings: ['score' as const, ...rankings.filter((ranking) => ranking !== 'score')],
    rankedBy: JSON.stringify([viewWeight, clickWeight, rankings, halfLifeMs]),
  };
  return stage({
    id: 'trending',
    version: 1,
    key: published === 'live' ? 'item' : 'whole',
    inputs: { events: input(engagements) },
    outputs: { tops: trendingTops, hours: trendingHours, days: trendingDays },
    state: {
      items: itemTables(),
      names: nameTables(),
      panes: paneTables(),
      floors: value<Floors>(() => ({}), undefined, highestFloors),
      recentPanes: paneTables(),
      recentFloors: value<Floors>(() => ({}), undefined, highestFloors),
      // A window that is open in any partition stays open.
      closedUpTo: value(() => -Infinity, instant, lowest),
      asOf: value(() => -Infinity, instant, highest),
      leaving: value(
        () => false,
        undefined,
        (all) => all.includes(true),
      ),
      // The step as of which lists have been published.
      newest: value(() => -Infinity, instant, lowest),
      publishedBy: value(() => '', undefined, same),
    },
    repartition: moveTrending,
    pipeline: ({ inputs, epochEnds, ticks, inputEnd, state, out, partition }) => {
      const counts = new TrendCounts(state, counted);
      const counting = merge(adoptOptions(state, counts, listing), inputs.events.pipe(countEngagements(counts)));
      if (published === 'closed') {
        const windows = new ClosingWindows(state, counts, { listSize: LIST_MAX, viewWeight, clickWeight, delayMs });
        // After the last epoch the open windows are published as well.
        const closing = merge(
          epochEnds.pipe(map(({ watermarkMs }) => windows.close(watermarkMs))),
          inputEnd.pipe(map(() => windows.open())),
        );
        const rows = closing.pipe(
          mergeMap(({ hour, day }) => [
            ...hour.map((frame) => out.hours(frame)),
            ...day.map((frame) => out.days(frame)),
          ]),
        );
        return merge(counting, rows);
      }
      const tops = new TopItems(state, counts, { ...listing, origin: partition });
      const newest = ticks.pipe(
        mergeMap(({ timeMs }) => [
          out.tops(NO_TOPS, { tickMs: timeMs, everywhere: true }),
          ...tops.newest().map((frame) => out.tops(frame)),
        ]),
      );
      return merge(counting, epochEnds.pipe(closePanes(counts)), newest);
    },
  });
};
