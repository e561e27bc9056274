/** Every status that the façade answers with, over real sockets: each refusal is a problem with an id, and says by a header what to do. */
import { describe, expect, it } from 'vitest';
import { fatal, transient } from '../../runtime/contract/errors.js';
import { OPERATIONS } from '../connectors/http/operations-doubles.js';
import { ask, type Asked, asking, connected, httpFacade, problemOf } from '../connectors/http/http-facade.js';
import { deferred } from '../connectors/grpc/facade.js';
import { hearer, keyFile, keySet, RULES, signingKey } from '../connectors/grpc/issuer.js';

const event = { event_type: 'view', event_time: '2026-01-02T03:04:05.678Z', user_id: '512', item_id: 'i1' };
const post = (body: Asked['body'], headers: Asked['headers'] = {}): Asked => ({
  ...{ method: 'POST', headers },
  ...(body !== undefined && { body }),
});
const json = { 'content-type': 'application/json' };

const refusals: readonly (readonly [status: number, reason: string, path: string, asked: Asked, detail: RegExp])[] = [
  [400, 'INVALID_FIELD', '/reco/512?n=0', {}, /^n: is "0": must be from 1 to 100$/],
  [400, 'INVALID_FIELD', '/reco/512?n=1e1', {}, /^n: is "1e1": must be a whole number from 1 to 100$/],
  [400, 'INVALID_FIELD', '/reco/512?n=1&n=2', {}, /^n: is given twice: give it once$/],
  [400, 'INVALID_FIELD', '/reco?user_id=a&user_id=b', {}, /^user_id: is given twice/],
  [400, 'INVALID_FIELD', '/reco', {}, /^user_id: is required/],
  [400, 'INVALID_FIELD', '/reco?user_id=', {}, /^user_id: is "": must not be empty$/],
  [400, 'INVALID_FIELD', '/reco/512?limit=3', {}, /^limit: is not known in the query/],
  [400, 'INVALID_FIELD', '/reco/a%00b', {}, /control character \(0x00\) at position 1/],
  [400, 'INVALID_FIELD', `/reco/${'%F0%9F%98%80'.repeat(64)}a`, {}, /has 257 bytes, must have at most 256/],
  [400, 'INVALID_FIELD', '/trending?window=2h', {}, /^window: is "2h": must be 1h, 24h or last-hour$/],
  [400, 'INVALID_FIELD', '/trending/stream', { headers: { 'last-event-id': '-1' } }, /^last-event-id: is "-1"/],
  [400, 'MALFORMED_REQUEST', '/reco/%zz', {}, /not well escaped/],
  [400, 'MALFORMED_REQUEST', `/reco/${'a'.repeat(800)}`, {}, /the id in the path is too long/],
  [400, 'MALFORMED_REQUEST', '/events', post('{"a":', json), /not JSON/],
  [400, 'MALFORMED_REQUEST', '/dead-letters/7-0/retry', post('{"a":', json), /not JSON/],
  [400, 'MALFORMED_REQUEST', '/dead-letters/7-0/retry', post('{"__proto__":{}}', json), /not JSON/],
  [400, 'MALFORMED_REQUEST', '/dead-letters/7-0/retry', post('', json), /body is empty/],
  [403, 'ORIGIN_NOT_ALLOWED', '/events', post(event, { origin: 'https://evil.example.com' }), /httpCorsOrigins/],
  [403, 'ORIGIN_NOT_ALLOWED', '/events', post(event, { origin: 'null' }), /pages of null/],
  [404, 'NOT_FOUND', '/nothing', {}, /^there is nothing at \/nothing: see \/docs$/],
  [404, 'NOT_FOUND', '/nothing', post('x', { 'content-type': 'text/xml' }), /nothing at \/nothing/],
  [404, 'NOT_FOUND', '//reco/512', {}, /nothing/],
  [404, 'NOT_FOUND', '/docs/package.json', {}, /nothing/],
  [404, 'NOT_FOUND', '/docs/..%2fpackage.json', {}, /nothing/],
  [404, 'DEAD_LETTER_UNKNOWN', '/dead-letters/8-0', {}, /GET \/dead-letters lists them/],
  [405, 'METHOD_NOT_ALLOWED', '/reco/512', { method: 'DELETE' }, /use GET or HEAD/],
  [405, 'METHOD_NOT_ALLOWED', '/events', { ...post('x', { 'content-type': 'text/xml' }), method: 'PUT' }, /use POST/],
  [409, 'DEAD_LETTER_RETRIED', '/dead-letters/7-1/retry', post(undefined), /again=true/],
  [409, 'RANKING_NOT_MADE', '/trending?ranking=velocity', {}, /pipeline.trending.rankings/],
  [413, 'REQUEST_TOO_LARGE', '/events', post('x'.repeat(2_000), json), /body is too long/],
  [415, 'MEDIA_TYPE_NOT_TAKEN', '/events', post('x', { 'content-type': 'text/html' }), /content-type/],
  [415, 'MEDIA_TYPE_NOT_TAKEN', '/dead-letters/7-0/retry', post('x', { 'content-type': 'text/plain' }), /content-type/],
  [417, 'MALFORMED_REQUEST', '/events', post(event, { expect: 'wonders' }), /expect/],
];

describe('a refusal is a problem that says what to do', () => {
  it.each(refusals)('%d %s %s %j', async (status, reason, path, asked, detail) => {
    const { ask, began, requests } = await httpFacade({ limits: { bodyBytesMax: 1_000 } });
    const answer = await ask(path, asked);
    const problem = problemOf(answer, status);
    expect(problem).toMatchObject({ reason, detail: expect.stringMatching(detail), instance: path.split('?')[0] });
    if (reason === 'INVALID_FIELD') expect(problem.errors).toHaveLength(1);
    expect(began).toHaveLength(1);
    expect(requests).toEqual([{ route: began[0], status, ms: expect.any(Number) }]);
  });

  it('405 names the methods that there are', async () => {
    const { ask } = await httpFacade();
    const methods = async (path: string, method: string): Promise<unknown> => {
      const answer = await ask(path, { method });
      problemOf(answer, 405);
      return answer.headers.allow;
    };
    expect(await methods('/reco/512', 'POST')).toBe('GET, HEAD');
    expect(await methods('/reco/512/', 'PATCH')).toBe('GET, HEAD');
    expect(await methods('/events', 'GET')).toBe('POST');
    expect(await methods('/health', 'PROPFIND')).toBe('GET, HEAD');
    expect((await ask('/trending/stream', { method: 'HEAD' })).headers.allow).toBe('GET');
  });

  it('401 says what to bring', async () => {
    const auth = { ...RULES, keys: { file: keyFile(keySet(await signingKey('k1'))).path } };
    const { ask } = await httpFacade({ auth });
    for (const path of ['/reco/512', '/nothing', '/status']) {
      const answer = await ask(path);
      expect(problemOf(answer, 401).reason).toBe('TOKEN_MISSING');
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="rivulet"');
    }
  });

  it('429 says when to come back', async () => {
    const { ask } = await httpFacade({ limits: { callsPerSecond: 0.5, callBurst: 1 } });
    expect((await ask('/reco/512')).status).toBe(200);
    const answer = await ask('/reco/512');
    const { reason, retry_after_seconds: seconds } = problemOf(answer, 429);
    expect(reason).toBe('RATE_EXCEEDED');
    expect(answer.headers['retry-after']).toBe(String(Math.ceil(seconds!)));
    expect((await ask('/health')).status).toBe(200);
  });
});

describe('an answer', () => {
  it('has the id of its question, if that is a plain word, else one of its own', async () => {
    const { ask } = await httpFacade();
    const idOf = async (id: string, path: string): Promise<unknown> =>
      (await ask(path, { headers: { 'x-request-id': id } })).headers['x-request-id'];
    for (const path of ['/reco/512', '/nothing', '/reco/%zz', '/reco/512?n=0', '/trending', '/health']) {
      expect(await idOf('abc-1.2:3', path), path).toBe('abc-1.2:3');
      expect(await idOf('a b', path), path).toMatch(/^[0-9a-f-]{36}$/);
      expect(await idOf('x'.repeat(129), path), path).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('is 304 to who has it, also when it is asked for with HEAD', async () => {
    const { ask } = await httpFacade();
    for (const path of ['/reco/512', '/trending', '/dead-letters', '/docs/swagger-ui.css']) {
      const { etag } = (await ask(path)).headers;
      for (const method of ['GET', 'HEAD']) {
        const again = await ask(path, { method, headers: { 'if-none-match': `"other", ${etag}` } });
        expect(again, path).toMatchObject({ status: 304, text: '', headers: { etag } });
      }
      expect((await ask(path, { headers: { 'if-none-match': '"other"' } })).status, path).toBe(200);
    }
  });
});

describe('what goes wrong inside', () => {
  const failing = (error: Error) => ({ answers: { get: () => Promise.reject(error) } });

  it.each([
    [503, 'LOG_UNREACHABLE', transient('LOG_UNREACHABLE', 'the log is unreachable')],
    [500, 'STATE_CLOSED', fatal('STATE_CLOSED', 'the store is lost', { hint: 'restore it' })],
    [500, 'INTERNAL', new TypeError('a slip of ours')],
    [500, 'INTERNAL', new Error('password=hunter2')],
  ])(
    'is %d %s; what the client cannot mend is in the log, and nothing of it in the answer',
    async (status, reason, error) => {
      const { lines, logger } = hearer();
      const { ask, requests } = await httpFacade({ ...failing(error), logger });
      const answer = await ask('/reco/512');
      expect(problemOf(answer, status).reason).toBe(reason);
      expect(answer.text).not.toContain('hunter2');
      expect(answer.headers['retry-after']).toBe(status === 503 ? '1' : undefined);
      expect(requests).toMatchObject([{ status, route: 'GET /reco/{user_id}' }]);
      if (status === 503) expect(lines).toEqual([]);
      else expect(lines.join()).toContain(`"requestId":"${answer.headers['x-request-id'] as string}"`);
    },
  );

  it('at once, without a promise, is the same', async () => {
    const slip = (): never => {
      throw new TypeError('a slip');
    };
    const operations = { ...OPERATIONS, status: { report: slip } };
    const { ask, requests } = await httpFacade({ answers: { get: slip }, randomUsers: { next: slip }, operations });
    for (const path of ['/reco/512', '/reco?user_id=1', '/reco/random', '/status']) {
      expect(problemOf(await ask(path), 500).reason).toBe('INTERNAL');
    }
    expect(requests.map(({ status }) => status)).toEqual([500, 500, 500, 500]);
  });
});

describe('while the node stops', () => {
  it('a request that is under way is answered, and its connection ends with it', async () => {
    const slow = deferred<never>();
    const answers = { get: () => slow.promise };
    const { server, port, began, requests } = await httpFacade({ answers });
    const first = asking(port, '/reco/512');
    await expect.poll(() => began).toHaveLength(1);
    const stopped = server.stop(60_000);
    slow.reject(transient('LOG_UNREACHABLE', 'the log is unreachable'));
    const answer = await first;
    expect(answer.statusCode).toBe(503);
    expect(answer.headers.connection).toBe('close');
    answer.resume();
    await stopped;
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['/trending', 503, 'NODE_STOPPING'],
    ['/trending/stream', 503, 'NODE_STOPPING'],
    ['/health', 200, undefined],
  ])('who was half through asking for %s gets %d', async (path, status, reason) => {
    const { server, port } = await httpFacade();
    const socket = await connected(port);
    const came: Buffer[] = [];
    socket.on('data', (part: Buffer) => came.push(part));
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`GET ${path} HTTP/1.1\r\n`);
    // The server has seen it: one that came later is refused already.
    await ask(port, '/health');
    const stopped = server.stop(60_000);
    socket.write('host: localhost\r\n\r\n');
    await ended;
    const [head, body] = Buffer.concat(came).toString().split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head!.toLowerCase()).toContain('connection: close');
    expect(head!.toLowerCase().includes('retry-after: 1')).toBe(status === 503);
    expect((JSON.parse(body!) as { reason?: string }).reason).toBe(reason);
    await stopped;
    await expect(ask(port, '/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
