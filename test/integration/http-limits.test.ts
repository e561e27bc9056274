/** What one client, or all of them, may do over HTTP: rate, requests and streams at once, bytes, connections. */
import { Agent } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RecommendationQuery } from '../../connectors/facade/ports.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { deferred } from '../connectors/grpc/facade.js';
import { hearer } from '../connectors/grpc/issuer.js';
import { connected, httpFacade, problemOf, RECOMMENDED } from '../connectors/http/http-facade.js';
import { StreamReader } from '../connectors/http/stream-reader.js';

/** A clock that stands still, so that no bucket fills by itself. */
const standing = () => {
  const clock = { ...systemClock, now: Date.now(), nowMs: () => clock.now, monotonicMs: () => clock.now };
  return clock;
};

describe('the rate', () => {
  it('of an address is bounded over its connections, whatever it asks; health is told all the same', async () => {
    const clock = standing();
    const { ask } = await httpFacade({ limits: { callsPerSecond: 2, callBurst: 3 }, clock });
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    expect((await ask('/reco/512', { agent })).status).toBe(200);
    problemOf(await ask('/nothing'), 404);
    problemOf(await ask('/reco/512?n=0'), 400);
    const answer = await ask('/trending', { agent });
    expect(problemOf(answer, 429)).toMatchObject({ reason: 'RATE_EXCEEDED', retry_after_seconds: 0.5 });
    expect(answer.headers['retry-after']).toBe('1');
    for (let i = 0; i < 9; i++) expect((await ask('/health')).status).toBe(200);
    clock.now += 500;
    expect((await ask('/trending')).status).toBe(200);
    problemOf(await ask('/trending'), 429);
  });
});

describe('at once', () => {
  it('a client may have so many requests that take time; one that ends makes room', async () => {
    const slow = deferred<typeof RECOMMENDED>();
    const get = ({ userId }: RecommendationQuery) => (userId === 'slow' ? slow.promise : Promise.resolve(RECOMMENDED));
    const { ask, began } = await httpFacade({ answers: { get }, limits: { callsPerClient: 2 } });
    const waiting = [ask('/reco/slow'), ask('/reco/slow')];
    await expect.poll(() => began).toHaveLength(2);
    const answer = await ask('/reco/512');
    expect(problemOf(answer, 429)).toMatchObject({ reason: 'TOO_MANY_CALLS', retry_after_seconds: 0.5 });
    // What is there at once is no matter of this.
    expect((await ask('/trending')).status).toBe(200);
    slow.resolve(RECOMMENDED);
    for (const one of await Promise.all(waiting)) expect(one.status).toBe(200);
    expect((await ask('/reco/512')).status).toBe(200);
  });

  it('a body that is still sent counts: it is in memory', async () => {
    const { ask, port, began } = await httpFacade({ limits: { callsPerClient: 1 } });
    const socket = await connected(port);
    socket.write(
      'POST /events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    );
    await expect.poll(() => began).toHaveLength(1);
    const publish = () => ask('/events', { method: 'POST', body: {} });
    expect(problemOf(await publish(), 429).reason).toBe('TOO_MANY_CALLS');
    expect((await ask('/trending')).status).toBe(200);
    socket.destroy();
    await expect.poll(async () => (await publish()).status).toBe(400);
  });

  it('also one whose requests fail, or are wrong, has its place back', async () => {
    const get = () => Promise.reject(new Error('a slip'));
    const { ask } = await httpFacade({ answers: { get }, limits: { callsPerClient: 1 } });
    for (let i = 0; i < 3; i++) {
      problemOf(await ask('/reco/512'), 500);
      problemOf(await ask('/dead-letters?cursor=broken'), 400);
      problemOf(await ask('/dead-letters/8-0/retry', { method: 'POST' }), 404);
      problemOf(await ask('/events', { method: 'POST', body: {} }), 400);
    }
  });

  it('it may have so many streams, which are no requests under way', async () => {
    const { ask, port } = await httpFacade({ limits: { streamsPerClient: 2, callsPerClient: 1 } });
    const [first] = [await StreamReader.open(port), await StreamReader.open(port)];
    const answer = await ask('/trending/stream');
    expect(problemOf(answer, 429).reason).toBe('TOO_MANY_STREAMS');
    expect(answer.headers['retry-after']).toBe('1');
    expect((await ask('/dead-letters')).status).toBe(200);
    problemOf(await ask('/trending/stream?ranking=velocity'), 429);
    first.message.destroy();
    await expect.poll(async () => (await StreamReader.open(port)).message.statusCode).toBe(200);
  });

  it('a stream that is refused takes no place', async () => {
    const { ask, port } = await httpFacade({ limits: { streamsPerClient: 1 } });
    for (let i = 0; i < 3; i++) problemOf(await ask('/trending/stream?ranking=velocity'), 409);
    expect((await StreamReader.open(port)).message.statusCode).toBe(200);
  });
});

describe('bytes', () => {
  it('of a body are bounded: by as much as is said', async () => {
    const { ask } = await httpFacade({ limits: { bodyBytesMax: 256 } });
    const headers = { 'content-type': 'application/json' };
    const body = (bytes: number): string => JSON.stringify({ x: 'y'.repeat(bytes - 8) });
    expect(body(256)).toHaveLength(256);
    problemOf(await ask('/events', { method: 'POST', body: body(256), headers }), 400);
    problemOf(await ask('/events', { method: 'POST', body: body(257), headers }), 413);
  });

  it('of headers are bounded', async () => {
    const { ask } = await httpFacade({ limits: { headerBytesMax: 2_000 } });
    expect((await ask('/health', { headers: { x: 'y'.repeat(1_000) } })).status).toBe(200);
    const answer = await ask('/health', { headers: { x: 'y'.repeat(2_000) } });
    expect(problemOf(answer, 431).reason).toBe('HEADERS_TOO_LARGE');
  });
});

describe('connections', () => {
  it('above the limit are closed, and the log says so; one that ends makes room', async () => {
    const { lines, logger } = hearer();
    const { ask, port } = await httpFacade({ limits: { connectionsMax: 2 }, logger });
    const kept = [await connected(port), await connected(port)];
    const one = await connected(port);
    await new Promise((resolve) => one.once('close', resolve));
    await expect.poll(() => lines.join()).toContain('HTTP connections are turned away');
    kept[0]!.destroy();
    await expect.poll(async () => (await ask('/health').catch(() => undefined))?.status).toBe(200);
  });

  it('that are not used are closed', async () => {
    const { port } = await httpFacade({ limits: { keepAliveMs: 50 } });
    const socket = await connected(port);
    socket.write('GET /health HTTP/1.1\r\nhost: a\r\n\r\n');
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  });
});
