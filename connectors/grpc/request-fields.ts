/** What the fields of a question must be. Each finding names the field, and what would be right. */
import type { GetRecommendationsRequest } from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import type { RecommendationQuery } from './ports.js';
import type { FieldViolation } from './status-details.js';

export const ID_BYTES_MAX = 256;
export const LIMIT_MAX = 100;
export const LIMIT_DEFAULT = 10;

/** The query, or what is wrong with the request. */
export function queryOf(request: GetRecommendationsRequest): RecommendationQuery | readonly FieldViolation[] {
  const { userId, limit, category, excludeSeen, explain } = request;
  const user = userId === '' ? 'is required: set it to the id of the user, as in the events' : textProblem(userId);
  const items =
    limit < 0 || limit > LIMIT_MAX
      ? `is ${limit}, must be from 1 to ${LIMIT_MAX}; leave it out (or 0) for ${LIMIT_DEFAULT}`
      : undefined;
  const filter = textProblem(category);
  if (user === undefined && items === undefined && filter === undefined) {
    return {
      userId,
      limit: limit === 0 ? LIMIT_DEFAULT : limit,
      category: category === '' ? undefined : category,
      excludeSeen,
      explain,
    };
  }
  const said = { user_id: user, limit: items, category: filter };
  return Object.entries(said).flatMap(([field, description]) =>
    description === undefined ? [] : [{ field, description }],
  );
}

/** Names of things: short, without control characters (U+0000–U+001F, U+007F–U+009F). */
export function textProblem(text: string): string | undefined {
  // A UTF-16 unit takes at most three bytes: most ids need no measuring.
  const bytes = text.length * 3 <= ID_BYTES_MAX ? 0 : Buffer.byteLength(text);
  if (bytes > ID_BYTES_MAX) return `has ${bytes} bytes, must have at most ${ID_BYTES_MAX}`;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) {
      const hex = code.toString(16).padStart(2, '0');
      return `has a control character (0x${hex}) at position ${i}: take it out (is it a line end?)`;
    }
  }
  return undefined;
}
