/** GET /trending/stream: a list, live, over real sockets. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../runtime/contract/clock.js';
import { apiDocument } from '../connectors/http/api-document.js';
import { httpFacade, problemOf } from '../connectors/http/http-facade.js';
import { StreamReader } from '../connectors/http/stream-reader.js';
import { entries, entry, HandLists } from '../connectors/facade/trending/trending-lists.js';

describe('who listens', () => {
  it('gets the list now, then what changes, each as the document says', async () => {
    const facade = await httpFacade();
    const { port, lists } = facade;
    const document = await apiDocument(facade);
    const reader = await StreamReader.open(port, '?n=2');
    expect(reader.message.headers).toMatchObject({
      ...{ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
      'x-request-id': expect.any(String),
    });
    await expect.poll(() => reader.names).toEqual(['snapshot']);
    expect(reader.retryMs).toBe(2_000);
    expect(reader.items).toEqual(['1004856', '1005115']);

    lists.set(entries('new:20 1004856:12 1005115:7'));
    await expect.poll(() => reader.names).toEqual(['snapshot', 'delta']);
    const [, delta] = reader.events;
    expect(delta).toMatchObject({
      id: '2',
      data: {
        ...{ revision: 2, from_revision: 1, as_of: '2019-10-01T00:00:02.000Z', left: ['1005115'] },
        entered: [{ rank: 1, item_id: 'new', score: 20 }],
        moved: [{ rank: 2, item_id: '1004856' }],
      },
    });
    expect(reader.items).toEqual(['new', '1004856']);
    for (const { event, data } of reader.events) {
      const component = `Trending${event[0]!.toUpperCase()}${event.slice(1)}`;
      expect(document.faultsIn(component, data), event).toEqual([]);
    }
  });

  it('is not told of what is beyond its n, in another window or of another category', async () => {
    const { port, lists } = await httpFacade();
    const reader = await StreamReader.open(port, '?n=1');
    await expect.poll(() => reader.names).toEqual(['snapshot']);
    lists.set(entries('1004856:12 x:9'));
    lists.set(entries('y:1'), { window: 'day' });
    lists.set(entries('z:1'), { category: 'toys' });
    lists.set(entries('x:13 1004856:12'));
    await expect.poll(() => reader.names).toEqual(['snapshot', 'delta']);
    expect(reader.items).toEqual(['x']);
  });

  it('and comes back with Last-Event-ID gets what has changed meanwhile; of what is forgotten, the whole', async () => {
    const { port, lists } = await httpFacade();
    const first = await StreamReader.open(port);
    await expect.poll(() => first.events.at(-1)?.id).toBe('1');
    first.message.destroy();
    lists.set(entries('a:20 1004856:12'));
    const again = await StreamReader.open(port, '', { headers: { 'last-event-id': '1' } });
    await expect.poll(() => again.names).toEqual(['delta']);
    expect(again.events[0]).toMatchObject({ id: '2', data: { from_revision: 1, left: ['1005115', '1002544'] } });
    const newest = await StreamReader.open(port, '', { headers: { 'last-event-id': '2' } });
    await expect.poll(() => newest.names).toEqual(['heartbeat']);
    const stranger = await StreamReader.open(port, '', { headers: { 'last-event-id': '77' } });
    await expect.poll(() => stranger.names).toEqual(['snapshot']);
  });

  it('hears a heartbeat after 15 s in which nothing has changed', async () => {
    // It shows another time, and ticks as ever.
    const clock = { ...systemClock, aheadMs: 0, monotonicMs: () => performance.now() + clock.aheadMs };
    const { port, lists } = await httpFacade({ clock });
    const reader = await StreamReader.open(port);
    await expect.poll(() => reader.names).toEqual(['snapshot']);
    clock.aheadMs += 15_000;
    await expect.poll(() => reader.names).toEqual(['snapshot', 'heartbeat']);
    expect(reader.events[1]).toMatchObject({ id: '1', data: { revision: 1 } });
    lists.set(entries('a:1'));
    await expect.poll(() => reader.names).toEqual(['snapshot', 'heartbeat', 'delta']);
  });

  it('and reads slowly gets the newest state when it reads again, not all that was', async () => {
    const { port, server, lists } = await httpFacade();
    const reader = await StreamReader.open(port, '?n=100');
    await expect.poll(() => reader.names).toEqual(['snapshot']);
    const quick = await StreamReader.open(port, '?n=100');
    reader.message.pause();
    let revision = 1;
    const change = async (): Promise<void> => {
      revision++;
      lists.set(Array.from({ length: 100 }, (_, i) => entry(`${'long'.repeat(1_500)}-${revision}-${i}`, 1_000 - i)));
      await expect.poll(() => quick.events.at(-1)?.id).toBe(String(revision));
    };
    // Until its socket is full: from then on the messages to the quick one are more.
    const sentToSlow = (): number => server.trendingCounts().messagesSent - quick.events.length;
    for (let before = -1; sentToSlow() !== before;) {
      before = sentToSlow();
      for (let i = 0; i < 3; i++) await change();
    }
    await change();
    const heldBack = revision - sentToSlow();
    expect(heldBack).toBeGreaterThan(0);
    reader.message.resume();
    await expect.poll(() => reader.events.at(-1)?.id).toBe(String(revision));
    expect(reader.events.length).toBeLessThan(revision);
    expect(reader.items).toEqual(quick.items);
  });

  it('holds nothing when it has left', async () => {
    const { port, server, began, requests } = await httpFacade();
    const readers = await Promise.all(Array.from({ length: 20 }, () => StreamReader.open(port)));
    expect(server.trendingCounts()).toMatchObject({ subscribers: 20, lists: 1 });
    for (const { message } of readers) message.destroy();
    await expect.poll(() => server.trendingCounts().subscribers).toBe(0);
    await expect.poll(() => requests).toHaveLength(20);
    expect(began).toHaveLength(20);
    expect(requests[0]).toMatchObject({ route: 'GET /trending/stream', status: 200 });
  });
});

describe('a stream', () => {
  it('that cannot be read ends, and who comes back hears why', async () => {
    const lists = new HandLists();
    const { port, ask } = await httpFacade({ trending: lists });
    const reader = await StreamReader.open(port);
    await expect.poll(() => reader.names).toEqual(['snapshot']);
    lists.failure = new Error('a slip');
    lists.set(entries('a:1'));
    await reader.ended;
    expect(problemOf(await ask('/trending/stream'), 500).reason).toBe('INTERNAL');
  });

  it('ends when the node stops, at once, and no other begins', async () => {
    const { port, server, requests } = await httpFacade();
    const readers = await Promise.all(Array.from({ length: 5 }, () => StreamReader.open(port)));
    // A deadline that the test would not live to see.
    await server.stop(600_000);
    for (const reader of readers) {
      await reader.ended;
      expect(reader.names).toEqual(['snapshot']);
    }
    expect(requests.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });
});
