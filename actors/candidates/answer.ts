/**
 * answer: the response to a request for recommendations.
 *
 *   items = the candidates of the strategy, then those of each source in the order of SOURCES, each item once; the first `limit` of them, ranks from 1
 *
 *   strategy   hybrid, co-visitation, als, als-trending: ranking/reader      trending: the list of the last hour      category-popularity: the sources alone
 *
 * `excludeSeen` removes the items that the user has seen. While nothing is popular yet, the answer is empty, which is not an error.
 */
import type { RankedItem, RankedList } from '../maths/made-list.js';
import {
  type Contribution,
  LIST_MAX,
  RECOMMENDATION_TYPES,
  type Strategy,
  STREAMING_POPULAR_FALLBACK,
  STREAMING_TRENDING,
} from '../model.js';
import { mostPopular } from './most-popular.js';
import { ownList } from './own-list.js';
import type {
  CandidateSource,
  ItemFacts,
  Question,
  RankedCandidate,
  RankingReader,
  RankingRules,
  RecommendationReader,
} from './source.js';

export interface AnswerItem extends ItemFacts {
  readonly itemId: string;
  readonly rank: number;
  readonly score: number;
  readonly category: string | undefined;
  readonly type: (typeof RECOMMENDATION_TYPES)[number];
  /** For people; only with `explain`. */
  readonly reason?: string | undefined;
  /** What its place comes from, if it comes from several sources; only with `explain`. */
  readonly contributions?: readonly Contribution[] | undefined;
}

export interface RecommendationAnswer {
  readonly items: readonly AnswerItem[];
  /** The model that made the list. */
  readonly model: string;
}

/** The model that answers have by each strategy. */
export const MODELS: Readonly<Record<Strategy, string>> = {
  hybrid: 'streaming-hybrid',
  'category-popularity': 'streaming-category-popularity',
  'co-visitation': 'streaming-co-visitation',
  als: 'streaming-als',
  'als-trending': 'streaming-als-trending',
  trending: 'streaming-trending',
};

/** What is the same for all users. */
export interface SharedLists {
  readonly ranking: RankingReader;
  /** The items of the last hour, best first. */
  readonly trending: (category: string | undefined) => RankedList;
  readonly rules: RankingRules;
  readonly titleOf: (item: string) => string;
}

/** Earlier ones come first. */
const SOURCES: readonly CandidateSource[] = [ownList, mostPopular];

export function answer(
  reader: RecommendationReader,
  question: Question,
  shared: () => SharedLists = noneShared,
): RecommendationAnswer {
  const { user, category, excludeSeen, strategy = 'category-popularity' } = question;
  const limit = Math.max(0, Math.min(LIST_MAX, question.limit));
  const excluded = excludeSeen ? reader.seen(user) : undefined;
  const isExcluded = (item: string): boolean => excluded?.has(item) === true;

  const items: AnswerItem[] = [];
  const taken = new Set<string>();
  const take = (candidates: RankedList): void => {
    for (const candidate of candidates) {
      if (items.length >= limit) return;
      if (taken.has(candidate.item) || isExcluded(candidate.item)) continue;
      taken.add(candidate.item);
      items.push(answerItem(reader, candidate, items.length + 1, question));
    }
  };
  if (strategy !== 'category-popularity') take(leading(reader, { ...question, limit, strategy }, isExcluded, shared()));
  if (items.length < limit) {
    // What is left out is made up for by what follows.
    const list = reader.ownList(user, items.length === 0 && category === undefined && !excludeSeen ? limit : LIST_MAX);
    for (const source of SOURCES) take(source(reader, question, list));
  }
  return { items, model: MODELS[strategy] };
}

function noneShared(): never {
  throw new TypeError('category-popularity is the only strategy without what all users share');
}

function leading(
  reader: RecommendationReader,
  {
    user,
    limit: n,
    category,
    explain,
    strategy,
  }: Question & { readonly strategy: Exclude<Strategy, 'category-popularity'> },
  isExcluded: (item: string) => boolean,
  { ranking, trending, rules, titleOf }: SharedLists,
): RankedList {
  if (strategy === 'trending') return trending(category);
  const [seen, trends] = [() => reader.seen(user), () => trending(category)];
  const own = { user, latest: reader.latest(user), seen, trending: trends, titleOf };
  return ranking.ranked({ ...own, by: strategy, rules, n, category, isExcluded, explain });
}

/** All items have the same fields in the same order: spreading objects, and objects of several shapes, would take longer than all else. */
function answerItem(
  reader: RecommendationReader,
  from: RankedItem,
  rank: number,
  { category: inCategory, explain }: Question,
): AnswerItem {
  const { item, score, category, kind } = from;
  const { facts, explanation } = from as Partial<RankedCandidate>;
  const { brand, price } = facts ?? reader.factsOf(item, category);
  return {
    itemId: item,
    rank,
    score,
    category,
    brand,
    price,
    type: RECOMMENDATION_TYPES[kind]!,
    reason: explain ? (explanation?.reason ?? reasonFor(from, inCategory)) : undefined,
    contributions: explanation?.contributions,
  };
}

function reasonFor({ kind, category, interest, interestRank }: RankedItem, inCategory: string | undefined): string {
  if (kind === STREAMING_TRENDING) return 'trending in the last hour';
  if (kind === STREAMING_POPULAR_FALLBACK) {
    return inCategory === undefined ? 'popular with everyone' : `popular in ${inCategory}`;
  }
  return `popular in ${category}, which is your #${interestRank} interest (${Math.round(interest * 10) / 10})`;
}
