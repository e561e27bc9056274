/**
 * recommendations: the view that the façades read.
 *
 *   interests(u)   the ≤ 3 categories that interest u most      seen(u)   the items that u interacted with, the latest ≤ 1,000 by event time
 *   top(c)         the top list of each category, and over all
 *
 * A user's list is made of these when it is asked for (maths/made-list): it follows what is popular now, and nothing is stored for it. It publishes
 * nothing; `recommendationReader` reads its state, synchronously, between two inputs. How a list becomes an answer: candidates/.
 *
 * State    per user the interests (some 60 bytes) and the seen items (state/seen-items); per category the top lists. Users are loaded when first read or
 *          written, so a restart with a million of them costs nothing.
 * Restart  restored with the snapshot; what arrived since is replayed from the mailbox.
 */
import { merge } from 'rxjs';
import { input, keyed, readerOf, sideInput, stage } from '../runtime/contract/stage.js';
import type { ItemFacts, RecommendationReader } from './candidates/source.js';
import { madeList, popularList, type RankedList, type TopInterests } from './maths/made-list.js';
import { listsOfCategory, type MergedList, mergedOnce, positionsOnce, splitAnew } from './maths/top-list.js';
import { interactions, interests, LIST_MAX, topLists } from './model.js';
import { keepInterests } from './operators/keep-interests.js';
import { ALL, rememberLists } from './operators/remember-lists.js';
import { rememberSeen } from './operators/remember-seen.js';
import { NO_ITEMS } from './maths/rank/latest-items.js';
import { itemsBefore, latestItemsOnce, latestSeen, recentItems } from './state/seen-items.js';
import { topInterests } from './state/top-interests.js';

/** Written with each event, and read only when somebody asks. */
const INTERESTS_CACHED_BYTES_MAX = 1024 * 1024;

const state = {
  /** What lists are made of. */
  lists: keyed(topInterests, { rescale: 'byKey', cachedBytesMax: INTERESTS_CACHED_BYTES_MAX }),
  seen: recentItems(),
  seenBefore: itemsBefore(),
  tops: keyed(listsOfCategory, { rescale: splitAnew }),
};

export const recommendations = () =>
  stage({
    id: 'recommendations',
    version: 1,
    key: 'user',
    inputs: { interests: input(interests), interactions: input(interactions), popular: sideInput(topLists) },
    outputs: {},
    state,
    pipeline: ({ inputs, state }) =>
      merge(
        inputs.popular.pipe(rememberLists(state.tops)),
        inputs.interests.pipe(keepInterests(state.lists)),
        inputs.interactions.pipe(rememberSeen(state)),
      ),
  });

export interface ViewReader extends RecommendationReader {
  /** The first n items or more for a user; the same object for as long as it is the same list. Absent: nothing is popular yet. */
  made(user: string, n: number): RankedList | undefined;
  /** A user that is known, among those in memory: the next one after `skip` others. */
  someUser(skip: number): string | undefined;
  /** Unchanged for as long as the sources of the user's answers are unchanged; of those to questions about a category, with the category. */
  version(user: string, category?: string): string;
}

/** A list of at most n items, and the top lists of which it was made. */
interface Made {
  readonly tops: readonly (MergedList | undefined)[];
  readonly n: number;
  readonly list: RankedList;
}

const NO_FACTS: ItemFacts = {};
const NO_LIST: RankedList = [];
const NOTHING_SEEN: ReadonlyMap<string, number> = new Map();

/** Of the partition that the user belongs to. */
export const recommendationReader = readerOf(state, ({ lists: users, seen: seenBy, seenBefore, tops }): ViewReader => {
  const mergedTop = mergedOnce(LIST_MAX);
  const topOf = (category: string): MergedList | undefined => {
    const known = tops.get(category);
    return known === undefined ? undefined : mergedTop(known);
  };
  // None of the keys is modified in place.
  const made = new WeakMap<TopInterests, Made>();
  const popular = new WeakMap<MergedList, RankedList>();
  const numbers = new WeakMap<object, number>();
  let count = 0;
  const numbered = (part: object | undefined): number => {
    if (part === undefined) return 0;
    const known = numbers.get(part) ?? ++count;
    numbers.set(part, known);
    return known;
  };
  const positions = positionsOnce();
  const latestOnce = latestItemsOnce();
  const ownList = (user: string, n: number): RankedList => {
    const interests = users.get(user);
    if (interests === undefined || interests.length === 0) return NO_LIST;
    const of = interests.map(([category]) => topOf(category));
    const known = made.get(interests);
    if (known !== undefined && known.n >= n && of.every((top, i) => top === known.tops[i])) return known.list;
    const list = madeList(interests, of, n);
    made.set(interests, { tops: of, n, list });
    return list;
  };
  const first = (category: string): RankedList => {
    const top = topOf(category);
    if (top === undefined) return NO_LIST;
    let list = popular.get(top);
    if (list === undefined) popular.set(top, (list = popularList(top)));
    return list;
  };
  return {
    ownList,
    made: (user, n) => [ownList(user, n), first(ALL)].find((list) => list.length > 0),
    someUser: (skip) => users.someKey(skip),
    seen: (user) => {
      const recent = seenBy.get(user);
      return recent === undefined ? NOTHING_SEEN : latestSeen(recent, seenBefore.get(user));
    },
    latest: (user) => {
      const recent = seenBy.get(user);
      return recent === undefined ? NO_ITEMS : latestOnce(recent, () => seenBefore.get(user));
    },
    factsOf: (item, category) => {
      const top = topOf(category ?? ALL);
      const at = top && positions(top).get(item);
      if (at === undefined) return NO_FACTS;
      const [brand, price] = [top!.brands[at]!, top!.prices[at] ?? null];
      return { brand: brand === '' ? undefined : brand, price: price ?? undefined };
    },
    fallback: () => first(ALL),
    topOf: first,
    version: (user, asked) => {
      const [interests, seen] = [users.get(user), seenBy.get(user)];
      const categories = [
        ALL,
        ...(interests ?? []).map(([category]) => category),
        ...(asked === undefined ? [] : [asked]),
      ];
      const parts = [interests, seen, ...categories.map(topOf)];
      return [...parts.map(numbered), seen?.additions ?? 0].join();
    },
  };
});
