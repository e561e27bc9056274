/**
 * GET /reco/{user_id}, /reco/random, /reco?user_id=…
 *
 * A result that is available at once is sent in the same turn of the event loop. A list and its ETag are encoded once for as long as it stays the same
 * (`sameAs`), and once per user with its time: lists are read more often than they change.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { STRATEGIES } from '../../../actors/model.js';
import type { Answer, AnswerItem, RecommendationAnswers, RecommendationQuery } from '../../facade/ports.js';
import {
  asOf,
  stale,
  categoryInQuery,
  flagInQuery,
  idText,
  itemsInQuery,
  shownItem,
  timeOf,
  unchanged,
} from './fields.js';
import type { Gate } from '../server/gate.js';
import type { RandomUsers } from '../ports.js';
import { problemSchema, Refused } from '../server/problem.js';
import { etagOf, JSON_TYPE, sendJson } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

export interface RecommendationPorts {
  readonly answers: RecommendationAnswers;
  readonly randomUsers: RandomUsers;
}

const wishes = {
  n: itemsInQuery,
  category: categoryInQuery,
  strategy: z
    .enum(STRATEGIES, `must be one of ${STRATEGIES.join(', ')}`)
    .optional()
    .describe('What decides the order; default: as the node is configured'),
  exclude_seen: flagInQuery(
    'Leave out items that the user has interacted with, as far as they are among the latest 1,000',
  ),
};
const wishQuery = z.strictObject(wishes);
const userId = idText('Id of the user, as in the events');

const EXAMPLE = {
  ...{
    user_id: '512',
    is_random: false,
    count: 1,
    as_of: '2026-01-02T03:04:05.678Z',
    model: 'streaming-category-popularity',
  },
  strategy: 'category-popularity',
  items: [
    {
      ...{ rank: 1, item_id: '1004856', category: 'electronics', score: 12.5, type: 'streaming_category_popularity' },
      reason: 'popular in electronics, where this user looks most',
    },
  ],
};

const answerSchema = z
  .object({
    user_id: z.string(),
    is_random: z.boolean(),
    count: z.int(),
    as_of: asOf,
    stale,
    model: z.string(),
    strategy: z.enum(STRATEGIES),
    arm: z
      .string()
      .optional()
      .describe('The arm of the experiment that the user is in, name/arm: send it with impressions'),
    items: z.array(
      z.object({
        rank: z.int(),
        item_id: z.string(),
        ...shownItem,
        score: z.number(),
        type: z
          .string()
          .describe(
            'streaming_category_popularity, streaming_popular_fallback for what is popular with all, or streaming_ and the strategy',
          ),
        reason: z.string().describe('Why it is in the list, for people'),
        contributions: z
          .array(z.object({ source: z.string(), share: z.number() }))
          .optional()
          .describe('By hybrid and co-visitation: the sources and features that its place comes from, at most three'),
      }),
    ),
  })
  .meta({ id: 'Recommendations', examples: [EXAMPLE] });

const responses = { 200: answerSchema, 304: unchanged, '4xx': problemSchema, '5xx': problemSchema };
const tags = ['Recommendations'];
const fallbackNote = 'A user who is not known gets what is popular with all, typed as such.';

type Wishes = z.output<typeof wishQuery>;

export function recommendationRoutes(app: App, { answers, randomUsers }: RecommendationPorts, gate: Gate): void {
  const recommend = (
    request: FastifyRequest,
    reply: FastifyReply,
    user: string,
    wished: Wishes,
    isRandom: boolean,
  ): void => {
    const { n: limit, category, exclude_seen: excludeSeen, strategy } = wished;
    const query: RecommendationQuery = { userId: user, limit, category, excludeSeen, explain: true, strategy };
    const answer = answers.get(query);
    if (!(answer instanceof Promise)) {
      send(request, reply, query, answer, isRandom);
      return;
    }
    const leave = gate.enter(request.raw);
    answer
      .finally(leave)
      .then((later) => send(request, reply, query, later, isRandom))
      .catch((error: unknown) => void reply.send(error));
  };

  const schema = { tags, response: responses };
  app.get(
    '/reco/:user_id',
    {
      schema: {
        ...schema,
        summary: 'Recommendations for a user',
        description: fallbackNote,
        params: z.object({ user_id: userId }),
        querystring: wishQuery,
      },
    },
    (request, reply) => {
      recommend(request, reply, request.params.user_id, request.query, false);
    },
  );
  app.get(
    '/reco',
    {
      schema: {
        ...schema,
        summary: 'Recommendations for a user whose id does not fit a path',
        description: `For ids with a slash, and for a user called \`random\`. ${fallbackNote}`,
        querystring: z.strictObject({ user_id: userId, ...wishes }),
      },
    },
    (request, reply) => {
      recommend(request, reply, request.query.user_id, request.query, false);
    },
  );
  app.get(
    '/reco/random',
    {
      schema: {
        ...{ tags, summary: 'Recommendations for some user', querystring: wishQuery },
        response: { 200: answerSchema, 404: problemSchema, '4xx': problemSchema, '5xx': problemSchema },
      },
    },
    async (request, reply) => {
      const user = await randomUsers.next();
      if (user === undefined) throw NOBODY;
      recommend(request, reply, user, request.query, true);
      return reply;
    },
  );
}

const NOBODY = new Refused({
  code: 'NOT_FOUND',
  message: 'no user is known yet: publish events first (POST /events)',
  reason: 'NO_USERS',
});

/** The encoded list of the last request, to be sent again unchanged. */
interface Written {
  readonly limit: number;
  readonly arm: string | undefined;
  readonly count: number;
  /** From `"model":…` to the end: the part that does not depend on the time. */
  readonly list: Buffer;
  readonly etag: string;
  last?: {
    readonly user: string;
    readonly asOfMs: number | undefined;
    readonly isStale: boolean;
    readonly body: Buffer;
  };
}

const written = new WeakMap<object, Written>();

function send(
  request: FastifyRequest,
  reply: FastifyReply,
  { userId: user, limit }: RecommendationQuery,
  answer: Answer,
  isRandom: boolean,
): void {
  const known = writtenOf(answer, limit);
  const { staleMs } = answer;
  if (staleMs !== undefined) reply.header('age', Math.floor(staleMs / 1000));
  // A repeated random request should return another user.
  if (isRandom)
    void reply
      .header('cache-control', 'no-store')
      .type(JSON_TYPE)
      .send(bodyOf(known, user, answer, true));
  else
    sendJson(request, reply, lastBody(known, user, answer), staleMs === undefined ? known.etag : staleTag(known.etag));
}

/** A client that has the list is still informed that it has become stale. */
const staleTag = (etag: string): string => etag.replace(/"$/, '-stale"');

function lastBody(known: Written, user: string, answer: Answer): Buffer {
  const { asOfMs } = answer;
  const isStale = answer.staleMs !== undefined;
  let { last } = known;
  if (last?.user !== user || last.asOfMs !== asOfMs || last.isStale !== isStale) {
    known.last = last = { user, asOfMs, isStale, body: bodyOf(known, user, answer, false) };
  }
  return last.body;
}

function bodyOf({ count, list }: Written, user: string, { asOfMs, staleMs }: Answer, isRandom: boolean): Buffer {
  const time = asOfMs === undefined ? '' : `"as_of":"${isoTime(asOfMs)}",`;
  const stale = staleMs === undefined ? '' : '"stale":true,';
  const head = `{"user_id":${JSON.stringify(user)},"is_random":${isRandom},"count":${count},${time}${stale}`;
  return Buffer.concat([Buffer.from(head), list]);
}

function writtenOf(answer: Answer, limit: number): Written {
  const { sameAs, model, strategy, arm } = answer;
  const known = sameAs && written.get(sameAs);
  if (known?.limit === limit && known.arm === arm) return known;
  // Items are built when they are accessed.
  const shown = answer.items.slice(0, limit).map(shownOf);
  const inArm = arm === undefined ? '' : `"arm":${JSON.stringify(arm)},`;
  const list = Buffer.from(`"model":"${model}","strategy":"${strategy}",${inArm}"items":${JSON.stringify(shown)}}`);
  const now = { limit, arm, count: shown.length, list, etag: etagOf(list) };
  if (sameAs !== undefined) written.set(sameAs, now);
  return now;
}

const shownOf = ({ itemId, rank, title, category, brand, price, score, type, ...why }: AnswerItem): object => ({
  ...{ rank, item_id: itemId, title, category, brand, price, score, type },
  ...{ reason: why.reason, contributions: why.contributions },
});

/** The most recently formatted time: it is the same for many answers. */
let latest: readonly [ms: number, text: string] = [NaN, ''];

function isoTime(ms: number): string {
  if (latest[0] !== ms) latest = [ms, timeOf(ms)!];
  return latest[1];
}
