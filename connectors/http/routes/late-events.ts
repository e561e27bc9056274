/** GET /late-events: events that arrived after their window was closed and count in no window. */
import { z } from 'zod';
import { timeOf, unchanged } from './fields.js';
import type { Gate } from '../server/gate.js';
import { nextCursor, refusePage, pageQuery, storedTime } from './ledger-fields.js';
import type { LateEvent, LateEvents } from '../operations-ports.js';
import { problemSchema } from '../server/problem.js';
import { sendJson } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

const eventTime = (about: string) => storedTime(about).optional();

const late = z
  .object({
    id: z.string(),
    event_type: z.string().optional(),
    event_time: eventTime('Event time'),
    user_id: z.string().optional(),
    item_id: z.string().optional(),
    category: z.string().optional().describe('The whole path, dotted'),
    brand: z.string().optional(),
    price: z.number().optional(),
    window_start: eventTime('Of the last window that it would have been in'),
    window_end: eventTime('That window ends before this time; it is closed'),
    stored_at: storedTime('When it was put aside'),
  })
  .meta({ id: 'LateEvent' });

const page = z
  .object({ count: z.int(), items: z.array(late), next_cursor: nextCursor })
  .meta({ id: 'LateEventPage', description: 'Newest first' });

export function lateEventRoutes(app: App, lateEvents: LateEvents, gate: Gate): void {
  app.get(
    '/late-events',
    {
      schema: {
        tags: ['Late events'],
        summary: 'List events that came after their window was closed, newest first',
        querystring: z.strictObject(pageQuery),
        response: { 200: page, 304: unchanged, '4xx': problemSchema, '5xx': problemSchema },
      },
    },
    async (request, reply) => {
      const { limit, cursor: before } = request.query;
      const found = () => lateEvents.page({ limit, before }).catch(refusePage);
      const { events, next } = await gate.during(request.raw, found);
      const items = events.map(shownEvent);
      sendJson(request, reply, JSON.stringify({ count: items.length, items, next_cursor: next }));
      return reply;
    },
  );
}

const shownEvent = (event: LateEvent): z.input<typeof late> => ({
  id: event.id,
  event_type: event.eventType,
  event_time: timeOf(event.eventTimeMs),
  user_id: event.userId,
  item_id: event.itemId,
  category: event.category,
  brand: event.brand,
  price: event.price,
  window_start: timeOf(event.window?.startMs),
  window_end: timeOf(event.window?.endMs),
  stored_at: timeOf(event.storedAtMs)!,
});
