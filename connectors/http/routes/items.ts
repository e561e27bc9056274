/** GET /items/{item_id}: the catalogue entry of an item; /similar: what goes with it. GET /items/unknown: the items that it lacks. */
import { z } from 'zod';
import { itemUnknown } from '../../facade/errors/fault.js';
import type { CatalogueItem, ItemCatalogue, SimilarItems, UnknownItem } from '../../facade/ports.js';
import { categoryInQuery, idText, itemsInQuery, shownItem, timeOf, unchanged } from './fields.js';
import { nextCursor, pageQuery, storedTime } from './ledger-fields.js';
import { notFound, problemSchema, Refused } from '../server/problem.js';
import { sendJson } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

const itemSchema = z
  .object({
    item_id: z.string(),
    ...shownItem,
    tags: z.array(z.string()).optional(),
    updated_at: z.string().optional().meta({ format: 'date-time', description: 'When it was last published' }),
  })
  .meta({ id: 'Item' });

const unknownSchema = z
  .object({
    count: z.int(),
    items: z.array(
      z
        .object({
          item_id: z.string(),
          events: z.int().describe('How many events were about it'),
          last_event_time: storedTime('Event time of the latest of them'),
        })
        .meta({ id: 'UnknownItem' }),
    ),
    next_cursor: nextCursor,
  })
  .meta({ id: 'UnknownItemPage', description: 'The latest event first' });

const similarSchema = z
  .object({
    item_id: z.string(),
    count: z.int(),
    items: z.array(
      z.object({ rank: z.int(), item_id: z.string(), ...shownItem, score: z.number() }).meta({ id: 'SimilarItem' }),
    ),
  })
  .meta({ id: 'SimilarItems', description: 'Best first' });

export function itemRoutes(app: App, catalogue: ItemCatalogue, similar: SimilarItems): void {
  unknownItemRoute(app, catalogue);
  similarItemsRoute(app, similar);
  app.get(
    '/items/:item_id',
    {
      schema: {
        tags: ['Items'],
        summary: 'Get an item of the catalogue',
        description: 'Items are published to rivulet.items.>, or with `rivulet publish --items FILE`.',
        params: z.object({ item_id: idText('Id of the item, as in the events') }),
        response: { 200: itemSchema, 304: unchanged, 404: problemSchema, '4xx': problemSchema, '5xx': problemSchema },
      },
    },
    (request, reply) => {
      const { item_id: itemId } = request.params;
      const item = catalogue.get(itemId);
      if (item === undefined)
        throw notFound('ITEM_UNKNOWN', `the catalogue has no item ${itemId}: publish it to rivulet.items.>`);
      sendJson(request, reply, JSON.stringify(shownOf(item)));
    },
  );
}

function similarItemsRoute(app: App, similar: SimilarItems): void {
  app.get(
    '/items/:item_id/similar',
    {
      schema: {
        tags: ['Items'],
        summary: 'List the items that users have seen together with an item',
        params: z.object({ item_id: idText('Id of the item, as in the events') }),
        querystring: z.strictObject({ n: itemsInQuery, category: categoryInQuery }),
        response: {
          200: similarSchema,
          304: unchanged,
          404: problemSchema,
          '4xx': problemSchema,
          '5xx': problemSchema,
        },
      },
    },
    (request, reply) => {
      const { item_id: itemId } = request.params;
      const { n: limit, category } = request.query;
      const items = similar.get({ itemId, limit, category });
      if (items === undefined) throw new Refused(itemUnknown(itemId));
      const shown = items.map(({ rank, itemId: id, title, category: of, brand, price, score }) => ({
        ...{ rank, item_id: id, title, category: of, brand, price, score },
      }));
      sendJson(request, reply, JSON.stringify({ item_id: itemId, count: shown.length, items: shown }));
    },
  );
}

function unknownItemRoute(app: App, catalogue: ItemCatalogue): void {
  app.get(
    '/items/unknown',
    {
      schema: {
        tags: ['Items'],
        summary: 'List items that events are about and that the catalogue does not have',
        description:
          'At most 1,000, those with the latest events; none while the catalogue is empty. An item leaves the list when it is published.',
        querystring: z.strictObject(pageQuery),
        response: { 200: unknownSchema, 304: unchanged, '4xx': problemSchema, '5xx': problemSchema },
      },
    },
    (request, reply) => {
      const { limit, cursor } = request.query;
      const { items, next } = pageOf(catalogue.unknown(), limit, cursor);
      sendJson(request, reply, JSON.stringify({ count: items.length, items: items.map(unknownOf), next_cursor: next }));
    },
  );
}

/**
 * The items after a cursor: `<time>-<n>`, the event time of the last item and how many with that time have been given. Items that get new events meanwhile move
 * to the front, and others stay where they are.
 */
export function pageOf(
  all: readonly UnknownItem[],
  limit: number,
  cursor: string | undefined,
): { readonly items: readonly UnknownItem[]; readonly next: string | undefined } {
  const [timeMs = Infinity, given = 0] = cursor?.split('-').map(Number) ?? [];
  const first = all.findIndex(({ lastEventMs }) => lastEventMs <= timeMs);
  const equal = all.findIndex(({ lastEventMs }) => lastEventMs < timeMs);
  const start = first < 0 ? all.length : Math.min(first + given, equal < 0 ? all.length : equal);
  const end = Math.min(start + limit, all.length);
  const last = all[end - 1];
  if (last === undefined || end === all.length) return { items: all.slice(start, end), next: undefined };
  const same = all.slice(0, end).filter(({ lastEventMs }) => lastEventMs === last.lastEventMs).length;
  return { items: all.slice(start, end), next: `${last.lastEventMs}-${same}` };
}

const unknownOf = ({ itemId, events, lastEventMs }: UnknownItem) => ({
  ...{ item_id: itemId, events, last_event_time: timeOf(lastEventMs)! },
});

const shownOf = ({ itemId, title, category, brand, price, tags, updatedAtMs }: CatalogueItem): object => ({
  ...{ item_id: itemId, title, category, brand, price, tags, updated_at: timeOf(updatedAtMs) },
});
