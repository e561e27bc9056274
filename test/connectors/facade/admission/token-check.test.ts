import { describe, expect, it, onTestFinished } from 'vitest';
import { TokenCheck, type TokenCheckOptions } from '../../../../connectors/facade/admission/token-check.js';
import type { KeyLocation } from '../../../../connectors/facade/admission/token-keys.js';
import { systemClock } from '../../../../runtime/contract/clock.js';
import { eventually } from '../../../support/eventually.js';
import { hearer, keyFile, keyServer, keySet, RULES, signingKey } from '../../grpc/issuer.js';

const bearer = (token: string): string => `Bearer ${token}`;

const CONNECTION = {};

async function opened(keys: KeyLocation, rules: Partial<TokenCheckOptions> = {}): Promise<TokenCheck> {
  const own = { keys, reloadEveryMs: 5, clock: systemClock, logger: undefined };
  const check = await TokenCheck.open({ ...RULES, ...own, ...rules });
  onTestFinished(() => check.close());
  return check;
}

async function checking(text: string) {
  const clock = { now: Date.now(), nowMs: () => clock.now, monotonicMs: () => clock.now };
  const file = keyFile(text);
  return { check: await opened({ file: file.path }, { clock }), clock, file };
}

/** A token that only looks like one, and a different one each time. */
const invented = (kid: string, n: number): string => {
  const part = (fields: object): string => Buffer.from(JSON.stringify(fields)).toString('base64url');
  return bearer(`${part({ alg: 'ES256', kid })}.${part({ n })}.${Buffer.alloc(64, n).toString('base64url')}`);
};

describe('a good token', () => {
  it('is known at once after the first time, until it ends', async () => {
    const key = await signingKey('k1');
    const { check, clock } = await checking(keySet(key));
    const call = bearer(await key.sign({ sub: 'bob', exp: Math.floor(clock.now / 1000) + 60 }));
    expect(check.known(call)).toBeUndefined();
    expect(await check.check(call, CONNECTION)).toEqual({ subject: 'bob' });
    expect(check.known(call)).toMatchObject({ subject: 'bob' });
    clock.now += 62_000;
    expect(check.known(call)).toBeUndefined();
    expect(await check.check(call, CONNECTION)).toMatchObject({ reason: 'TOKEN_EXPIRED' });
    expect(check.remembered).toBe(0);
  });

  it('is checked once for calls that come together', async () => {
    const key = await signingKey('k1');
    const { check } = await checking(keySet(key));
    const call = bearer(await key.sign());
    const together = Array.from({ length: 2000 }, () => check.check(call, CONNECTION));
    expect(new Set(await Promise.all(together)).size).toBe(1);
  });

  it('is checked again when the keys have changed', async () => {
    const [old, young] = [await signingKey('old'), await signingKey('young')];
    const { check, file } = await checking(keySet(old));
    const call = bearer(await old.sign());
    await check.check(call, CONNECTION);
    file.write(keySet(young));
    await eventually(() => expect(check.known(call)).toBeUndefined());
    expect(await check.check(call, CONNECTION)).toMatchObject({ reason: 'TOKEN_KEY_UNKNOWN' });
  });
});

describe('tokens that are checked at once', () => {
  it('are bounded: more are told to come back; one on another connection is not', async () => {
    const key = await signingKey('k1');
    const { check } = await checking(keySet(key));
    const flood = Array.from({ length: 1100 }, (_, n) => check.check(invented('k1', n), CONNECTION));
    let before = 0;
    for (const one of flood) void one.then(() => before++);
    expect(await check.check(bearer(await key.sign()), {})).toEqual({ subject: 'ann' });
    expect(before).toBeLessThan(1000);
    const reasons = new Set((await Promise.all(flood)).map((one) => ('reason' in one ? one.reason : 'good')));
    expect(reasons).toEqual(new Set(['TOKEN_SIGNATURE', 'TOKENS_WAIT']));
    expect(check.remembered).toBe(1);
  });

  it('and name keys that nobody knows wait for the place of keys; the others do not wait for them', async () => {
    const key = await signingKey('k1');
    const server = await keyServer(keySet(key));
    const check = await opened({ url: server.url }, { coolDownMs: 0 });
    server.hangs = true;
    const flood = Array.from({ length: 1100 }, (_, n) => check.check(invented('none', n), CONNECTION));
    expect(await Promise.race(flood)).toMatchObject({ reason: 'TOKENS_WAIT' });
    expect(await check.check(bearer(await key.sign()), CONNECTION)).toEqual({ subject: 'ann' });
  });
});

describe('a key set', () => {
  it('without keys ends all tokens, and the log says so; a file that is half written does not', async () => {
    const [key, { lines, logger }] = [await signingKey('k1'), hearer()];
    const file = keyFile(keySet(key));
    const check = await opened({ file: file.path }, { logger });
    const old = bearer(await key.sign());
    await check.check(old, CONNECTION);
    file.write(keySet(key).slice(0, 30));
    await eventually(() => expect(lines.join()).toContain('holds no JSON Web Key Set'));
    expect(check.known(old)).toEqual(expect.objectContaining({ subject: 'ann' }));
    file.write(keySet());
    await eventually(() => expect(lines.join()).toContain('no token is good'));
    expect(check.known(old)).toBeUndefined();
    for (const call of [old, bearer(await key.sign({ sub: 'bob' }))]) {
      expect(await check.check(call, CONNECTION)).toMatchObject({ reason: 'TOKEN_KEY_UNKNOWN' });
    }
  });

  it('that is replaced while tokens are being checked ends those too', async () => {
    const [old, young] = [await signingKey('old'), await signingKey('young')];
    const { check, file } = await checking(keySet(old, young));
    const calls = await Promise.all(Array.from({ length: 400 }, (_, n) => old.sign({ sub: `u${n}` })));
    let [isReplaced, asked] = [false, 0];
    const asking = calls.map(async (token) => {
      while (!isReplaced) {
        await check.check(bearer(token), CONNECTION);
        isReplaced ||=
          ((await check.check(invented('old', asked++), CONNECTION)) as { reason?: string }).reason ===
          'TOKEN_KEY_UNKNOWN';
      }
    });
    file.write(keySet(young));
    await Promise.all(asking);
    expect(calls.filter((token) => check.known(bearer(token)) !== undefined)).toEqual([]);
  });

  it('without keys may be there from the start; one with none that can be used may not', async () => {
    const check = await opened({ file: keyFile(keySet()).path });
    const call = bearer(await (await signingKey('k1')).sign());
    expect(await check.check(call, CONNECTION)).toMatchObject({ reason: 'TOKEN_KEY_UNKNOWN' });
    const none = { file: keyFile(keySet({ kty: 'RSA', kid: 'bad' })).path };
    await expect(opened(none)).rejects.toMatchObject({ code: 'KEYS_UNUSABLE' });
  });

  it('with a key that cannot be used: it is logged, and a token that names it is as one that names none', async () => {
    const [key, { lines, logger }] = [await signingKey('k1'), hearer()];
    const secret = { ...key.publicKey, kid: 'secret', d: 'AQ' };
    const file = keyFile(keySet(key, { kty: 'EC', crv: 'P-256', kid: 'bad' }, secret));
    const check = await opened({ file: file.path }, { logger });
    for (let n = 0; n < 3; n++) {
      expect(await check.check(invented('bad', n), CONNECTION)).toMatchObject({ reason: 'TOKEN_KEY_UNKNOWN' });
    }
    expect(await check.check(bearer(await key.sign()), CONNECTION)).toEqual({ subject: 'ann' });
    expect(lines.filter((line) => line.includes('"bad"'))).toHaveLength(1);
    expect(lines.join()).toContain('a private key: publish its public part only');
  });
});
