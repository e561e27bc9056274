/** What the document says of an event is what POST /events takes, as far as a schema can say it. */
import { describe, expect, it } from 'vitest';
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
    { event_type: 'EVENT_TYPE_CART' },
    { event_type: 2 },
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
    { event_type: 0 },
    { event_type: 7 },
    { event_type: 'rating' },
    { event_type: 6, rating: null },
    { event_time: -1 },
    { price: -1 },
    { colour: 'red' },
  ])('that is refused is not: %j', async (more) => {
    const { ask, faultsIn } = await documented();
    expect(faultsIn('Event', { ...event, ...more })).not.toEqual([]);
    expect((await ask('/events', { method: 'POST', body: { ...event, ...more } })).status).toBe(400);
  });

  it('is said to have camelCase names too', async () => {
    const { ask, json } = await documented();
    const { schemas } = json['components'] as { schemas: Record<string, { description?: string }> };
    expect(schemas['Event']!.description).toContain('camelCase');
    const body = { eventType: 'view', eventTime: event.event_time, userId: '512', itemId: 'i1' };
    expect((await ask('/events', { method: 'POST', body })).status).toBe(200);
  });
});
