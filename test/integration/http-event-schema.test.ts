/** What the document says of an event is what POST /events takes, as far as a schema can say it. */
import { describe, expect, it } from 'vitest';
import { EventReader } from '../../actors/formats/event-reader.js';
import { SCHEMAS } from '../../actors/formats/schema.js';
import { apiDocument } from '../connectors/http/api-document.js';
import { httpFacade } from '../connectors/http/http-facade.js';

const event = { event_type: 'view', event_time: '2026-01-02T03:04:05.678Z', user_id: '512', item_id: 'i1' };

const documented = async () => {
  const facade = await httpFacade();
  return { ...(await apiDocument(facade)), ask: facade.ask };
};

describe('an event', () => {
  it.each([
    {},
    {
      brand: null,
      price: null,
      rating: null,
      session_id: null,
      review_text: null,
      category_code: null,
      event_id: null,
    },
    { event_time: '2026-11-22 22:00:00 UTC' },
    { event_time: '2026-01-02' },
    { event_time: 1_700_000_000 },
    { event_type: 'cart' },
    { item_id: undefined, product_id: 'p', user_session: 's' },
    { event_type: undefined, item_id: undefined, movie_id: 7, rating: 4 },
    { event_time: undefined, timestamp: 1_700_000_000 },
    { colour: 'red' },
    { user_id: 7, item_id: 0 },
    { event_id: '', session_id: '' },
    { user_id: 'u'.repeat(256) },
    { event_type: 'rating', rating: 5 },
  ])('that is taken is as the document says: %j', async (more) => {
    const { ask, faultsIn } = await documented();
    expect(faultsIn('Event', { ...event, ...more })).toEqual([]);
    expect((await ask('/events', { method: 'POST', body: { ...event, ...more } })).status).toBe(200);
  });

  it.each([
    { user_id: '' },
    { item_id: '' },
    { user_id: null },
    { user_id: 'u'.repeat(257) },
    { brand: 'b'.repeat(257) },
    { event_type: 'look' },
    { event_type: 1 },
    { event_type: undefined },
    { event_type: 'rating' },
    { event_type: 'rating', rating: null },
    { event_type: undefined, movieId: 'i1' },
    { item_id: undefined },
    { product_id: {} },
    { event_time: -1 },
    { price: -1 },
  ])('that is refused is not: %j', async (more) => {
    const { ask, faultsIn } = await documented();
    expect(faultsIn('Event', { ...event, ...more })).not.toEqual([]);
    expect((await ask('/events', { method: 'POST', body: { ...event, ...more } })).status).toBe(400);
  });

  it.each(SCHEMAS)('of the schema %s has the names of that one', async (schema) => {
    const facade = await httpFacade({ reader: new EventReader({ schema }) });
    const { json, faultsIn } = await apiDocument(facade);
    const { schemas } = json['components'] as { schemas: Record<string, { examples: object[] }> };
    const [body] = schemas['Event']!.examples;
    expect(faultsIn('Event', body)).toEqual([]);
    expect((await facade.ask('/events', { method: 'POST', body: body! })).status).toBe(200);
    const other = { ...event, item_id: undefined, item: 'i1' };
    expect(faultsIn('Event', other)).not.toEqual([]);
    expect((await facade.ask('/events', { method: 'POST', body: other })).status).toBe(400);
  });
});
