import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { TokenCheck } from '../../../connectors/grpc/token-check.js';
import { keyFile, keySet, RULES, signingKey } from './issuer.js';

const bearer = (token: string): Metadata => {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
};

const CONNECTION = {};

async function checking(text: string) {
  const clock = { now: Date.now(), nowMs: () => clock.now };
  const file = keyFile(text);
  const check = await TokenCheck.open({
    ...RULES,
    keys: { file: file.path },
    reloadEveryMs: 5,
    clock,
    logger: undefined,
  });
  onTestFinished(() => check.close());
  return { check, clock, file };
}

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
    await vi.waitFor(() => expect(check.known(call)).toBeUndefined());
    expect(await check.check(call, CONNECTION)).toMatchObject({ reason: 'TOKEN_KEY_UNKNOWN' });
  });
});

describe('tokens that are checked at once', () => {
  it('are bounded: more are told to come back', async () => {
    const key = await signingKey('k1');
    const { check } = await checking(keySet(key));
    const [head, body] = (await key.sign()).split('.');
    const found = await Promise.all(
      Array.from({ length: 1100 }, (_, i) =>
        check.check(bearer(`${head}.${body}.${Buffer.alloc(64, i).toString('base64url')}${i}`), CONNECTION),
      ),
    );
    const reasons = new Set(found.map((one) => ('reason' in one ? one.reason : 'good')));
    expect(reasons).toContain('TOKENS_WAIT');
    expect(check.remembered).toBe(0);
  });
});
