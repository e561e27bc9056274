/**
 * top-list: the best items of a category, per popularity instance, and merged.
 *
 *   top(c) = the first n of ⋃ top_o(c)        o  origin: a popularity instance; an item has one origin
 *   order    popularity desc, then item asc    (item-order)
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
import { compareItems, orderKey } from './item-order.js';
import { mergeSorted } from './merge-sorted.js';

/** The latest list of a category from one popularity instance: columns of equal length, best first. */
export interface TopList {
  readonly origin: number;
  readonly items: readonly string[];
  readonly popularity: readonly number[];
  /** The items' own main categories and brands; '' for none. */
  readonly categories: readonly string[];
  readonly brands: readonly string[];
  /** Average prices; null for none. */
  readonly prices: readonly (number | null)[];
}

/** A category's lists, ascending by origin; empty ones are left out. Never modified in place. */
export type ListsOfCategory = readonly TopList[];

/** Lists that were stored before they had brands and prices have their popularity as `purchases`. */
type StoredList =
  TopList | (Omit<TopList, 'popularity' | 'brands' | 'prices'> & { readonly purchases: readonly number[] });
const stored = json<readonly StoredList[]>();
export const listsOfCategory: Codec<ListsOfCategory> = {
  encode: (lists) => stored.encode(lists),
  decode: (bytes) =>
    stored.decode(bytes).map((list) => {
      if ('popularity' in list) return list;
      const { purchases, ...rest } = list;
      return { ...rest, popularity: purchases, brands: purchases.map(() => ''), prices: purchases.map(() => null) };
    }),
};

/** One list over all origins: columns of equal length, best first. */
export interface MergedList {
  readonly size: number;
  readonly items: readonly string[];
  readonly popularity: Float64Array;
  /** Order keys of the items. */
  readonly keys: Float64Array;
  readonly categories: readonly string[];
  readonly brands: readonly string[];
  readonly prices: readonly (number | null)[];
  /** The item at index i has code i + 1. */
  readonly dictionary: Dictionary;
}

interface Candidate {
  readonly item: string;
  readonly popularity: number;
  readonly category: string;
  readonly brand: string;
  readonly price: number | null;
}

/**
 * The lists for another number of item partitions, as far as they are known: a new instance's own list may be longer, but the merged list is the same.
 * New instances publish their complete lists when they start.
 */
export function splitAnew(lists: ListsOfCategory, { item: origins }: PartitionCounts): ListsOfCategory {
  const best = bestOf(lists, Infinity);
  return Array.from({ length: origins }, (_, origin): TopList => {
    const own = best.filter(({ item }) => partitionOf(item, origins) === origin).slice(0, LIST_MAX);
    return { origin, ...columnsOf(own), popularity: own.map(({ popularity }) => popularity) };
  }).filter(({ items }) => items.length > 0);
}

/** The first n items, each once. */
function bestOf(lists: ListsOfCategory, n: number): Candidate[] {
  const candidates = lists.map(({ items, popularity, categories, brands, prices }) =>
    items.map((item, i): Candidate => ({
      ...{ item, popularity: popularity[i]! },
      ...{ category: categories[i]!, brand: brands[i]!, price: prices[i]! },
    })),
  );
  const best = new Map<string, Candidate>();
  for (const candidate of mergeSorted(candidates, compareCandidates)) {
    if (best.size === n) break;
    if (!best.has(candidate.item)) best.set(candidate.item, candidate);
  }
  return [...best.values()];
}

const compareCandidates = (a: Candidate, b: Candidate): number =>
  b.popularity - a.popularity || compareItems(a.item, b.item);

const columnsOf = (own: readonly Candidate[]) => ({
  items: own.map(({ item }) => item),
  categories: own.map(({ category }) => category),
  brands: own.map(({ brand }) => brand),
  prices: own.map(({ price }) => price),
});

export function mergeLists(lists: ListsOfCategory, sizeMax: number): MergedList {
  const best = bestOf(lists, sizeMax);
  const dictionary = new DictionaryBuilder();
  for (const { item } of best) dictionary.addText(item);
  return {
    size: best.length,
    ...columnsOf(best),
    popularity: Float64Array.from(best, ({ popularity }) => popularity),
    keys: Float64Array.from(best, ({ item }) => orderKey(item)),
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

/** The positions of the items of a merged list, computed once per list. */
export function positionsOnce(): (list: MergedList) => ReadonlyMap<string, number> {
  const known = new WeakMap<MergedList, ReadonlyMap<string, number>>();
  return (list) => {
    let positions = known.get(list);
    if (positions === undefined) known.set(list, (positions = new Map(list.items.map((item, i) => [item, i]))));
    return positions;
  };
}
