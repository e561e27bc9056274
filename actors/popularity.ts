/**
 * popularity: how much each item is in demand, and which items of a category are most in demand.
 *
 *   N(i)   = B(i) · 2^(−(T − b) / h) + Σ over events e of i of w(e) · 2^(−(T − t(e)) / h)
 *   top(c) = the first n items with main category c by N desc, then i asc (item-order)    n = 100; only N > 0
 *   top    = the same over all items, with a category or without
 *
 *   w(e)   the weight of e's type, in purchases; of a rating only if it is at least `ratingMin`
 *   B(i)   total purchases of i in a popularity table, 0 without one; a later row of i replaces an earlier one      b  when the table was loaded
 *   h      half-life; with an infinite one and a weight for purchases alone, N is the classic number of purchases
 *   T      the latest event time, or b; all items fade alike, so the order of two items does not depend on it
 *
 * An item's main categories and brand are those of its latest event (by event time, then by text) that had one, until then those of its table row; its
 * price is the mean over its events with a price and the purchases of its table row. An item with several categories is in the list of each with the whole
 * of N, and once over all. A bounded job has the table alone, which does not fade and whose categories are used unchanged.
 *
 * Lists that changed are published whole: at epoch ends when `aligned`; else at ticks, and at once when nothing had changed at the last tick, or while hardly
 * any item is known: what changes now and then is seen at once, what changes all the time once a tick. With a half-life all are published again after each sixteenth of
 * it, so that what is compared has faded alike up to 4.5 %, and so they are after a restart with other weights or another half-life, which what was
 * counted before keeps.
 *
 * State    a row per item, all in memory (some 120 bytes and its id); a row per category (≤ 4,096) with whether its list has changed since
 *          it was last published. The items of further categories count, and are listed over all, as items without a category. A row per combination
 *          of several (≤ 16,384; an item of a further one has its first category only).
 * Restart  restored with the snapshot; the lists themselves follow from the items and are built again when first needed.
 */
import { filter, map, merge, mergeMap, type Observable } from 'rxjs';
import { input, stage, value } from '../runtime/contract/stage.js';
import { instant } from './maths/instant.js';
import type { PopularitySource } from './maths/engagement-weights.js';
import { engagements, LIST_MAX, popularItems, topLists } from './model.js';
import { itemTotals, moveItems } from './state/item-totals.js';
import { nameTables } from './state/numbered-names.js';
import { PopularItems } from './state/popular-items.js';

export interface PopularityOptions {
  readonly source: PopularitySource;
  /** Items per list. */
  readonly listSize?: number;
  /** Whether lists are published at epoch ends, so that rows do not depend on interleaving. */
  readonly aligned: boolean;
}

const same = ([first = '', ...others]: readonly string[]): string =>
  others.every((other) => other === first) ? first : '';
const highest = (instants: readonly number[]): number => Math.max(...instants);

export const popularity = ({ source, listSize = LIST_MAX, aligned }: PopularityOptions) =>
  stage({
    id: 'popularity',
    version: 1,
    key: 'item',
    inputs: { events: input(engagements), table: input(popularItems) },
    outputs: { lists: topLists },
    state: {
      items: itemTotals(),
      names: nameTables(),
      asOf: value(() => -Infinity, instant, highest),
      // When all lists were last published because they had faded, in event time; and with which options.
      faded: value(() => -Infinity, instant, highest),
      countedBy: value(() => '', undefined, same),
      // Whether no list had changed at the last tick.
      calm: value(
        () => false,
        undefined,
        (all: readonly boolean[]) => all.every(Boolean),
      ),
    },
    repartition: moveItems,
    pipeline: ({ inputs, epochEnds, ticks, state, out, partition }) => {
      const items = new PopularItems(state, source, listSize);
      const wereFew = merge(
        inputs.events.pipe(map((frame) => items.add(frame))),
        inputs.table.pipe(map((frame) => items.putTable(frame))),
      );
      const { calm } = state;
      const atOnce = wereFew.pipe(filter((few) => !aligned && (few || calm.get())));
      const regular: Observable<unknown> = aligned ? epochEnds : ticks;
      return merge(atOnce.pipe(map(() => false)), regular.pipe(map(() => true))).pipe(
        mergeMap((isRegular) => {
          const lists = items.changedLists(partition);
          const isCalm = lists.length === 0 && (isRegular || calm.get());
          if (calm.get() !== isCalm) calm.set(isCalm);
          return lists;
        }),
        map((lists) => out.lists(lists)),
      );
    },
  });
