/** StreamTrending over real sockets. */
import { setTimeout as sleep } from 'node:timers/promises';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import type { TrendingUpdate } from '../../connectors/grpc/client/client.js';
import type { TrendingState } from '../../connectors/grpc/client/trending.js';
import type { CallError } from '../../connectors/grpc/client/call-error.js';
import { readDetails } from '../../connectors/grpc/server/status-details.js';
import { transient } from '../../runtime/contract/errors.js';
import { bareClient, facade, failure } from '../connectors/grpc/facade.js';
import { entries, entry, HandLists, Subscriber } from '../connectors/facade/trending/trending-lists.js';
import { eventually } from '../support/eventually.js';

const METHOD = 'rivulet.v1.TrendingService/StreamTrending';
const textOf = ({ items }: TrendingUpdate): string => items.map(({ itemId, score }) => `${itemId}:${score}`).join(' ');

async function listsAndFacade(given: Parameters<typeof facade>[0] = {}) {
  const lists = new HandLists();
  lists.set(entries('a:3 b:2 c:1'));
  return { lists, ...(await facade({ trending: lists, ...given })) };
}

async function firstOf<T>(updates: AsyncGenerator<T>): Promise<T> {
  const { value, done } = await updates.next();
  if (done === true) throw new Error('the stream has ended');
  return value;
}

describe('a subscriber', () => {
  it('gets the list with all its fields, then what changes in it', async () => {
    const { lists, client, calls } = await listsAndFacade();
    lists.set([entry('a', 3, 'toys'), entry('b', 2), entry('c', 1)]);
    const updates = client.streamTrending({ limit: 2 });
    expect(await firstOf(updates)).toEqual({
      revision: 2,
      asOfMs: Date.UTC(2019, 9, 1, 0, 0, 2),
      window: { startMs: Date.UTC(2019, 9, 1), endMs: Date.UTC(2019, 9, 1, 1) },
      items: [
        { itemId: 'a', rank: 1, score: 3, views: 3, clicks: 0, category: 'toys', velocity: 1.5 },
        { itemId: 'b', rank: 2, score: 2, views: 2, clicks: 0, category: undefined, velocity: 1 },
      ],
      ...{ entered: [], moved: [], left: [] },
    });
    lists.set(entries('b:5 c:4 a:3'));
    const next = await firstOf(updates);
    expect([textOf(next), next.revision]).toEqual(['b:5 c:4', 3]);
    expect(next).toMatchObject({ entered: ['c'], moved: [{ itemId: 'b', from: 2, to: 1 }], left: ['a'] });
    await updates.return(undefined);
    await eventually(() => expect(calls).toMatchObject([{ method: METHOD, code: 'CANCELLED' }]));
  });

  it('of a window, a ranking and a category gets that list, of an unknown category an empty one', async () => {
    const { lists, client } = await listsAndFacade();
    lists.rankings.add('velocity');
    lists.set(entries('d:1'), { window: 'day', ranking: 'velocity', category: 'toys' });
    const query = { window: 'day', ranking: 'velocity' } as const;
    expect(textOf(await firstOf(client.streamTrending({ ...query, category: 'toys' })))).toBe('d:1');
    const unknown = client.streamTrending({ ...query, category: 'unheard of' });
    expect(await firstOf(unknown)).toMatchObject({ revision: 0, items: [], window: undefined, asOfMs: undefined });
    lists.set(entries('e:1'), { ...query, category: 'unheard of' });
    expect(textOf(await firstOf(unknown))).toBe('e:1');
  });

  it('goes on from a revision, or gets the list anew when the node does not know it', async () => {
    const { lists, address } = await listsAndFacade();
    const client = bareClient(address);
    const first = new Subscriber(client);
    await eventually(() => expect(first.text).toBe('a:3 b:2 c:1'));
    first.call.cancel();
    const same = new Subscriber(client, { afterRevision: 1n }, first.state);
    await eventually(() => expect(same.kinds).toEqual(['heartbeat']));
    lists.set(entries('a:3 b:2'));
    await eventually(() => expect([same.kinds, same.text]).toEqual([['heartbeat', 'delta'], 'a:3 b:2']));
    const behind = new Subscriber(client, { afterRevision: 1n }, first.state);
    const elsewhere = new Subscriber(client, { afterRevision: 99n });
    await eventually(() => expect([behind.kinds, behind.text]).toEqual([['delta'], 'a:3 b:2']));
    await eventually(() => expect([elsewhere.kinds, elsewhere.text]).toEqual([['snapshot'], 'a:3 b:2']));
  });

  it('of a list that stands still is told as of when it stands', async () => {
    const { lists, address } = await listsAndFacade();
    const client = bareClient(address);
    const subscriber = async (state?: TrendingState): Promise<Subscriber> => {
      const one = new Subscriber(client, { afterRevision: BigInt(state?.revision ?? 0) }, state);
      await eventually(() => expect(one.messages).toHaveLength(1));
      return one;
    };
    const { state } = await subscriber();
    const laterMs = state!.asOfMs! + 90_000;
    lists.set(entries('a:3 b:2 c:1'), { revision: 1, asOfMs: laterMs });
    const later = await subscriber(state);
    expect([later.kinds, timestampMs(later.messages[0]!.asOf!)]).toEqual([['heartbeat'], laterMs]);
    const anew = await subscriber();
    expect([anew.kinds, anew.state?.asOfMs]).toEqual([['snapshot'], laterMs]);
  });

  it('has new titles at once, who follows it and who comes or comes back', async () => {
    const { lists, address } = await listsAndFacade();
    const client = bareClient(address);
    const named = (title: string, price: number, text: string) =>
      entries(text).map((one) => (one.itemId === 'b' ? { ...one, title, brand: 'acme', price } : one));
    const titleOf = (one: Subscriber) => one.state?.items.find(({ itemId }) => itemId === 'b');
    lists.set(named('Lamp', 5, 'a:3 b:2'));
    const early = new Subscriber(client);
    await eventually(() => expect(titleOf(early)).toMatchObject({ title: 'Lamp', brand: 'acme', price: 5 }));
    const { revision } = early.state!;
    lists.set(named('Big lamp', 0, 'a:3 b:2'), { revision });
    const late = new Subscriber(client);
    const back = new Subscriber(client, { afterRevision: BigInt(revision) });
    for (const one of [early, late, back]) {
      await eventually(() => expect(titleOf(one)).toMatchObject({ title: 'Big lamp', price: 0 }));
      expect(one.state?.revision).toBe(revision);
    }
    lists.set(named('Big lamp', 0, 'a:4 b:2'), { revision: revision + 1 });
    for (const one of [early, late, back]) {
      await eventually(() => expect(one.state?.revision).toBe(revision + 1));
      expect(titleOf(one)?.title).toBe('Big lamp');
    }
  });

  it('that does not read is sent what fits the connection, then one delta to what is newest', async () => {
    const { lists, server, address } = await listsAndFacade();
    const slow = new Subscriber(bareClient(address), { limit: 100 });
    await eventually(() => expect(slow.messages).toHaveLength(1));
    slow.call.pause();
    const big = (n: number) => Array.from({ length: 100 }, (_, i) => entry(`${i}-`.padEnd(250, 'x'), 1000 + n - i));
    // Until nothing is sent any more: the connection is full.
    let [n, quiet] = [0, 0];
    for (let sent = -1; quiet < 20; n++) {
      lists.set(big(n));
      await sleep(15);
      const { messagesSent } = server.trendingCounts()!;
      quiet = messagesSent === sent ? quiet + 1 : 0;
      sent = messagesSent;
    }
    const { messagesSent } = server.trendingCounts()!;
    expect(messagesSent).toBeLessThan(n - 10);
    slow.call.resume();
    await eventually(() => expect(slow.state?.revision).toBe(n + 1));
    expect(slow.messages).toHaveLength(messagesSent + 1);
    expect(slow.state?.items.map(({ itemId }) => itemId)).toEqual(big(n - 1).map(({ itemId }) => itemId));
  });

  it('that is gone leaves nothing behind, however it went', async () => {
    const { server, client, calls } = await listsAndFacade();
    const stop = new AbortController();
    const running = [
      failure(drained(client.streamTrending({}, { deadlineMs: 5_000 }))),
      failure(drained(client.streamTrending({}, { signal: stop.signal }))),
    ];
    await eventually(() => expect(server.trendingCounts()).toMatchObject({ subscribers: 2 }));
    stop.abort();
    const [late, cancelled] = await Promise.all(running);
    expect([late!.status, cancelled!.status]).toEqual(['DEADLINE_EXCEEDED', 'CANCELLED']);
    await eventually(() => expect(server.trendingCounts()).toMatchObject({ subscribers: 0 }));
    expect(calls.map(({ code }) => code)).toContain('CANCELLED');
    expect(calls).toHaveLength(2);
  });
});

async function drained(updates: AsyncGenerator<TrendingUpdate>): Promise<string[]> {
  const seen: string[] = [];
  for await (const update of updates) seen.push(textOf(update));
  return seen;
}

describe('a question', () => {
  it.each([
    ['limit', { limit: 101 }],
    ['category', { category: 'a\nb' }],
    ['window', { window: 7 }],
    ['ranking', { ranking: 7 }],
  ])('with a wrong %s is refused by its name', async (field, request) => {
    const { address } = await listsAndFacade();
    const { code, metadata } = await new Subscriber(bareClient(address), request as object).ended;
    expect(code).toBe(3);
    expect(readDetails(metadata).violations).toMatchObject([
      { field, description: expect.stringMatching(/must|take it out/) },
    ]);
  });

  it('for a ranking that is not made names the setting', async () => {
    const { client } = await listsAndFacade();
    const error = await failure(firstOf(client.streamTrending({ ranking: 'decayed' })));
    expect(error).toMatchObject({ status: 'FAILED_PRECONDITION', reason: 'RANKING_NOT_MADE', reaction: 'fatal' });
    expect(error.message).toContain('pipeline.trending.rankings');
  });

  it('while the lists are restored, or there are none, says so', async () => {
    const { lists, client } = await listsAndFacade();
    lists.failure = transient('VIEW_RESTORING', 'the lists are being restored');
    const error = await failure(firstOf(client.streamTrending()));
    expect(error).toMatchObject({ status: 'UNAVAILABLE', reason: 'VIEW_RESTORING', retryAfterMs: 500 });
    const without = await facade();
    expect((await failure(firstOf(without.client.streamTrending()))).status).toBe('UNIMPLEMENTED');
  });

  it('of a client that has too many subscriptions is refused', async () => {
    const { client } = await listsAndFacade({ limits: { streamsPerClient: 1, callsPerClient: 1 } });
    const one = client.streamTrending();
    await firstOf(one);
    const error = await failure(firstOf(client.streamTrending()));
    expect(error).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_STREAMS', retryAfterMs: 500 });
    // Which leaves its single calls alone.
    expect((await client.getRecommendations({ userId: '512' })).items).toHaveLength(2);
    await one.return(undefined);
  });
});

it('has a health of its own, where there are lists', async () => {
  const { server, client } = await listsAndFacade();
  server.setServing(true);
  expect(await client.health('rivulet.v1.TrendingService')).toBe('SERVING');
  const without = await facade();
  expect((await failure(without.client.health('rivulet.v1.TrendingService'))).status).toBe('NOT_FOUND');
});

describe('a stop', () => {
  it('ends streams with a hint when to come back, and does not wait for them', async () => {
    const { lists, server, client, calls } = await listsAndFacade();
    const updates = client.streamTrending({}, { reconnect: false });
    await firstOf(updates);
    // A deadline that the test would not live to see.
    await server.stop(600_000);
    const error = await failure(firstOf(updates));
    expect(error).toMatchObject({ status: 'UNAVAILABLE', reason: 'NODE_STOPPING', retryAfterMs: 500 });
    expect(calls).toMatchObject([{ method: METHOD, code: 'UNAVAILABLE' }]);
    expect(lists.followers).toBe(0);
  });

  it('is outlasted by a client, which goes on at the next node from what it has', async () => {
    const { lists, server, client } = await listsAndFacade();
    const interruptions: (readonly [CallError, number])[] = [];
    const updates = client.streamTrending(
      {},
      { onInterrupted: (error, retryMs) => void interruptions.push([error, retryMs]) },
    );
    await firstOf(updates);
    const change = firstOf(updates);
    await server.stop(1000);
    const { server: next } = await facade({ trending: lists, port: server.port });
    // What it has is what there is: it is told so, and no more.
    await eventually(() => expect(next.trendingCounts()).toMatchObject({ messagesSent: 1 }));
    lists.set(entries('d:9 a:3 b:2'));
    expect(await change).toMatchObject({ revision: 2, entered: ['d'], left: ['c'] });
    expect(interruptions.length).toBeGreaterThan(0);
    expect(interruptions[0]).toMatchObject([{ status: 'UNAVAILABLE' }, expect.any(Number)]);
    expect(interruptions[0]![1]).toBeGreaterThanOrEqual(500);
    await updates.return(undefined);
  });
});
