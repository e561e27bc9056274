/** GET /trending and, as Server-Sent Events, GET /trending/stream. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../runtime/ports.js';
import { invalidFields, STOPPING } from '../facade/fault.js';
import type { TrendingLists, TrendingQuery } from '../facade/ports.js';
import { rankingNotMade, TrendingHub } from '../facade/trending-hub.js';
import { clientOf } from './client-identity.js';
import { EventStream } from './event-stream.js';
import { asOf, categoryInQuery, itemsInQuery, shownItem, windowTime } from './fields.js';
import type { Gate } from './gate.js';
import type { RequestObserver } from './ports.js';
import { problemSchema, Refused } from './problem.js';
import { listJson, TRENDING_EVENTS, WINDOWS } from './trending-json.js';
import { sendJson } from './validators.js';
import type { App } from './zod-provider.js';

/** Four times a second is more than an eye follows, and a thousand of them take little beside what services ask. */
const ROUND_EVERY_MS = 250;
const SERVED_PER_TURN = 32;

const query = z.strictObject({
  window: z.enum(['1h', '24h'], 'must be 1h or 24h').default('1h'),
  n: itemsInQuery,
  category: categoryInQuery,
  ranking: z.enum(['score', 'velocity', 'decayed'], 'must be score, velocity or decayed').default('score'),
});

const listSchema = z
  .object({
    window: z.enum(['1h', '24h']),
    ranking: z.enum(['score', 'velocity', 'decayed']),
    category: z.string().optional(),
    revision: z.int().describe('Grows with every change; the same on all nodes'),
    as_of: asOf,
    window_start: windowTime,
    window_end: windowTime,
    count: z.int(),
    items: z.array(
      z.object({
        rank: z.int(),
        item_id: z.string(),
        ...shownItem,
        score: z.number(),
        views: z.int(),
        clicks: z.int(),
        velocity: z.number().describe('Score per hour, against the window before'),
      }),
    ),
  })
  .meta({ id: 'Trending' });

const tags = ['Trending'];
const problems = { '4xx': problemSchema, '5xx': problemSchema };
const LAST_EVENT_ID = /^\d{1,15}$/;

/** Streams that are open; the app does not know of them. */
export interface TrendingStreams {
  readonly hub: TrendingHub;
  /** Ends all of them, and takes no more. */
  stop(): void;
}

export function trendingRoutes(
  app: App,
  lists: TrendingLists,
  gate: Gate,
  clock: Clock,
  observer: RequestObserver | undefined,
): TrendingStreams {
  const hub = new TrendingHub(lists, TRENDING_EVENTS, clock, {
    roundEveryMs: ROUND_EVERY_MS,
    servedPerTurn: SERVED_PER_TURN,
  });
  const open = new Set<EventStream>();
  let isStopped = false;

  app.get(
    '/trending',
    {
      schema: {
        tags,
        summary: 'What is looked at and bought most',
        querystring: query,
        response: { 200: listSchema, ...problems },
      },
    },
    (request, reply) => {
      const { asked, limit } = askedBy(request.query);
      if (!lists.rankings.has(asked.ranking)) throw new Refused(rankingNotMade(asked.ranking));
      sendJson(request, reply, listJson(asked, lists.get(asked), limit));
    },
  );

  app.get(
    '/trending/stream',
    {
      exposeHeadRoute: false,
      schema: {
        tags,
        summary: 'The same, live',
        description:
          'Server-Sent Events: `snapshot` (as /trending), then `delta` (entered, moved, left, from_revision) with each change, `heartbeat` every 15 s. ' +
          'The id of an event is the revision; who comes back with Last-Event-ID gets what has changed since.',
        querystring: query,
        produces: ['text/event-stream'],
        response: problems,
      },
    },
    (request, reply) => {
      if (isStopped) throw new Refused(STOPPING);
      const { asked, limit } = askedBy(request.query);
      const leave = gate.enterStream(request.raw);
      const wanted = { query: asked, limit, afterRevision: resumedFrom(request) };
      try {
        const fault = hub.follow(wanted, clientOf(request.raw), (listener) => {
          reply.hijack();
          const { raw } = reply;
          for (const [name, value] of Object.entries(reply.getHeaders()))
            if (value !== undefined) raw.setHeader(name, value);
          // A proxy that waits for the end would wait for ever.
          raw.writeHead(200, {
            ...{ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
          });
          const stream = new EventStream(raw, clock, {
            onFree: () => listener.onFree(),
            onEnd: () => {
              open.delete(stream);
              leave();
              listener.onEnd();
              observer?.ended('GET', '/trending/stream', 200, performance.now() - request.beganMs);
            },
          });
          open.add(stream);
          return stream;
        });
        if (fault !== undefined) throw new Refused(fault);
      } catch (error) {
        if (!reply.sent) leave();
        throw error;
      }
    },
  );
  return {
    hub,
    stop: () => {
      isStopped = true;
      hub.stop();
      for (const stream of open) stream.end();
    },
  };
}

function askedBy({ window, n, category, ranking }: z.output<typeof query>): { asked: TrendingQuery; limit: number } {
  return { asked: { window: WINDOWS[window], ranking, category }, limit: n };
}

function resumedFrom({ headers }: FastifyRequest): number | undefined {
  const given = headers['last-event-id'];
  if (given === undefined) return undefined;
  if (typeof given === 'string' && LAST_EVENT_ID.test(given)) return Number(given);
  const description = 'must be the id of an event of this stream, a whole number';
  throw new Refused(invalidFields([{ field: 'Last-Event-ID', description }]));
}
