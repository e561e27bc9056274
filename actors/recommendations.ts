/**
 * recommendations: the view that services read.
 *
 *   list(u)   the list last said of u               seen(u)   the items that u interacted with, the latest ≤ 1,000
 *   top(c)    the top list of each category, and over all: for users without a list, and for what a list cannot fill
 *
 * It says nothing; `recommendationReader` reads its cells, synchronously, between two inputs. How an answer is made of them: maths/answer.
 *
 * State    per user the list (some 18 bytes per item) and the seen items; per category the top lists. Users are loaded when first
 *          asked for or written, so a restart with a million of them costs nothing.
 * Restart  restored with the snapshot; lists that arrived since are replayed from the mailbox.
 */
import { ignoreElements, merge, tap } from 'rxjs';
import {
  ABSENT,
  type Codec,
  type FrameOf,
  input,
  json,
  type Keyed,
  keyed,
  sideInput,
  stage,
  textAt,
} from '../runtime/contract/stage.js';
import type { RecommendationReader } from './maths/answer.js';
import {
  appendToList,
  isEmptyList,
  packedList,
  type PackedList,
  packList,
  type RankedItem,
  unpackList,
} from './maths/ranked-list.js';
import { type ListsOfCategory, listsOfCategory, mergedOnce, splitAnew } from './maths/top-list.js';
import { FALLBACK_SCORE, interactions, LIST_MAX, ranked, STREAMING_POPULAR_FALLBACK, topLists } from './model.js';
import { ALL, rememberLists } from './operators/remember-lists.js';

export interface RecommendationsOptions {
  /** Items remembered as seen, per user; the ones seen longest ago are forgotten first. */
  readonly seenMax?: number;
}

/** Users whose unchanged list, and seen items, are kept in memory: some 2 kB and some 10 kB each at most. */
const LISTS_CACHED_MAX = 50_000;
const SEEN_CACHED_MAX = 10_000;

/** Item ids, the latest seen last; and how often any was added, in memory alone. */
class Seen extends Set<string> {
  additions = 0;
}

const ids = json<string[]>();
const seenItems: Codec<Seen> = {
  encode: (seen) => ids.encode([...seen]),
  decode: (bytes) => new Seen(ids.decode(bytes)),
};

export interface RecommendationCells {
  readonly lists: Keyed<PackedList>;
  readonly seen: Keyed<Seen>;
  readonly tops: Keyed<ListsOfCategory>;
}

export const recommendations = ({ seenMax = 1_000 }: RecommendationsOptions = {}) =>
  stage({
    id: 'recommendations',
    version: 1,
    key: 'user',
    inputs: { lists: input(ranked), interactions: input(interactions), popular: sideInput(topLists) },
    outputs: {},
    state: {
      lists: keyed(packedList, { cachedMax: LISTS_CACHED_MAX, law: 'key' }),
      seen: keyed(seenItems, { cachedMax: SEEN_CACHED_MAX, law: 'key' }),
      tops: keyed(listsOfCategory, { law: splitAnew }),
    },
    pipeline: ({ inputs, state }) =>
      merge(
        inputs.popular.pipe(rememberLists(state.tops)),
        inputs.lists.pipe(
          tap((frame) => {
            keepLists(frame, state.lists);
          }),
          ignoreElements(),
        ),
        inputs.interactions.pipe(
          tap((frame) => {
            keepSeen(frame, state.seen, seenMax);
          }),
          ignoreElements(),
        ),
      ),
  });

function keepLists(frame: FrameOf<typeof ranked>, lists: Keyed<PackedList>): void {
  const { user, rank } = frame.columns;
  for (let start = 0, end = 0; start < frame.rows; start = end) {
    const code = user.codes[start]!;
    for (end = start + 1; end < frame.rows && user.codes[end] === code && rank[end]! > rank[end - 1]!;) end++;
    const key = textAt(user.dictionary, code);
    if (key === undefined) continue;
    // A list of very long ids may have been cut between two messages: the second goes on where the first stopped.
    const begun = rank[start]! > 1 ? lists.get(key) : undefined;
    lists.set(key, begun === undefined ? packList(frame, start, end) : appendToList(begun, frame, start, end));
  }
}

function keepSeen(frame: FrameOf<typeof interactions>, cell: Keyed<Seen>, seenMax: number): void {
  const { user, item } = frame.columns;
  const touched = new Map<number, Seen>();
  for (let row = 0; row < frame.rows; row++) {
    const [userCode, itemCode] = [user.codes[row]!, item.codes[row]!];
    if (userCode === ABSENT || itemCode === ABSENT) continue;
    let seen = touched.get(userCode);
    if (seen === undefined) touched.set(userCode, (seen = cell.get(textAt(user.dictionary, userCode)!) ?? new Seen()));
    const id = textAt(item.dictionary, itemCode)!;
    seen.delete(id);
    seen.add(id);
    seen.additions++;
    if (seen.size > seenMax) seen.delete(seen.values().next().value!);
  }
  for (const [userCode, seen] of touched) cell.set(textAt(user.dictionary, userCode)!, seen);
}

export interface ViewReader extends RecommendationReader {
  /** The user's list as it is kept, if there is anything in it. It is never changed in place: the same object is the same list. */
  kept(user: string): PackedList | undefined;
  /** A user with a list, among those in memory: the next one but `skip`. */
  someUser(skip: number): string | undefined;
  /** The same text for as long as nothing that the user's answers are made of has changed; but for the top lists of single categories. */
  version(user: string): string;
}

const NOTHING_SEEN: ReadonlySet<string> = new Set();

/** Reads the cells of one instance: those of the partition that the user belongs to. */
export function recommendationReader(cells: RecommendationCells): ViewReader {
  const merged = mergedOnce(LIST_MAX);
  // None of them is changed in place.
  const numbers = new WeakMap<object, number>();
  let count = 0;
  const numbered = (part: object): number => {
    const known = numbers.get(part) ?? ++count;
    numbers.set(part, known);
    return known;
  };
  const first = (key: string, limit: number): RankedItem[] => {
    const lists = cells.tops.get(key);
    if (lists === undefined) return [];
    const { items, categories } = merged(lists);
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
      const list = cells.lists.get(user);
      return list === undefined || isEmptyList(list) ? undefined : list;
    },
    someUser: (skip) => cells.lists.someKey(skip),
    listOf: (user) => {
      const list = cells.lists.get(user);
      return list === undefined ? undefined : unpackList(list);
    },
    seen: (user) => cells.seen.get(user) ?? NOTHING_SEEN,
    fallback: (limit) => first(ALL, limit),
    topOf: (category, limit) => first(category, limit),
    version: (user) => {
      const seen = cells.seen.get(user);
      const parts = [cells.lists.get(user), cells.tops.get(ALL), seen].map((part) =>
        part === undefined ? 0 : numbered(part),
      );
      return [...parts, seen?.additions ?? 0].join();
    },
  };
}
