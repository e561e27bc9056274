/** GET /trending, over real sockets. */
import { describe, expect, it } from 'vitest';
import { transient } from '../../runtime/contract/errors.js';
import { httpFacade, problemOf } from '../connectors/http/http-facade.js';
import { entries, HandLists } from '../connectors/facade/trending/trending-lists.js';

interface List {
  readonly count: number;
  readonly items: readonly { readonly item_id: string }[];
}

const idsOf = (json: unknown): string[] => (json as List).items.map(({ item_id: id }) => id);

describe('GET /trending', () => {
  it('is the list of the hour, best first, with what it is as of', async () => {
    const { ask, lists } = await httpFacade();
    lists.set(entries('a:5 b:3'));
    const answer = await ask('/trending');
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      ...{ window: '1h', ranking: 'score', revision: 2, count: 2, as_of: '2019-10-01T00:00:02.000Z' },
      ...{ window_start: '2019-10-01T00:00:00.000Z', window_end: '2019-10-01T01:00:00.000Z' },
      items: [
        { rank: 1, item_id: 'a', score: 5, views: 5, clicks: 0, velocity: 2.5 },
        { rank: 2, item_id: 'b', score: 3, views: 3, clicks: 0, velocity: 1.5 },
      ],
    });
    expect(answer.headers).toMatchObject({
      ...{ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-cache' },
      etag: expect.stringMatching(/^W\/"/),
    });
  });

  it('is of the window, the ranking and the category that are asked for, up to n', async () => {
    const lists = new HandLists();
    lists.rankings.add('velocity');
    lists.set(entries('a:5 b:3 c:1'));
    lists.set(entries('d:9'), { window: 'day' });
    lists.set(entries('g:4'), { window: 'last-hour' });
    lists.set(entries('e:7'), { ranking: 'velocity' });
    lists.set(entries('f:2'), { category: 'toys & games' });
    const { ask } = await httpFacade({ trending: lists });
    const ids = async (query: string): Promise<string[]> => idsOf((await ask(`/trending${query}`)).json);
    expect(await ids('?n=2')).toEqual(['a', 'b']);
    expect(await ids('?window=24h')).toEqual(['d']);
    expect(await ids('?window=last-hour')).toEqual(['g']);
    expect(await ids('?ranking=velocity')).toEqual(['e']);
    expect(await ids('?category=toys%20%26%20games')).toEqual(['f']);
    expect(await ids('?category=toys+%26+games')).toEqual(['f']);
    expect((await ask('/trending?category=nothing')).json).toEqual({
      ...{ window: '1h', ranking: 'score', category: 'nothing', revision: 0, count: 0, items: [] },
    });
  });

  it('is 304 until the list changes', async () => {
    const { ask, lists } = await httpFacade();
    const { etag } = (await ask('/trending')).headers;
    const again = () => ask('/trending', { headers: { 'if-none-match': etag! } });
    expect(await again()).toMatchObject({ status: 304, text: '', headers: { etag } });
    lists.set(entries('z:1'));
    const changed = await again();
    expect(changed.status).toBe(200);
    expect(idsOf(changed.json)).toEqual(['z']);
    expect((await ask('/trending?n=1', { headers: { 'if-none-match': '*' } })).status).toBe(304);
  });

  it('that is being restored is asked for again', async () => {
    const { ask, lists } = await httpFacade();
    lists.failure = transient('VIEW_RESTORING', 'the lists are being restored');
    const answer = await ask('/trending');
    expect(problemOf(answer, 503)).toMatchObject({ reason: 'VIEW_RESTORING', retry_after_seconds: 0.5 });
    expect(answer.headers['retry-after']).toBe('1');
  });
});
