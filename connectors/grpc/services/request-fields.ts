/** Validates the fields of requests. Each finding names the field and the accepted values. */
import type {
  BatchGetRecommendationsRequest,
  GetRecommendationsRequest,
  SimilarItemsRequest,
  StreamRecommendationsRequest,
} from '../../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import {
  type StreamTrendingRequest,
  TrendingRanking as Ranking,
  TrendingWindow as Window,
} from '../../../proto/gen/rivulet/v1/trending_service_pb.js';
import { STRATEGIES, type Strategy } from '../../../actors/model.js';
import type { RecommendationQuery, SimilarQuery, TrendingRanking, TrendingWindow } from '../../facade/ports.js';
import type { Subscription } from '../../facade/trending/hub.js';
import type { FieldViolation } from '../../facade/errors/fault.js';
import { LIMIT_DEFAULT, LIMIT_MAX, textProblem } from '../../facade/errors/text-problem.js';

export const BATCH_USERS_MAX = 100;

const NO_USER = 'is required: set it to the id of the user, as in the events';
const NO_ITEM = 'is required: set it to the id of the item, as in the events';

/** The query, or the invalid fields. */
export function queryOf(
  request: GetRecommendationsRequest | StreamRecommendationsRequest,
): RecommendationQuery | readonly FieldViolation[] {
  const { userId, limit, category, excludeSeen, explain, strategy } = request;
  const user = userProblem(userId);
  const items = limitProblem(limit);
  const filter = textProblem(category);
  const order = strategyProblem(strategy);
  if (user === undefined && items === undefined && filter === undefined && order === undefined) {
    const options = { category: categoryOf(category), excludeSeen, explain, strategy: strategyOf(strategy) };
    return { userId, limit: limitOf(limit), ...options };
  }
  return violations({ user_id: user, limit: items, category: filter, strategy: order });
}

export interface BatchQuery {
  readonly userIds: readonly string[];
  readonly limit: number;
  readonly queries: readonly RecommendationQuery[];
}

export function batchQueryOf(request: BatchGetRecommendationsRequest): BatchQuery | readonly FieldViolation[] {
  const { userIds, limit, category, excludeSeen, explain, strategy } = request;
  const count =
    userIds.length === 0
      ? `is required: name 1 to ${BATCH_USERS_MAX} users`
      : userIds.length > BATCH_USERS_MAX
        ? `has ${userIds.length} users, must have at most ${BATCH_USERS_MAX}: send the others in calls of their own`
        : undefined;
  const users = count === undefined ? userIds.map((user, i) => [`user_ids[${i}]`, userProblem(user)] as const) : [];
  const wrong = violations({
    user_ids: count,
    ...Object.fromEntries(users),
    limit: limitProblem(limit),
    category: textProblem(category),
    strategy: strategyProblem(strategy),
  });
  if (wrong.length > 0) return wrong;
  const options = { excludeSeen, explain, strategy: strategyOf(strategy) };
  const rest = { limit: limitOf(limit), category: categoryOf(category), ...options };
  return { userIds, limit: rest.limit, queries: userIds.map((userId) => ({ userId, ...rest })) };
}

export function similarQueryOf({
  itemId,
  limit,
  category,
}: SimilarItemsRequest): SimilarQuery | readonly FieldViolation[] {
  const item = itemId === '' ? NO_ITEM : textProblem(itemId);
  const [items, filter] = [limitProblem(limit), textProblem(category)];
  if (item === undefined && items === undefined && filter === undefined) {
    return { itemId, limit: limitOf(limit), category: categoryOf(category) };
  }
  return violations({ item_id: item, limit: items, category: filter });
}

const WINDOWS: Readonly<Record<Window, TrendingWindow>> = {
  [Window.UNSPECIFIED]: 'hour',
  [Window.HOUR]: 'hour',
  [Window.DAY]: 'day',
  [Window.LAST_HOUR]: 'last-hour',
};

const RANKINGS: Readonly<Record<Ranking, TrendingRanking>> = {
  [Ranking.UNSPECIFIED]: 'score',
  [Ranking.SCORE]: 'score',
  [Ranking.VELOCITY]: 'velocity',
  [Ranking.DECAYED]: 'decayed',
};

export function subscriptionOf(request: StreamTrendingRequest): Subscription | readonly FieldViolation[] {
  // A value of a later version is none of these.
  const window = (WINDOWS as Partial<typeof WINDOWS>)[request.window];
  const ranking = (RANKINGS as Partial<typeof RANKINGS>)[request.ranking];
  const { limit, category, afterRevision } = request;
  const items = limitProblem(limit);
  const filter = textProblem(category);
  if (window !== undefined && ranking !== undefined && items === undefined && filter === undefined) {
    return {
      query: { window, ranking, category: categoryOf(category) },
      limit: limitOf(limit),
      afterRevision: afterRevision === 0n ? undefined : Number(afterRevision),
    };
  }
  return violations({
    window: window === undefined ? unknownName(request.window, 'TRENDING_WINDOW_HOUR or _DAY') : undefined,
    category: filter,
    limit: items,
    ranking:
      ranking === undefined ? unknownName(request.ranking, 'TRENDING_RANKING_SCORE, _VELOCITY or _DECAYED') : undefined,
  });
}

const unknownName = (number: number, names: string): string => `is ${number}, must be ${names}`;

const violations = (problems: Readonly<Record<string, string | undefined>>): readonly FieldViolation[] =>
  Object.entries(problems).flatMap(([field, description]) =>
    description === undefined ? [] : [{ field, description }],
  );

const limitOf = (limit: number): number => (limit === 0 ? LIMIT_DEFAULT : limit);

const categoryOf = (category: string): string | undefined => (category === '' ? undefined : category);

const isStrategy = (text: string): text is Strategy => (STRATEGIES as readonly string[]).includes(text);

const strategyOf = (text: string): Strategy | undefined => (isStrategy(text) ? text : undefined);

const strategyProblem = (text: string): string | undefined =>
  text === '' || isStrategy(text)
    ? undefined
    : `is none of ${STRATEGIES.join(', ')}; leave it out for that of the node`;

const userProblem = (userId: string): string | undefined => (userId === '' ? NO_USER : textProblem(userId));

const limitProblem = (limit: number): string | undefined =>
  limit < 0 || limit > LIMIT_MAX
    ? `is ${limit}, must be from 1 to ${LIMIT_MAX}; leave it out (or 0) for ${LIMIT_DEFAULT}`
    : undefined;
