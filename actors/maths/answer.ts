/**
 * answer: the response to a request for recommendations.
 *
 *   candidates = own(u), then fill       in this order, each item once; the first `limit` of them, ranks from 1
 *
 *   own    u's list, or its items in the requested category
 *   fill   for a category: its top list. Else the top list over all: if u has no list, or if items that u has seen are excluded
 *
 * Without a filter, a list is returned as it is, even if it is shorter than the limit. `excludeSeen` removes the items that u has seen from both. While
 * nothing is popular yet, the answer is empty, which is not an error.
 */
import { LIST_MAX, RECOMMENDATION_TYPES, STREAMING_POPULAR_FALLBACK } from '../model.js';
import type { RankedItem, RankedList } from './ranked-list.js';

/** The state that an answer is made from, in memory or in the store of the instance. */
export interface RecommendationReader {
  /** The user's latest list; `undefined` for an unknown user. */
  listOf(user: string): RankedList | undefined;
  /** Items that the user has interacted with, as far as remembered. */
  seen(user: string): ReadonlySet<string>;
  /** The first items over all categories, typed as fallback. */
  fallback(limit: number): readonly RankedItem[];
  /** The first items of a main category, typed as fallback. */
  topOf(category: string, limit: number): readonly RankedItem[];
}

export interface Question {
  readonly user: string;
  /** Clamped to 0…100. */
  readonly limit: number;
  /** A main category. */
  readonly category?: string | undefined;
  readonly excludeSeen: boolean;
  readonly explain: boolean;
}

export interface AnswerItem {
  readonly itemId: string;
  readonly rank: number;
  readonly score: number;
  readonly category: string | undefined;
  readonly type: (typeof RECOMMENDATION_TYPES)[number];
  /** For people; only with `explain`. */
  readonly reason?: string;
}

export interface RecommendationAnswer {
  readonly items: readonly AnswerItem[];
  /** The model that made the list. */
  readonly model: string;
}

/** The model of this topology: category interests times item popularity. */
export const MODEL = 'streaming-category-popularity';

export function answer(reader: RecommendationReader, question: Question): RecommendationAnswer {
  const { user, category, excludeSeen, explain } = question;
  const limit = Math.max(0, Math.min(LIST_MAX, question.limit));
  const list = reader.listOf(user)?.items ?? [];
  const own = category === undefined ? list : list.filter((item) => item.category === category);
  const excluded = excludeSeen ? reader.seen(user) : undefined;

  const items: AnswerItem[] = [];
  const taken = new Set<string>();
  const take = (candidates: readonly RankedItem[]): void => {
    for (const candidate of candidates) {
      if (items.length >= limit) return;
      if (excluded?.has(candidate.item) === true || taken.has(candidate.item)) continue;
      taken.add(candidate.item);
      items.push(answerItem(candidate, items.length + 1, category, explain));
    }
  };
  take(own);
  if (category !== undefined) take(reader.topOf(category, LIST_MAX));
  else if (list.length === 0 || excludeSeen) take(reader.fallback(LIST_MAX));
  return { items, model: MODEL };
}

function answerItem(from: RankedItem, rank: number, inCategory: string | undefined, explain: boolean): AnswerItem {
  const { item: itemId, score, category, kind } = from;
  const answered: AnswerItem = { itemId, rank, score, category, type: RECOMMENDATION_TYPES[kind]! };
  return explain ? { ...answered, reason: reasonFor(from, inCategory) } : answered;
}

function reasonFor({ kind, category, interest, interestRank }: RankedItem, inCategory: string | undefined): string {
  if (kind === STREAMING_POPULAR_FALLBACK) {
    return inCategory === undefined ? 'popular with everyone' : `popular in ${inCategory}`;
  }
  return `popular in ${category}, which is your #${interestRank} interest (${Math.round(interest * 10) / 10})`;
}
