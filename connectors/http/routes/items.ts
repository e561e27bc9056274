/** GET /items/{item_id}: the catalogue entry of an item. */
import { z } from 'zod';
import type { CatalogueItem, ItemCatalogue } from '../../facade/ports.js';
import { idText, shownItem, timeOf, unchanged } from './fields.js';
import { notFound, problemSchema } from '../server/problem.js';
import { sendJson } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

const itemSchema = z
  .object({
    item_id: z.string(),
    ...shownItem,
    updated_at: z.string().optional().meta({ format: 'date-time', description: 'When it was last published' }),
  })
  .meta({ id: 'Item' });

export function itemRoutes(app: App, catalogue: ItemCatalogue): void {
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

const shownOf = ({ itemId, title, category, brand, price, updatedAtMs }: CatalogueItem): object => ({
  ...{ item_id: itemId, title, category, brand, price, updated_at: timeOf(updatedAtMs) },
});
