/** Schemas of trending lists: complete, and in the events of a stream. */
import { z } from 'zod';
import { asOf, shownItem, stale, windowTime } from './fields.js';

const item = z
  .object({
    rank: z.int(),
    item_id: z.string(),
    ...shownItem,
    score: z.number(),
    views: z.int(),
    clicks: z.int(),
    velocity: z.number().describe('Score per hour, against the window before'),
  })
  .meta({ id: 'TrendingItem' });

const revision = z.int().describe('Grows with every change; the same on all nodes');
const span = { window_start: windowTime, window_end: windowTime };

const ITEM = { rank: 1, item_id: '1004856', category: 'electronics', score: 12, views: 8, clicks: 2, velocity: 6 };
const HEAD = { revision: 7, as_of: '2026-01-02T03:04:05.678Z' };
const SPAN = { window_start: '2026-01-02T03:00:00.000Z', window_end: '2026-01-02T04:00:00.000Z' };

export const trendingList = z
  .object({
    window: z.enum(['1h', '24h', 'last-hour']),
    ranking: z.enum(['score', 'velocity', 'decayed']),
    category: z.string().optional(),
    revision,
    as_of: asOf,
    stale,
    ...span,
    count: z.int(),
    items: z.array(item),
  })
  .meta({
    id: 'Trending',
    examples: [{ window: '1h', ranking: 'score', ...HEAD, ...SPAN, count: 1, items: [ITEM] }],
  });

const DELTA = { ...HEAD, from_revision: 6, ...SPAN, entered: [ITEM], moved: [], left: ['1005115'] };

/** The data of each event of the stream, by event name. */
export const trendingEvents = {
  snapshot: z
    .object({ revision, as_of: asOf, ...span, items: z.array(item) })
    .meta({ id: 'TrendingSnapshot', description: 'The complete list; it replaces all that was sent before' }),
  delta: z
    .object({
      revision,
      from_revision: z.int().describe('The revision to apply it to'),
      as_of: asOf,
      ...span,
      entered: z.array(item),
      moved: z.array(item).describe('Items that were in the list before, and have changed'),
      left: z.array(z.string()).describe('Ids of the items that left the list'),
    })
    .meta({ id: 'TrendingDelta', description: 'What has changed since the last event', examples: [DELTA] }),
  heartbeat: z
    .object({ revision, as_of: asOf })
    .meta({ id: 'TrendingHeartbeat', description: 'Nothing has changed; the stream is open' }),
};

export const STREAM_EXAMPLE =
  `retry: 2000\n\nevent: snapshot\nid: 7\ndata: ${JSON.stringify({ ...HEAD, ...SPAN, items: [ITEM] })}\n\n` +
  `event: heartbeat\nid: 7\ndata: ${JSON.stringify(HEAD)}\n\n`;
