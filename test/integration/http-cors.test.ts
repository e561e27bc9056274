/** Pages of other sites, over real sockets: those of the list may ask, no other may send anything. */
import { describe, expect, it, vi } from 'vitest';
import { type Asked, httpFacade, problemOf } from '../connectors/http/http-facade.js';
import { keyFile, keySet, RULES, signingKey } from '../connectors/grpc/issuer.js';

const SHOP = 'https://shop.example.com';
const EVIL = 'https://evil.example.com';
const event = { event_type: 'view', event_time: '2026-01-02T03:04:05.678Z', user_id: '512', item_id: 'i1' };
const from = (origin: string, more: Record<string, string> = {}): Asked => ({ headers: { origin, ...more } });
const sent = (headers: Record<string, string>): Asked => ({ method: 'POST', body: event, headers });
const preflight = (origin: string, method: string): Asked => ({
  method: 'OPTIONS',
  headers: {
    ...{ origin, 'access-control-request-method': method },
    'access-control-request-headers': 'authorization,content-type',
  },
});

describe('a page of a site that is on the list', () => {
  it('may read answers, refusals too, and the headers that they come with', async () => {
    const { ask } = await httpFacade({ origins: [SHOP] });
    for (const [path, status] of [
      ['/reco/512', 200],
      ['/reco/512?n=0', 400],
      ['/nothing', 404],
      ['/trending', 200],
    ] as const) {
      const { headers, ...answer } = await ask(path, from(SHOP));
      expect(answer.status, path).toBe(status);
      expect(headers['access-control-allow-origin'], path).toBe(SHOP);
      expect(headers['access-control-expose-headers']).toContain('x-request-id');
      expect(headers.vary?.toLowerCase()).toContain('origin');
    }
  });

  it('has each header that its answer depends on named to caches', async () => {
    const { ask } = await httpFacade({ origins: [SHOP] });
    for (const [path, header] of [
      ['/', 'accept'],
      ['/ui/', 'accept-encoding'],
      ['/docs/', 'accept-encoding'],
      ['/docs/swagger-ui.css', 'accept-encoding'],
    ] as const) {
      for (const asked of [from(SHOP), {}]) {
        const vary = (await ask(path, asked)).headers.vary?.toLowerCase().split(/, */);
        expect(vary, path).toEqual(expect.arrayContaining(['origin', header]));
      }
    }
  });

  it('may ask whether it may send, also where tokens are asked for: a browser has none at that point', async () => {
    const auth = { ...RULES, keys: { file: keyFile(keySet(await signingKey('k1'))).path } };
    for (const more of [{}, { auth }]) {
      const { ask, began, requests } = await httpFacade({ origins: [SHOP], ...more });
      const { status, headers } = await ask('/events', preflight(SHOP, 'POST'));
      expect(status).toBe(204);
      expect(headers).toMatchObject({
        'access-control-allow-origin': SHOP,
        'access-control-allow-methods': expect.stringContaining('POST'),
        'access-control-allow-headers': 'authorization,content-type',
        'access-control-max-age': '600',
        'x-request-id': expect.any(String),
      });
      expect([began.length, requests.length]).toEqual([1, 1]);
    }
  });

  it('may read that its token is missing, and send', async () => {
    const auth = { ...RULES, keys: { file: keyFile(keySet(await signingKey('k1'))).path } };
    const { ask } = await httpFacade({ origins: [SHOP], auth });
    const answer = await ask('/reco/512', from(SHOP));
    expect(problemOf(answer, 401).reason).toBe('TOKEN_MISSING');
    expect(answer.headers['access-control-allow-origin']).toBe(SHOP);
    const open = await httpFacade({ origins: [SHOP] });
    expect((await open.ask('/events', sent({ origin: SHOP }))).status).toBe(200);
  });

  it('may listen to the stream', async () => {
    const { port } = await httpFacade({ origins: [SHOP] });
    const controller = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}/trending/stream`, {
      headers: { origin: SHOP },
      signal: controller.signal,
    });
    expect(response.headers.get('access-control-allow-origin')).toBe(SHOP);
    controller.abort();
  });
});

describe('a page of another site', () => {
  it('is told nothing that a browser would let it read', async () => {
    for (const origins of [[], [SHOP]]) {
      const { ask } = await httpFacade({ origins });
      for (const asked of [from(EVIL), preflight(EVIL, 'POST'), from(`${SHOP}.evil.example.com`), from('null')]) {
        expect((await ask('/reco/512', asked)).headers).not.toHaveProperty('access-control-allow-origin');
      }
    }
  });

  it.each([
    EVIL,
    'null',
    'http://shop.example.com',
    `${SHOP}:8443`,
    `${SHOP}.evil.example.com`,
    'file://',
    'no origin',
  ])('may not send anything: %s', async (origin) => {
    const publish = vi.fn(() => Promise.resolve());
    const { ask } = await httpFacade({ origins: [SHOP], publisher: { publish } });
    const { reason, metadata } = problemOf(await ask('/events', sent({ origin })), 403);
    expect({ reason, metadata }).toEqual({ reason: 'ORIGIN_NOT_ALLOWED', metadata: { setting: 'httpCorsOrigins' } });
    // What a form of any page can send without being asked.
    const form = { method: 'POST', headers: { origin, 'content-type': 'text/plain' }, body: '{}' };
    problemOf(await ask('/dead-letters/7-0/retry', form), 403);
    expect(publish).not.toHaveBeenCalled();
  });
});

describe('our own page', () => {
  it.each([
    ['from here', 'http://127.0.0.1:8080', '127.0.0.1:8080'],
    ['by a name', 'http://localhost:8080', 'localhost:8080'],
    ['behind a proxy that speaks TLS', 'https://rivulet.example.com', 'rivulet.example.com'],
    ['behind one with a port', 'https://rivulet.example.com:8443', 'rivulet.example.com:8443'],
  ])('may send: %s', async (_, origin, host) => {
    const isHere = /127|localhost/.test(host);
    // Of a proxy before a node on loopback the name has to be said; beyond it, none.
    for (const options of isHere ? [{}] : [{ origins: [origin] }, { host: '0.0.0.0' }]) {
      const { ask } = await httpFacade(options);
      expect((await ask('/events', sent({ origin, host }))).status).toBe(200);
    }
  });

  it('may call the node by its names in any case', async () => {
    const { ask, port } = await httpFacade({ origins: [SHOP] });
    for (const host of [`LOCALHOST:${port}`, 'LocalHost', 'Shop.Example.COM']) {
      expect((await ask('/reco/512', { headers: { host } })).status, host).toBe(200);
      const origin = `http://${host.toLowerCase()}`;
      expect((await ask('/events', sent({ host, origin }))).status, host).toBe(200);
    }
  });

  it('is not one whose name leads here all of a sudden', async () => {
    const { ask } = await httpFacade({ origins: [SHOP] });
    for (const host of ['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example']) {
      const asked = { headers: { host, origin: `http://${host}` } };
      expect(problemOf(await ask('/reco/512', asked), 403).reason, host).toBe('HOST_NOT_KNOWN');
      expect((await ask('/events', sent({ host, origin: `http://${host}` }))).status).toBe(403);
      expect((await ask('/health', asked)).status).toBe(200);
    }
  });

  it('and programs, which name no origin, may too', async () => {
    const { ask } = await httpFacade({ origins: [SHOP] });
    expect((await ask('/events', sent({}))).status).toBe(200);
  });
});

describe('a path that there is not', () => {
  it('stays 404 where there is a list: preflights are for any path, and are nothing at it', async () => {
    const { ask } = await httpFacade({ origins: [SHOP] });
    expect(problemOf(await ask('/nothing'), 404).reason).toBe('NOT_FOUND');
    expect((await ask('/reco/512', { method: 'DELETE' })).headers.allow).toBe('GET, HEAD');
    expect((await ask('/events', { method: 'OPTIONS' })).status).toBeLessThan(300);
  });
});
