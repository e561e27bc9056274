/**
 * top-list: the best items of a category, per popularity instance, and merged.
 *
 *   top(c) = the first n of ⋃ top_o(c)        o  origin: a popularity instance; an item has one origin
 *   order    purchases desc, then item asc    (item-order)
 */
import {
  type Codec,
  type Dictionary,
  DictionaryBuilder,
  json,
  partitionOf,
  type PartitionCounts,
} from '../../runtime/contract/stage.js';
import { LIST_MAX } from '../model.js';
import { compareKeyed, type KeyedItem, orderKey } from './item-order.js';

/** The latest list of a category from one popularity instance: columns of equal length, best first. */
export interface TopList {
  readonly origin: number;
  readonly items: readonly string[];
  readonly purchases: readonly number[];
  /** The items' own main categories; '' for none. */
  readonly categories: readonly string[];
}

/** A category's lists, ascending by origin; empty ones are left out. Never modified in place. */
export type ListsOfCategory = readonly TopList[];

export const listsOfCategory: Codec<ListsOfCategory> = json<ListsOfCategory>();

/** One list over all origins: columns of equal length, best first. */
export interface MergedList {
  readonly size: number;
  readonly items: readonly string[];
  readonly purchases: Float64Array;
  /** Order keys of the items. */
  readonly keys: Float64Array;
  readonly categories: readonly string[];
  /** The item at index i has code i + 1. */
  readonly dictionary: Dictionary;
}

interface Candidate extends KeyedItem {
  readonly purchases: number;
  readonly category: string;
}

/**
 * The lists for another number of item partitions, as far as they are known: a new instance's own list may be longer, but the merged list is the same.
 * New instances publish their complete lists when they start.
 */
export function splitAnew(lists: ListsOfCategory, { item: origins }: PartitionCounts): ListsOfCategory {
  const best = bestOf(lists);
  return Array.from({ length: origins }, (_, origin): TopList => {
    const own = best.filter(({ item }) => partitionOf(item, origins) === origin).slice(0, LIST_MAX);
    return {
      origin,
      items: own.map(({ item }) => item),
      purchases: own.map(({ purchases }) => purchases),
      categories: own.map(({ category }) => category),
    };
  }).filter(({ items }) => items.length > 0);
}

/** Each item once, best first. */
function bestOf(lists: ListsOfCategory): Candidate[] {
  const candidates = lists.flatMap(({ items, purchases, categories }) =>
    items.map((item, i): Candidate => ({
      item,
      purchases: purchases[i]!,
      key: orderKey(item),
      category: categories[i]!,
    })),
  );
  candidates.sort((a, b) => b.purchases - a.purchases || compareKeyed(a, b));
  const listed = new Set<string>();
  return candidates.filter(({ item }) => !listed.has(item) && listed.add(item));
}

export function mergeLists(lists: ListsOfCategory, sizeMax: number): MergedList {
  const best = bestOf(lists).slice(0, sizeMax);
  const dictionary = new DictionaryBuilder();
  for (const { item } of best) dictionary.addText(item);
  return {
    size: best.length,
    items: best.map(({ item }) => item),
    purchases: Float64Array.from(best, ({ purchases }) => purchases),
    keys: Float64Array.from(best, ({ key }) => key),
    categories: best.map(({ category }) => category),
    dictionary,
  };
}

/** `mergeLists`, computed once per value: lists are never modified in place, so the value is the key; results of unused values are freed. */
export function mergedOnce(sizeMax: number): (lists: ListsOfCategory) => MergedList {
  const known = new WeakMap<ListsOfCategory, MergedList>();
  return (lists) => {
    let merged = known.get(lists);
    if (merged === undefined) known.set(lists, (merged = mergeLists(lists, sizeMax)));
    return merged;
  };
}
