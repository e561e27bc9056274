/**
 * recommendations: the view that the façades read.
 *
 *   list(u)   the latest list of u                  seen(u)   the items that u interacted with, the latest ≤ 1,000 by event time
 *   top(c)    the top list of each category, and over all: for users without a list, and for what a list cannot fill
 *
 * It publishes nothing; `recommendationReader` reads its state, synchronously, between two inputs. How it becomes an answer: candidates/.
 *
 * State    per user the list (some 18 bytes per item) and the seen items; per category the top lists. Users are loaded when first
 *          read or written, so a restart with a million of them costs nothing.
 * Restart  restored with the snapshot; lists that arrived since are replayed from the mailbox.
 */
import { merge } from 'rxjs';
import { input, keyed, readerOf, sideInput, stage } from '../runtime/contract/stage.js';
import type { ItemFacts, RecommendationReader } from './candidates/source.js';
import { isEmptyList, packedList, type PackedList, type RankedItem, unpackList } from './maths/ranked-list.js';
import { listsOfCategory, mergedOnce, positionsOnce, splitAnew } from './maths/top-list.js';
import { FALLBACK_SCORE, interactions, LIST_MAX, ranked, STREAMING_POPULAR_FALLBACK, topLists } from './model.js';
import { keepLists } from './operators/keep-lists.js';
import { ALL, rememberLists } from './operators/remember-lists.js';
import { rememberSeen } from './operators/remember-seen.js';
import { seenItems } from './state/seen-items.js';

export interface RecommendationsOptions {
  /** Items stored as seen, per user; the least recently seen are dropped first. */
  readonly seenMax?: number;
}

const state = {
  lists: keyed(packedList, { rescale: 'byKey' }),
  seen: keyed(seenItems, { rescale: 'byKey' }),
  tops: keyed(listsOfCategory, { rescale: splitAnew }),
};

export const recommendations = ({ seenMax = 1_000 }: RecommendationsOptions = {}) =>
  stage({
    id: 'recommendations',
    version: 1,
    key: 'user',
    inputs: { lists: input(ranked), interactions: input(interactions), popular: sideInput(topLists) },
    outputs: {},
    state,
    pipeline: ({ inputs, state }) =>
      merge(
        inputs.popular.pipe(rememberLists(state.tops)),
        inputs.lists.pipe(keepLists(state.lists)),
        inputs.interactions.pipe(rememberSeen(state.seen, seenMax)),
      ),
  });

export interface ViewReader extends RecommendationReader {
  /** The user's stored list, unless it is empty. It is never modified in place: the same object is the same list. */
  kept(user: string): PackedList | undefined;
  /** A user with a list, among those in memory: the next one after `skip` others. */
  someUser(skip: number): string | undefined;
  /** Unchanged for as long as the sources of the user's answers are unchanged, except the top lists of single categories. */
  version(user: string): string;
}

const NO_FACTS: ItemFacts = {};
const NOTHING_SEEN: ReadonlyMap<string, number> = new Map();

/** Of the partition that the user belongs to. */
export const recommendationReader = readerOf(state, ({ lists, seen: seenBy, tops }): ViewReader => {
  const merged = mergedOnce(LIST_MAX);
  // None of them is modified in place.
  const numbers = new WeakMap<object, number>();
  let count = 0;
  const numbered = (part: object): number => {
    const known = numbers.get(part) ?? ++count;
    numbers.set(part, known);
    return known;
  };
  const positions = positionsOnce();
  const factsOf = (item: string, category: string | undefined): ItemFacts => {
    const known = tops.get(category ?? ALL);
    if (known === undefined) return NO_FACTS;
    const list = merged(known);
    const at = positions(list).get(item);
    if (at === undefined) return NO_FACTS;
    const [brand, price] = [list.brands[at]!, list.prices[at] ?? null];
    return { ...(brand === '' ? {} : { brand }), ...(price === null ? {} : { price }) };
  };
  const first = (key: string, limit: number): RankedItem[] => {
    const known = tops.get(key);
    if (known === undefined) return [];
    const { items, categories } = merged(known);
    return items.slice(0, limit).map((item, i) => ({
      item,
      category: categories[i] === '' ? undefined : categories[i],
      score: FALLBACK_SCORE,
      interest: NaN,
      interestRank: 0,
      rank: i + 1,
      kind: STREAMING_POPULAR_FALLBACK,
    }));
  };
  return {
    kept: (user) => {
      const list = lists.get(user);
      return list === undefined || isEmptyList(list) ? undefined : list;
    },
    someUser: (skip) => lists.someKey(skip),
    listOf: (user) => {
      const list = lists.get(user);
      return list === undefined ? undefined : unpackList(list);
    },
    seen: (user) => seenBy.get(user) ?? NOTHING_SEEN,
    factsOf,
    fallback: (limit) => first(ALL, limit),
    topOf: (category, limit) => first(category, limit),
    version: (user) => {
      const seen = seenBy.get(user);
      const parts = [lists.get(user), tops.get(ALL), seen].map((part) => (part === undefined ? 0 : numbered(part)));
      return [...parts, seen?.additions ?? 0].join();
    },
  };
});
