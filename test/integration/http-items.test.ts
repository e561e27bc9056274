/** GET /items/{item_id} over a socket. */
import { expect, it } from 'vitest';
import { httpFacade, ITEM } from '../connectors/http/http-facade.js';

it('tells what the catalogue knows of an item, once to who has it already', async () => {
  const { origin } = await httpFacade();
  const first = await fetch(`${origin}/items/${ITEM.itemId}`);
  expect(await first.json()).toEqual({
    ...{ item_id: ITEM.itemId, title: 'Blue kettle', category: 'kitchen.kettle', brand: 'acme', price: 24.9 },
    tags: ['hot', 'steel'],
    updated_at: '2019-10-01T00:00:00.000Z',
  });
  const again = await fetch(`${origin}/items/${ITEM.itemId}`, {
    headers: { 'if-none-match': first.headers.get('etag')! },
  });
  expect([again.status, await again.text()]).toEqual([304, '']);
});

it('says of one that is not there how it would come there', async () => {
  const { origin } = await httpFacade();
  const answer = await fetch(`${origin}/items/nobody-sells-this`);
  expect([answer.status, await answer.json()]).toEqual([
    404,
    expect.objectContaining({ reason: 'ITEM_UNKNOWN', detail: expect.stringContaining('rivulet.items.>') }),
  ]);
});

it('lists what is similar to an item, and says of one that nobody saw that it is not known', async () => {
  const { origin } = await httpFacade();
  const [known, unknown, wrong] = await Promise.all(
    [`${ITEM.itemId}/similar?n=5`, 'nothing/similar', `${ITEM.itemId}/similar?n=0`].map((path) =>
      fetch(`${origin}/items/${path}`),
    ),
  );
  expect(await known!.json()).toEqual({
    ...{ item_id: ITEM.itemId, count: 1 },
    items: [{ rank: 1, item_id: 'p-2', title: 'Red kettle', category: 'kitchen', score: 0.5 }],
  });
  expect([unknown!.status, await unknown!.json()]).toMatchObject([404, { reason: 'ITEM_UNKNOWN' }]);
  expect([wrong!.status, await wrong!.json()]).toMatchObject([400, { errors: [{ field: 'n' }] }]);
});

it('reports how good the lists are', async () => {
  const { origin } = await httpFacade();
  expect(await (await fetch(`${origin}/ranking`)).json()).toEqual({
    judged: 40,
    models: [{ model: 'popular', hit_rate: 0.25 }],
    weights: [{ feature: 'popular', weight: 0.5 }],
    factors: { trained_at: '2026-01-02T00:00:00.000Z', items: 900, rank: 32 },
    experiment: {
      name: 'lists',
      arms: [
        {
          ...{ arm: 'old', strategy: 'category-popularity', percent: 60, users: 0, impressions: 0, clicks: 0 },
          ...{ click_through_rate: null, hit_rate: null, p_value: null },
        },
        {
          ...{ arm: 'new', strategy: 'hybrid', percent: 40, users: 2, impressions: 20, clicks: 3 },
          ...{ click_through_rate: 0.15, hit_rate: 0.5, p_value: 0.25 },
        },
      ],
    },
  });
});

it('shows titles in recommendations, and anew when they have changed', async () => {
  const known: { title?: string } = {};
  const item = { itemId: 'a', rank: 1, score: 2, type: 'streaming_popular_fallback', reason: 'popular with everyone' };
  const { origin } = await httpFacade({
    answers: {
      get: () => ({
        items: [{ ...item, ...known, brand: 'acme', price: 3 }],
        model: 'm',
        strategy: 'category-popularity',
      }),
    },
  });
  const titleOf = async (): Promise<unknown> => {
    const answer = (await (await fetch(`${origin}/reco/ann`)).json()) as { items: { title?: string }[] };
    return answer.items[0]!.title;
  };
  expect(await titleOf()).toBeUndefined();
  known.title = 'Red kettle';
  expect(await titleOf()).toBe('Red kettle');
});
