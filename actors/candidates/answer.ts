/**
 * answer: the response to a request for recommendations.
 *
 *   items = the candidates of each source, in the order of SOURCES, each item once; the first `limit` of them, ranks from 1
 *
 * `excludeSeen` removes the items that the user has seen. While nothing is popular yet, the answer is empty, which is not an error.
 */
import type { RankedItem } from '../maths/made-list.js';
import { LIST_MAX, RECOMMENDATION_TYPES, STREAMING_POPULAR_FALLBACK } from '../model.js';
import { mostPopular } from './most-popular.js';
import { ownList } from './own-list.js';
import type { CandidateSource, ItemFacts, Question, RecommendationReader } from './source.js';

export interface AnswerItem extends ItemFacts {
  readonly itemId: string;
  readonly rank: number;
  readonly score: number;
  readonly category: string | undefined;
  readonly type: (typeof RECOMMENDATION_TYPES)[number];
  /** For people; only with `explain`. */
  readonly reason?: string | undefined;
}

export interface RecommendationAnswer {
  readonly items: readonly AnswerItem[];
  /** The model that made the list. */
  readonly model: string;
}

/** The model of this topology: category interests times item popularity. */
export const MODEL = 'streaming-category-popularity';

/** Earlier ones come first. */
const SOURCES: readonly CandidateSource[] = [ownList, mostPopular];

export function answer(reader: RecommendationReader, question: Question): RecommendationAnswer {
  const { user, category, excludeSeen } = question;
  const limit = Math.max(0, Math.min(LIST_MAX, question.limit));
  // What is left out below is made up for by what follows.
  const list = reader.ownList(user, category === undefined && !excludeSeen ? limit : LIST_MAX);
  const excluded = excludeSeen ? reader.seen(user) : undefined;

  const items: AnswerItem[] = [];
  const taken = new Set<string>();
  for (const source of SOURCES) {
    for (const candidate of source(reader, question, list)) {
      if (items.length >= limit) break;
      if (excluded?.has(candidate.item) === true || taken.has(candidate.item)) continue;
      taken.add(candidate.item);
      items.push(answerItem(reader, candidate, items.length + 1, question));
    }
  }
  return { items, model: MODEL };
}

/** All items have the same fields in the same order: spreading objects, and objects of several shapes, would take longer than all else. */
function answerItem(
  reader: RecommendationReader,
  from: RankedItem,
  rank: number,
  { category: inCategory, explain }: Question,
): AnswerItem {
  const { item, score, category, kind } = from;
  const { brand, price } = reader.factsOf(item, category);
  return {
    itemId: item,
    rank,
    score,
    category,
    brand,
    price,
    type: RECOMMENDATION_TYPES[kind]!,
    reason: explain ? reasonFor(from, inCategory) : undefined,
  };
}

function reasonFor({ kind, category, interest, interestRank }: RankedItem, inCategory: string | undefined): string {
  if (kind === STREAMING_POPULAR_FALLBACK) {
    return inCategory === undefined ? 'popular with everyone' : `popular in ${inCategory}`;
  }
  return `popular in ${category}, which is your #${interestRank} interest (${Math.round(interest * 10) / 10})`;
}
