/** The OpenAPI document: it is sound, it is whole, and what the façade answers is what it says. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { apiDocument, type Operation } from '../connectors/http/api-document.js';
import { Certificates } from '../connectors/grpc/certificates.js';
import { keyFile, keySet, RULES, signingKey } from '../connectors/grpc/issuer.js';
import { type Asked, httpFacade, type HttpFacade } from '../connectors/http/http-facade.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const event = { event_type: 'view', event_time: '2026-01-02T03:04:05.678Z', user_id: '512', item_id: 'i1' };
const BROWSER = { accept: 'text/html' };

/** Something to ask of each operation, by its id, for each status that it can have here. */
const QUESTIONS: Readonly<Record<string, readonly (readonly [status: number, path: string, asked?: Asked])[]>> = {
  getRoot: [
    [200, '/'],
    [303, '/', { headers: BROWSER }],
  ],
  getHealth: [[200, '/health']],
  getMetrics: [[200, '/metrics']],
  getOpenapiJson: [[200, '/openapi.json']],
  getItemsByItemId: [
    [200, '/items/1004856'],
    [404, '/items/nobody-sells-this'],
  ],
  getItemsByItemIdSimilar: [
    [200, '/items/1004856/similar?n=5&category=kitchen'],
    [400, '/items/1004856/similar?n=0'],
    [404, '/items/nobody-sells-this/similar'],
  ],
  getRanking: [[200, '/ranking']],
  getItemsUnknown: [
    [200, '/items/unknown'],
    [200, '/items/unknown?limit=1'],
    [400, '/items/unknown?cursor=x'],
  ],
  getRecoByUserId: [
    [200, '/reco/512'],
    [200, '/reco/512?n=1&category=electronics&exclude_seen=true'],
    [400, '/reco/512?n=0'],
  ],
  getReco: [
    [200, '/reco?user_id=a%2Fb'],
    [400, '/reco'],
  ],
  getRecoRandom: [
    [200, '/reco/random'],
    [400, '/reco/random?n=101'],
  ],
  getTrending: [
    [200, '/trending?window=24h&n=3&category=electronics'],
    [400, '/trending?window=2h'],
    [409, '/trending?ranking=velocity'],
  ],
  getTrendingStream: [
    [400, '/trending/stream?n=x'],
    [409, '/trending/stream?ranking=decayed'],
  ],
  postEvents: [
    [200, '/events', { method: 'POST', body: event }],
    [200, '/events', { method: 'POST', body: [event, { event_type: 'view' }] }],
    [400, '/events', { method: 'POST', body: { event_type: 'view' } }],
    [403, '/events', { method: 'POST', body: event, headers: { origin: 'https://evil.example.com' } }],
    [415, '/events', { method: 'POST', body: 'x', headers: { 'content-type': 'text/html' } }],
  ],
  getSchemasEvents: [[200, '/schemas/events']],
  getSchemasEventsViewEventJson: [[200, '/schemas/events/view_event.json']],
  getSchemasEventsClickEventJson: [[200, '/schemas/events/click_event.json']],
  getSchemasEventsRatingEventJson: [[200, '/schemas/events/rating_event.json']],
  getDeadLetters: [
    [200, '/dead-letters?limit=1&rule=price&retried=false'],
    [400, '/dead-letters?cursor=broken'],
  ],
  getDeadLettersById: [
    [200, '/dead-letters/7-0'],
    [404, '/dead-letters/8-0'],
  ],
  getDeadLettersByIdOriginal: [
    [200, '/dead-letters/7-0/original'],
    [404, '/dead-letters/8-0/original'],
  ],
  postDeadLettersByIdRetry: [
    [200, '/dead-letters/7-0/retry', { method: 'POST' }],
    [200, '/dead-letters/7-1/retry?again=true', { method: 'POST', body: { set: { price: 1 } } }],
    [400, '/dead-letters/7-0/retry', { method: 'POST', body: { unset: {} } }],
    [404, '/dead-letters/8-0/retry', { method: 'POST' }],
    [409, '/dead-letters/7-1/retry', { method: 'POST' }],
  ],
  getLateEvents: [
    [200, '/late-events?limit=200'],
    [400, '/late-events?limit=201'],
  ],
  getStatus: [[200, '/status']],
};

/** Routes that answer browsers, and those of the frame. */
const HIDDEN = ['GET /docs', 'GET /docs/*', 'GET /ui', 'GET /ui/*', 'OPTIONS *'];

describe('the document', () => {
  it('is sound OpenAPI 3.1', async () => {
    const { json } = await apiDocument(await httpFacade());
    const { valid, errors } = await new Validator().validate(structuredClone(json));
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
    expect(json['openapi']).toBe('3.1.0');
  });

  it('describes each route, and each thing that one can say to it', async () => {
    const { operations, json } = await apiDocument(await httpFacade());
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const operation of operations as readonly (Operation & { tags?: string[]; summary?: string })[]) {
      const name = `${operation.method} ${operation.path}`;
      expect(operation.tags, name).toHaveLength(1);
      expect(operation.summary, name).toMatch(/^[A-Z]/);
      for (const { name: parameter, description, schema } of operation.parameters) {
        expect(description, `${name} ${parameter}`).toMatch(/^[A-Z]/);
        expect(schema, `${name} ${parameter}`).toHaveProperty('type');
      }
      expect(
        [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, one]) => one),
        name,
      ).toEqual(operation.parameters.flatMap((one) => (one.in === 'path' && one.required ? [one.name] : [])));
    }
    const tags = (json['tags'] as { name: string; description?: string }[]).filter((one) => !one.description);
    expect(tags).toEqual([]);
  });

  it('has limits and defaults as they hold', async () => {
    const { operations } = await apiDocument(await httpFacade());
    const byName = (id: string) =>
      Object.fromEntries(
        operations.find(({ operationId }) => operationId === id)!.parameters.map((one) => [one.name, one]),
      );
    const { n, exclude_seen: excludeSeen, user_id: user, 'If-None-Match': tag } = byName('getRecoByUserId');
    expect(n).toMatchObject({ in: 'query', required: false });
    expect(n!.schema).toEqual({ type: 'integer', minimum: 1, maximum: 100, default: 10 });
    expect(excludeSeen!.schema).toEqual({ type: 'boolean', default: false });
    expect(user).toMatchObject({
      in: 'path',
      required: true,
      schema: { type: 'string', minLength: 1, maxLength: 256 },
    });
    expect(tag).toMatchObject({ in: 'header', required: false });
    expect(byName('getTrending')['window']!.schema).toMatchObject({ enum: ['1h', '24h', 'last-hour'], default: '1h' });
    expect(byName('getTrendingStream')['last-event-id']).toMatchObject({ in: 'header', schema: { type: 'integer' } });
  });

  it('has every route that the façade has, and no other', async () => {
    const there = new Set<string>();
    // Fastify tells of each app as it is made.
    const told = (message: unknown): void => {
      const { fastify } = message as { fastify: FastifyInstance };
      fastify.addHook('onRoute', ({ method, url }) => {
        for (const one of [method].flat()) there.add(`${one} ${url.replaceAll(/:(\w+)/g, '{$1}')}`);
      });
    };
    subscribe('fastify.initialization', told);
    onTestFinished(() => void unsubscribe('fastify.initialization', told));
    const { operations } = await apiDocument(await httpFacade({ origins: ['https://shop.example.com'] }));
    expect(there).toContain('GET /docs');
    const described = [...there].filter((route) => !route.startsWith('HEAD ') && !HIDDEN.includes(route));
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(described.sort());
  });

  it('gives examples that are as it says', async () => {
    const { json, faultsIn } = await apiDocument(await httpFacade());
    const { schemas } = json['components'] as { schemas: Record<string, { examples?: unknown[] }> };
    const examples = Object.entries(schemas).flatMap(([name, { examples = [] }]) =>
      examples.map((example) => [name, example] as const),
    );
    expect(examples.map(([name]) => name)).toEqual(expect.arrayContaining(['Problem', 'Trending', 'Recommendations']));
    for (const [name, example] of examples) expect(faultsIn(name, example), name).toEqual([]);
  });

  it('is kept by who has it', async () => {
    const { ask } = await httpFacade();
    const { headers } = await ask('/openapi.json');
    const again = await ask('/openapi.json', { headers: { 'if-none-match': headers.etag! } });
    expect(again).toMatchObject({ status: 304, text: '' });
  });
});

describe('ways in', () => {
  it('are none where nobody is asked who it is', async () => {
    const { json, operations } = await apiDocument(await httpFacade());
    expect(json).not.toHaveProperty('security');
    expect(operations.filter(({ responses }) => '401' in responses)).toEqual([]);
  });

  it('are tokens where these are asked for, but for health; what this is can be read without', async () => {
    const auth = { ...RULES, keys: { file: keyFile(keySet(await signingKey('k1'))).path } };
    const facade = await httpFacade({ auth });
    const { json, operations, faultsOf } = await apiDocument(facade);
    expect(json).toMatchObject({
      security: [{ token: [] }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    });
    const open = operations.filter(({ security }) => security?.length === 0).map(({ path }) => path);
    const schemas = ['click', 'rating', 'view'].map((type) => `/schemas/events/${type}_event.json`);
    expect(open.sort()).toEqual(['/', '/health', '/openapi.json', '/schemas/events', ...schemas]);
    for (const operation of operations.filter(({ path }) => !open.includes(path))) {
      const answer = await facade.ask(operation.path.replaceAll(/[{}]/g, ''), { method: operation.method });
      expect({ status: answer.status, faults: faultsOf(operation, answer) }).toEqual({ status: 401, faults: [] });
    }
  });

  it.skipIf(noOpenssl)(`are certificates where these are asked for${skipped(noOpenssl)}`, async () => {
    const certificates = new Certificates();
    try {
      certificates.selfSigned('authority');
      certificates.signed('server', 'authority');
      const [certPath, keyPath] = [certificates.path('server.pem'), certificates.path('server.key')];
      const { ask } = await httpFacade({
        tls: { certPath, keyPath, clientCaPath: certificates.path('authority.pem') },
      });
      const identity = { cert: read(certPath), key: read(keyPath), ca: read(certificates.path('authority.pem')) };
      const { json } = await apiDocument({ ask: (path) => ask(path, identity) });
      expect(json).toMatchObject({
        security: [{ certificate: [] }],
        components: { securitySchemes: { certificate: { type: 'mutualTLS' } } },
      });
    } finally {
      certificates.remove();
    }
  });
});

describe('what is answered is as the document says', () => {
  const answeredBy = async (facade: HttpFacade) => ({ ...(await apiDocument(facade)), ask: facade.ask });

  it('to each operation', async () => {
    const { operations, faultsOf, ask } = await answeredBy(await httpFacade());
    expect(Object.keys(QUESTIONS).sort()).toEqual(operations.map(({ operationId }) => operationId).sort());
    for (const operation of operations) {
      for (const [status, path, asked] of QUESTIONS[operation.operationId]!) {
        const answer = await ask(path, asked);
        const name = `${operation.method} ${path}`;
        expect({ name, status: answer.status, faults: faultsOf(operation, answer) }).toEqual({
          name,
          status,
          faults: [],
        });
      }
    }
  });

  it('to what HTTP asks of any request, and to who calls the node by another name', async () => {
    const { operations, faultsOf, ask } = await answeredBy(await httpFacade());
    for (const operation of operations) {
      const path = operation.path.replaceAll(/[{}]/g, '');
      const { method } = operation;
      const isOpen = path === '/health';
      for (const [status, end, headers] of [
        [400, '?q=%ff', {}],
        [415, '', { 'content-encoding': 'gzip' }],
        [417, '', { expect: 'wonders' }],
        [431, '', { long: 'x'.repeat(20_000) }],
        [isOpen ? 200 : 403, '', { host: 'evil.example' }],
      ] as const) {
        const answer = await ask(path + end, { method, headers });
        const name = `${method} ${path}`;
        expect({ name, status: answer.status, faults: faultsOf(operation, answer) }).toEqual({
          ...{ name, status, faults: [] },
        });
      }
    }
  });

  it('and where any name is one of the node, no answer says that it is not', async () => {
    const { operations } = await apiDocument(await httpFacade({ host: '0.0.0.0' }));
    expect(operations.flatMap(({ method, responses }) => ('403' in responses ? [method] : []))).not.toContain('GET');
  });

  it('to who has it already', async () => {
    const { operations, faultsOf, ask } = await answeredBy(await httpFacade());
    const tagged = operations.filter(({ responses }) => '304' in responses);
    expect(tagged.length).toBeGreaterThan(5);
    for (const operation of tagged) {
      const [, path] = QUESTIONS[operation.operationId]![0]!;
      const { headers } = await ask(path);
      const again = await ask(path, { headers: { 'if-none-match': headers.etag! } });
      expect({ path, status: again.status, faults: faultsOf(operation, again) }).toEqual({
        path,
        status: 304,
        faults: [],
      });
    }
  });
});

const read = (path: string): Buffer => readFileSync(path);
