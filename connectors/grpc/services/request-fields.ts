/** Validates the fields of requests. Each finding names the field and the accepted values. */
import type {
  BatchGetRecommendationsRequest,
  GetRecommendationsRequest,
  StreamRecommendationsRequest,
} from '../../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import {
  type StreamTrendingRequest,
  TrendingRanking as Ranking,
  TrendingWindow as Window,
} from '../../../proto/gen/rivulet/v1/trending_service_pb.js';
import type { RecommendationQuery, TrendingRanking, TrendingWindow } from '../../facade/ports.js';
import type { Subscription } from '../../facade/trending/hub.js';
import type { FieldViolation } from '../../facade/errors/fault.js';
import { LIMIT_DEFAULT, LIMIT_MAX, textProblem } from '../../facade/errors/text-problem.js';

export const BATCH_USERS_MAX = 100;

const NO_USER = 'is required: set it to the id of the user, as in the events';

/** The query, or the invalid fields. */
export function queryOf(
  request: GetRecommendationsRequest | StreamRecommendationsRequest,
): RecommendationQuery | readonly FieldViolation[] {
  const { userId, limit, category, excludeSeen, explain } = request;
  const user = userProblem(userId);
  const items = limitProblem(limit);
  const filter = textProblem(category);
  if (user === undefined && items === undefined && filter === undefined) {
    return { userId, limit: limitOf(limit), category: categoryOf(category), excludeSeen, explain };
  }
  return violations({ user_id: user, limit: items, category: filter });
}

export interface BatchQuery {
  readonly userIds: readonly string[];
  readonly limit: number;
  readonly queries: readonly RecommendationQuery[];
}

export function batchQueryOf(request: BatchGetRecommendationsRequest): BatchQuery | readonly FieldViolation[] {
  const { userIds, limit, category, excludeSeen, explain } = request;
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
  });
  if (wrong.length > 0) return wrong;
  const rest = { limit: limitOf(limit), category: categoryOf(category), excludeSeen, explain };
  return { userIds, limit: rest.limit, queries: userIds.map((userId) => ({ userId, ...rest })) };
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

const userProblem = (userId: string): string | undefined => (userId === '' ? NO_USER : textProblem(userId));

const limitProblem = (limit: number): string | undefined =>
  limit < 0 || limit > LIMIT_MAX
    ? `is ${limit}, must be from 1 to ${LIMIT_MAX}; leave it out (or 0) for ${LIMIT_DEFAULT}`
    : undefined;
