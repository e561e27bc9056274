/** GET /reco/{user_id}, /reco/random and /reco?user_id=…, over real sockets. */
import { describe, expect, it, vi } from 'vitest';
import type { Answer, RecommendationQuery } from '../../connectors/facade/ports.js';
import { deferred } from '../connectors/grpc/facade.js';
import { httpFacade, problemOf, RECOMMENDED } from '../connectors/http/http-facade.js';

/** A façade, and what it asked. */
async function asked(answer: Answer | Promise<Answer> = RECOMMENDED) {
  const get = vi.fn((_: RecommendationQuery) => answer);
  return { ...(await httpFacade({ answers: { get } })), get };
}

describe('GET /reco/{user_id}', () => {
  it.each(['at once', 'later'])('is the list of the user, when it is there %s', async (when) => {
    const { ask, get } = await asked(when === 'later' ? Promise.resolve(RECOMMENDED) : RECOMMENDED);
    const answer = await ask('/reco/512');
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      ...{
        user_id: '512',
        is_random: false,
        count: 2,
        model: 'streaming-popularity',
        strategy: 'category-popularity',
        as_of: '2019-10-01T00:05:00.250Z',
      },
      items: [
        {
          ...{ rank: 1, item_id: '1004856', score: 12.5, category: 'electronics', reason: 'popular in electronics' },
          type: 'streaming_category_popularity',
        },
        {
          ...{ rank: 2, item_id: '1005115', score: 3.25, category: 'electronics', reason: 'popular in electronics' },
          type: 'streaming_category_popularity',
        },
      ],
    });
    expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.text)));
    expect(get).toHaveBeenCalledWith({
      ...{ userId: '512', limit: 10, category: undefined, excludeSeen: false, explain: true },
    });
  });

  it('is for what was asked for, and no longer than that', async () => {
    const { ask, get } = await asked();
    const { json } = await ask('/reco/512?n=1&category=electronics&exclude_seen=true&strategy=hybrid');
    expect(json).toMatchObject({ count: 1, items: [{ item_id: '1004856' }] });
    const asked512 = { limit: 1, category: 'electronics', excludeSeen: true, strategy: 'hybrid' };
    expect(get.mock.calls[0]![0]).toMatchObject(asked512);
  });

  it('by a strategy that there is not is refused, with those that there are', async () => {
    const { ask } = await asked();
    const { json } = await ask('/reco/512?strategy=magic');
    const detail = 'is "magic": must be one of hybrid, category-popularity, co-visitation, als, als-trending, trending';
    expect(json).toMatchObject({ status: 400, errors: [{ field: 'strategy', detail }] });
  });

  it('takes any id that is escaped as paths are', async () => {
    const { ask, get } = await asked();
    for (const id of ['a b', 'ünïcode ☕', 'a/b', '..', '%41', '?', 'a+b', '💥'.repeat(64), '__proto__', 'random!']) {
      const { json } = await ask(`/reco/${encodeURIComponent(id)}`);
      expect(json).toMatchObject({ user_id: id, is_random: false });
      expect(get.mock.lastCall![0].userId).toBe(id);
    }
  });

  it.each(['user_id=%ff', 'user_id=%zz', 'user_id=7&category=%ff', 'user_id=100%'])('refuses ?%s', async (query) => {
    const { ask } = await asked();
    expect(problemOf(await ask(`/reco?${query}`), 400)).toMatchObject({
      ...{ reason: 'MALFORMED_REQUEST', detail: expect.stringContaining('not well escaped') },
    });
  });

  it('is the same as GET /reco?user_id=…, which takes every id, `random` too', async () => {
    const { ask } = await asked();
    for (const id of ['512', 'a/b', 'random', 'ünï ☕', '"quoted"']) {
      const { json } = await ask(`/reco?user_id=${encodeURIComponent(id)}&n=1`);
      expect(json).toMatchObject({ user_id: id, is_random: false, count: 1 });
    }
  });

  it('has an ETag of the list, not of the user or of the time', async () => {
    const first = RECOMMENDED.items.slice(0, 1);
    let answer: Answer = { ...RECOMMENDED, sameAs: first };
    const { ask } = await httpFacade({ answers: { get: () => answer } });
    const { etag } = (await ask('/reco/512')).headers;
    const again = async (path: string): Promise<number> =>
      (await ask(path, { headers: { 'if-none-match': etag! } })).status;
    expect(await again('/reco/512')).toBe(304);
    expect(await again('/reco/512?n=1')).toBe(200);
    // Tags of If-None-Match are compared weakly (RFC 9110).
    const strong = { 'if-none-match': `"other", ${etag!.replace('W/', '')}` };
    expect((await ask('/reco/512', { headers: strong })).status).toBe(304);
    answer = { ...answer, asOfMs: answer.asOfMs! + 1_000 };
    expect(await again('/reco/512')).toBe(304);
    answer = { ...RECOMMENDED, items: first };
    expect(await again('/reco/512')).toBe(200);
  });

  it('that may be out of date says so, and its age, also to who has the list', async () => {
    let answer: Answer = RECOMMENDED;
    const { ask } = await httpFacade({ answers: { get: () => answer } });
    const fresh = await ask('/reco/512');
    expect(fresh.json).not.toHaveProperty('stale');
    expect(fresh.headers).not.toHaveProperty('age');
    const again = () => ask('/reco/512', { headers: { 'if-none-match': fresh.headers['etag']! } });
    answer = { ...RECOMMENDED, staleMs: 6_999.5 };
    const stale = await again();
    expect([stale.status, stale.headers['age']]).toEqual([200, '6']);
    expect(stale.json).toEqual({ ...(fresh.json as object), stale: true });
    const known = await ask('/reco/512', { headers: { 'if-none-match': stale.headers['etag']! } });
    expect([known.status, known.headers['age']]).toEqual([304, '6']);
    answer = RECOMMENDED;
    expect((await again()).status).toBe(304);
  });

  it('before the first event is a list without a time', async () => {
    const { ask } = await asked({ items: [], model: 'streaming-popularity', strategy: 'category-popularity' });
    expect((await ask('/reco/512')).json).toEqual({
      ...{
        user_id: '512',
        is_random: false,
        count: 0,
        model: 'streaming-popularity',
        strategy: 'category-popularity',
        items: [],
      },
    });
  });

  it('that takes a while holds up nobody', async () => {
    const slow = deferred<Answer>();
    const get = ({ userId }: RecommendationQuery) => (userId === 'slow' ? slow.promise : RECOMMENDED);
    const { ask, began } = await httpFacade({ answers: { get } });
    const waiting = ask('/reco/slow');
    await expect.poll(() => began).toHaveLength(1);
    expect((await ask('/reco/512')).status).toBe(200);
    slow.resolve(RECOMMENDED);
    expect((await waiting).json).toMatchObject({ user_id: 'slow', count: 2 });
  });
});

describe('GET /reco/random', () => {
  it('is for somebody else each time, and kept by nobody', async () => {
    let next = 0;
    const { ask } = await httpFacade({ randomUsers: { next: () => `u${next++}` } });
    for (const user of ['u0', 'u1']) {
      const { json, headers } = await ask('/reco/random?n=1');
      expect(json).toMatchObject({ user_id: user, is_random: true, count: 1 });
      expect(headers['cache-control']).toBe('no-store');
      expect(headers).not.toHaveProperty('etag');
    }
  });

  it('is 404 while nobody is known', async () => {
    const { ask } = await httpFacade({ randomUsers: { next: () => Promise.resolve(undefined) } });
    const { reason, detail } = problemOf(await ask('/reco/random'), 404);
    expect({ reason, detail }).toEqual({ reason: 'NO_USERS', detail: expect.stringContaining('POST /events') });
  });
});
