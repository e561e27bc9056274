/** Bearer tokens over HTTP, over real sockets. What makes a token good or bad is told in grpc-auth.test.ts: the check is the same. */
import { describe, expect, it, vi } from 'vitest';
import type { AuthOptions } from '../../connectors/facade/admission/token-check.js';
import type { KeyLocation } from '../../connectors/facade/admission/token-keys.js';
import type { HttpServerOptions } from '../../connectors/http/server/server.js';
import { type HttpAnswer, httpFacade, problemOf } from '../connectors/http/http-facade.js';
import { StreamReader } from '../connectors/http/stream-reader.js';
import { hearer, keyFile, keyServer, keySet, RULES, signingKey } from '../connectors/grpc/issuer.js';
import { eventually } from '../support/eventually.js';

async function guarded(keys: KeyLocation, options: Partial<HttpServerOptions> = {}, rules: Partial<AuthOptions> = {}) {
  const { lines, logger } = hearer();
  const facade = await httpFacade({ auth: { ...RULES, keys, ...rules }, logger, reloadEveryMs: 10, ...options });
  const get = (token: string, path = '/reco/512'): Promise<HttpAnswer> =>
    facade.ask(path, { headers: { authorization: `Bearer ${token}` } });
  return { ...facade, get, lines };
}

const now = (): number => Math.floor(Date.now() / 1000);

describe('health', () => {
  it('is open to all, and tells more to who has a good token', async () => {
    const key = await signingKey('k1');
    const { ask, get } = await guarded({ file: keyFile(keySet(key)).path });
    const bad = { headers: { authorization: `Bearer ${await (await signingKey('k1')).sign()}` } };
    for (const asked of [{}, bad]) {
      const answer = await ask('/health', asked);
      expect([answer.status, answer.json]).toEqual([200, { status: 'serving' }]);
    }
    expect((await get(await key.sign(), '/health')).json).toMatchObject({ status: 'serving', node: 'node-a' });
  });
});

describe('with a good token', () => {
  it('each route is answered, again and again', async () => {
    const key = await signingKey('k1');
    const { get, port } = await guarded({ file: keyFile(keySet(key)).path });
    const token = await key.sign();
    for (const path of ['/reco/512', '/reco/512', '/trending', '/metrics', '/status', '/dead-letters', '/']) {
      expect((await get(token, path)).status, path).toBe(200);
    }
    const reader = await StreamReader.open(port, '', { headers: { authorization: `bearer ${token}` } });
    await expect.poll(() => reader.names).toEqual(['snapshot']);
  });

  it('of a key that is new in the file, and not of one that is gone', async () => {
    const [old, young] = [await signingKey('old'), await signingKey('young')];
    const file = keyFile(keySet(old));
    const { get } = await guarded({ file: file.path });
    const [first, second] = [await old.sign(), await young.sign()];
    expect((await get(first)).status).toBe(200);
    expect(problemOf(await get(second), 401).reason).toBe('TOKEN_KEY_UNKNOWN');
    file.write(keySet(young));
    await eventually(async () => expect((await get(second)).status).toBe(200));
    expect(problemOf(await get(first), 401).reason).toBe('TOKEN_KEY_UNKNOWN');
  });
});

describe('is refused with 401 and what is wrong', () => {
  it.each([
    ['TOKEN_MALFORMED', 'Bearer certainly-not', 'invalid_token'],
    ['TOKEN_MALFORMED', 'Basic dXNlcjpwYXNz', 'invalid_token'],
    ['TOKEN_MALFORMED', '', 'invalid_token'],
    ['TOKEN_MISSING', undefined, undefined],
  ])('%s: authorization %j', async (reason, authorization, error) => {
    const key = await signingKey('k1');
    const answers = { get: vi.fn() };
    const { ask } = await guarded({ file: keyFile(keySet(key)).path }, { answers });
    for (const path of ['/reco/512', '/trending/stream', '/nothing', '/reco/512?n=0']) {
      const answer = await ask(path, authorization === undefined ? {} : { headers: { authorization } });
      expect(problemOf(answer, 401).reason, path).toBe(reason);
      const challenge = answer.headers['www-authenticate'];
      if (error === undefined) expect(challenge).toBe('Bearer realm="rivulet"');
      else expect(challenge).toMatch(/^Bearer realm="rivulet", error="invalid_token", error_description="[^"]+"$/);
    }
    expect(answers.get).not.toHaveBeenCalled();
  });

  it('a token that has expired, or was signed by somebody else; neither the answer nor the log has it', async () => {
    const key = await signingKey('k1');
    const { get, lines, began, requests } = await guarded({ file: keyFile(keySet(key)).path });
    for (const [token, reason] of [
      [await key.sign({ exp: now() - 3600 }), 'TOKEN_EXPIRED'],
      [await (await signingKey('k1')).sign(), 'TOKEN_SIGNATURE'],
    ] as const) {
      const answer = await get(token);
      expect(problemOf(answer, 401).reason).toBe(reason);
      expect([answer.text, ...lines].join()).not.toContain(token);
    }
    expect(requests.map(({ status }) => status)).toEqual([401, 401]);
    expect(began).toHaveLength(2);
  });

  it('what is sent without a token, before any of it is read', async () => {
    const key = await signingKey('k1');
    const publish = vi.fn(() => Promise.resolve());
    const { ask } = await guarded({ file: keyFile(keySet(key)).path }, { publisher: { publish } });
    const answer = await ask('/events', { method: 'POST', body: '{"broken', headers: { 'content-type': 'x/y' } });
    expect(problemOf(answer, 401).reason).toBe('TOKEN_MISSING');
    expect(publish).not.toHaveBeenCalled();
  });
});

describe('without a token', () => {
  it('health is told, and pages and the document can be opened', async () => {
    const { ask } = await guarded({ file: keyFile(keySet(await signingKey('k1'))).path });
    for (const path of ['/health', '/openapi.json', '/docs/', '/docs/start.js', '/ui/', '/']) {
      expect((await ask(path)).status, path).toBe(200);
    }
    for (const path of ['/metrics', '/status']) expect((await ask(path)).status, path).toBe(401);
  });
});

describe('while the keys are away', () => {
  it('a client is told to come back', async () => {
    const key = await signingKey('k1');
    const server = await keyServer(undefined);
    const { get } = await guarded({ url: server.url }, {}, { coolDownMs: 0 });
    const answer = await get(await key.sign());
    expect(problemOf(answer, 503).reason).toBe('KEYS_UNREACHABLE');
    expect(answer.headers['retry-after']).toBe('1');
    server.text = keySet(key);
    expect((await get(await key.sign())).status).toBe(200);
  });

  it('one that leaves meanwhile is counted as gone', async () => {
    const key = await signingKey('k1');
    const server = await keyServer(keySet(key));
    const { port, began, requests } = await guarded({ url: server.url }, {}, { coolDownMs: 0 });
    server.hangs = true;
    const authorization = `Bearer ${await (await signingKey('k2')).sign()}`;
    const controller = new AbortController();
    const asking = fetch(`http://127.0.0.1:${port}/reco/512`, {
      headers: { authorization },
      signal: controller.signal,
    });
    await expect.poll(() => began).toHaveLength(1);
    controller.abort();
    await expect(asking).rejects.toThrow();
    await expect.poll(() => requests).toMatchObject([{ status: 499 }]);
  });
});

describe('limits', () => {
  it('are those of the subject, whatever its tokens and addresses', async () => {
    const key = await signingKey('k1');
    const { get } = await guarded(
      { file: keyFile(keySet(key)).path },
      { limits: { callsPerSecond: 0.001, callBurst: 2 } },
    );
    const [ann, again, bob] = [
      await key.sign({ sub: 'ann' }),
      await key.sign({ nbf: 1 }),
      await key.sign({ sub: 'bob' }),
    ];
    expect([(await get(ann)).status, (await get(again)).status, (await get(ann)).status]).toEqual([200, 200, 429]);
    expect((await get(bob)).status).toBe(200);
  });
});
