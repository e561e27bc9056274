/**
 * popularity: how often each item was bought, and the most purchased items of each category.
 *
 *   N(i)   = number of purchases of item i                    or the value of a popularity table
 *   top(c) = the first n items of main category c by N desc, then i asc (item-order)      n = 100; only N > 0
 *   top    = the same over all items, with a category or without
 *
 * An item's main category and brand are those of its latest purchase (by event time, then by text) that had one; its price is the mean
 * over its purchases with a price. The category of a table row is used unchanged.
 *
 * Changed lists are published completely: at epoch ends when `aligned`; else at ticks, and at once while few items are known, so that a new system has
 * something to recommend.
 *
 * State    a row per item, all in memory (some 100 bytes and its id); a row per category (≤ 4,096) with whether its list has changed since
 *          it was last published. Items of further categories are counted, and listed over all, as items without a category.
 * Restart  restored with the snapshot; the lists themselves follow from the items and are rebuilt when first needed.
 */
import { filter, map, merge, mergeMap } from 'rxjs';
import { input, stage } from '../runtime/contract/stage.js';
import { events, LIST_MAX, popularItems, topLists } from './model.js';
import { itemTotals, moveItems } from './state/item-totals.js';
import { nameTables } from './state/numbered-names.js';
import { PopularItems } from './state/popular-items.js';

export interface PopularityOptions {
  readonly from: 'events' | 'table';
  /** Items per list. */
  readonly listSize?: number;
  /** Whether lists are published at epoch ends, so that rows do not depend on interleaving. */
  readonly aligned: boolean;
}

export const popularity = ({ from, listSize = LIST_MAX, aligned }: PopularityOptions) =>
  stage({
    id: 'popularity',
    version: 1,
    key: 'item',
    inputs: { purchases: input(events), table: input(popularItems) },
    outputs: { lists: topLists },
    state: { items: itemTotals(), names: nameTables() },
    repartition: moveItems,
    pipeline: ({ inputs, epochEnds, ticks, state, out, partition }) => {
      const items = new PopularItems(state, listSize);
      const wereFew =
        from === 'events'
          ? inputs.purchases.pipe(map((frame) => items.addPurchases(frame)))
          : inputs.table.pipe(map((frame) => items.putTable(frame)));
      const early = wereFew.pipe(filter((few) => few && !aligned));
      return merge(early, aligned ? epochEnds : ticks).pipe(
        mergeMap(() => items.changedLists(partition)),
        map((lists) => out.lists(lists)),
      );
    },
  });
