/**
 * made-list: a user's list, made when it is asked for.
 *
 *   list(u) = the first n of the merge of the top lists of the user's categories (maths/list-merge)
 *           | the top list over all categories, score 0.1            where these categories have no popular items
 *
 * It equals what popularity-join and fallback write for a user of the same interests.
 */
import { FALLBACK_SCORE, STREAMING_CATEGORY_POPULARITY, STREAMING_POPULAR_FALLBACK } from '../model.js';
import { ListMerge } from './list-merge.js';
import type { MergedList } from './top-list.js';

export interface RankedItem {
  readonly item: string;
  readonly category: string | undefined;
  readonly score: number;
  /** The user's interest in the category, and its rank among the user's interests; NaN and 0 when the item is listed only for its popularity. */
  readonly interest: number;
  readonly interestRank: number;
  /** From 1. */
  readonly rank: number;
  /** Code of a recommendation type. */
  readonly kind: number;
}

/** Best first. Never modified. */
export type RankedList = readonly RankedItem[];

/** The categories that a user is most interested in, at most three, strongest first. Never modified in place. */
export type TopInterests = readonly (readonly [category: string, interest: number])[];

const merge = new ListMerge<string>();

/** The first n items of the top lists of a user's categories, `tops`, in the order of the interests; empty: none of them has an item. */
export function madeList(interests: TopInterests, tops: readonly (MergedList | undefined)[], n: number): RankedList {
  merge.begin();
  for (const [i, [category, interest]] of interests.entries()) merge.add(category, interest, i + 1, tops[i]);
  const list: RankedItem[] = [];
  const listed = new Set<string>();
  for (let head = merge.next(); head !== undefined && list.length < n; head = merge.next()) {
    const item = head.list.items[head.at]!;
    if (listed.has(item)) continue;
    listed.add(item);
    const { category, score, interest, interestRank } = head;
    list.push({
      item,
      category,
      score,
      interest,
      interestRank,
      rank: list.length + 1,
      kind: STREAMING_CATEGORY_POPULARITY,
    });
  }
  return list;
}

/** A top list, for those who are not known to be interested in anything. */
export const popularList = ({ items, categories }: MergedList): RankedList =>
  items.map((item, i) => ({
    item,
    category: categories[i] === '' ? undefined : categories[i],
    ...{ score: FALLBACK_SCORE, interest: NaN, interestRank: 0, rank: i + 1, kind: STREAMING_POPULAR_FALLBACK },
  }));
