/** GET /trending and, as Server-Sent Events, GET /trending/stream. */
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../../runtime/contract/ports.js';
import { STOPPING } from '../../facade/errors/fault.js';
import type { TrendingLists, TrendingQuery } from '../../facade/ports.js';
import { rankingNotMade, type Subscription, TrendingHub } from '../../facade/trending/hub.js';
import { EventStream } from '../server/event-stream.js';
import { categoryInQuery, itemsInQuery, unchanged } from './fields.js';
import type { Gate } from '../server/gate.js';
import { problemSchema, Refused } from '../server/problem.js';
import type { RequestTally } from '../server/request-tally.js';
import { listJson, TRENDING_EVENTS, WINDOWS } from './trending-json.js';
import { STREAM_EXAMPLE, trendingEvents, trendingList } from './trending-schemas.js';
import { sendJson } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

/** Four times a second is more than an eye follows, and for a thousand lists costs little compared with the other calls. */
const ROUND_EVERY_MS = 250;
const SERVED_PER_TURN = 32;

const query = z.strictObject({
  window: z
    .enum(['1h', '24h', 'last-hour'], 'must be 1h, 24h or last-hour')
    .default('1h')
    .describe(
      'From when on: `1h` since the last full hour (UTC), at 01:09 since 01:00. `24h` that and the 23 hours before it. ' +
        '`last-hour` the last 60 minutes, in steps of five',
    ),
  n: itemsInQuery,
  category: categoryInQuery,
  ranking: z
    .enum(['score', 'velocity', 'decayed'], 'must be score, velocity or decayed')
    .default('score')
    .describe('By views and clicks, by their growth, or by both with the old counting less'),
});

const tags = ['Trending'];
const problems = { 409: problemSchema, '4xx': problemSchema, '5xx': problemSchema };

const resumption = z.looseObject({
  'last-event-id': z
    .string()
    .regex(/^\d{1,15}$/, 'must be the id of an event of this stream, a whole number')
    .transform(Number)
    .optional()
    .meta({ description: 'Of the last event that was read, to go on after it', type: 'integer', minimum: 0 }),
});

/** Open streams, which the app does not track. */
export interface TrendingStreams {
  readonly hub: TrendingHub;
  /** Ends all of them, and accepts no more. */
  stop(): void;
}

export function trendingRoutes(
  app: App,
  lists: TrendingLists,
  gate: Gate,
  clock: Clock,
  tally: RequestTally,
): TrendingStreams {
  const streams = new OpenStreams(lists, gate, clock, tally);

  app.get(
    '/trending',
    {
      schema: {
        tags,
        summary: 'Trending items',
        querystring: query,
        response: { 200: trendingList, 304: unchanged, ...problems },
      },
    },
    (request, reply) => {
      const { asked, limit } = queryOf(request.query);
      if (!lists.rankings.has(asked.ranking)) throw new Refused(rankingNotMade(asked.ranking));
      const staleMs = lists.staleMs?.();
      if (staleMs !== undefined) reply.header('age', Math.floor(staleMs / 1000));
      sendJson(request, reply, listJson(asked, lists.get(asked), limit, staleMs !== undefined));
    },
  );

  app.get(
    '/trending/stream',
    {
      exposeHeadRoute: false,
      schema: {
        tags,
        summary: 'Trending items, as a live stream',
        description:
          'Server-Sent Events: `snapshot` (the items as in /trending), then `delta` (entered, moved, left, from_revision) with each change, `heartbeat` every 15 s. ' +
          'The id of an event is the revision; who comes back with Last-Event-ID gets what has changed since.',
        querystring: query,
        headers: resumption,
        produces: ['text/event-stream'],
        events: trendingEvents,
        example: STREAM_EXAMPLE,
        response: problems,
      },
    },
    (request, reply) => {
      const { asked, limit } = queryOf(request.query);
      streams.open(request, reply, { query: asked, limit, afterRevision: request.headers['last-event-id'] });
    },
  );
  return streams;
}

class OpenStreams implements TrendingStreams {
  readonly hub: TrendingHub;
  private readonly streams = new Set<EventStream>();
  private isStopped = false;

  constructor(
    lists: TrendingLists,
    private readonly gate: Gate,
    private readonly clock: Clock,
    private readonly tally: RequestTally,
  ) {
    const rounds = { roundEveryMs: ROUND_EVERY_MS, servedPerTurn: SERVED_PER_TURN };
    this.hub = new TrendingHub(lists, TRENDING_EVENTS, clock, rounds);
  }

  open(request: FastifyRequest, reply: FastifyReply, wanted: Subscription): void {
    // The client has left while its token was verified.
    if (reply.raw.destroyed) return;
    if (this.isStopped) throw new Refused(STOPPING);
    const leave = this.gate.enterStream(request.raw);
    try {
      const fault = this.hub.follow(wanted, this.gate.clientOf(request.raw), (listener) => {
        const stream = new EventStream(takenOver(reply), this.clock, {
          onFree: () => listener.onFree(),
          onEnd: () => {
            this.streams.delete(stream);
            leave();
            listener.onEnd();
            this.tally.ended(request, 200);
          },
        });
        this.streams.add(stream);
        return stream;
      });
      if (fault !== undefined) throw new Refused(fault);
    } catch (error) {
      if (!reply.sent) leave();
      throw error;
    }
  }

  stop(): void {
    this.isStopped = true;
    this.hub.stop();
    for (const stream of this.streams) stream.end();
  }
}

/** The response as a stream of events, with its head written. */
function takenOver(reply: FastifyReply): ServerResponse {
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    ...{ 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    // A buffering proxy would wait for an end that never comes.
    'x-accel-buffering': 'no',
    // No further request is expected on it, and a stop would wait for one.
    connection: 'close',
  });
  return raw;
}

function queryOf({ window, n, category, ranking }: z.output<typeof query>): { asked: TrendingQuery; limit: number } {
  return { asked: { window: WINDOWS[window], ranking, category }, limit: n };
}
