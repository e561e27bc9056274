/** Bearer tokens, over real sockets. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { status } from '@grpc/grpc-js';
import type { CallError } from '../../connectors/grpc/client/call-error.js';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import type { GrpcServerOptions } from '../../connectors/grpc/server/server.js';
import type { AuthOptions } from '../../connectors/facade/admission/token-check.js';
import type { KeyLocation } from '../../connectors/facade/admission/token-keys.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { ANSWER, anEvent, bareClient, facade, failure, RECOMMEND, sendBytes } from '../connectors/grpc/facade.js';
import {
  hearer,
  keyFile,
  keyServer,
  keySet,
  RULES,
  signed,
  signingKey,
  type SigningKey,
} from '../connectors/grpc/issuer.js';
import { eventually } from '../support/eventually.js';

interface Guarded {
  readonly address: string;
  readonly plain: RivuletClient;
  /** What the logger heard. */
  readonly lines: string[];
  get(token: string): ReturnType<RivuletClient['getRecommendations']>;
}

async function guarded(
  keys: KeyLocation,
  rules: Partial<AuthOptions> = {},
  options: Partial<GrpcServerOptions> = {},
): Promise<Guarded> {
  const { lines, logger } = hearer();
  let token = '';
  const auth = { ...RULES, keys, ...rules };
  const { address, client } = await facade({ auth, logger, reloadEveryMs: 10, ...options }, { token: () => token });
  const plain = await connectRivulet(address);
  onTestFinished(() => plain.close());
  const get: Guarded['get'] = (one) => {
    token = one;
    return client.getRecommendations({ userId: '512' });
  };
  return { address, plain, lines, get };
}

const now = (): number => Math.floor(Date.now() / 1000);

describe('a call with a token', () => {
  it.each(['ES256', 'EdDSA'])(
    'signed with %s is answered, again and again, on one connection and others',
    async (alg) => {
      const key = await signingKey('k1', alg);
      const { get } = await guarded({ file: keyFile(keySet(key)).path });
      const token = await key.sign();
      for (let i = 0; i < 3; i++) expect((await get(token)).items).toHaveLength(2);
    },
  );

  it('may publish', async () => {
    const key = await signingKey('k1');
    const auth = { ...RULES, keys: { file: keyFile(keySet(key)).path } };
    const { client, address } = await facade({ auth }, { token: await key.sign() });
    expect(await client.publishEvents([anEvent(), anEvent()])).toMatchObject({ accepted: 2 });
    const stranger = await connectRivulet(address);
    expect(await failure(stranger.publishEvents([anEvent()]))).toMatchObject({ reason: 'TOKEN_MISSING' });
    stranger.close();
  });

  it('may follow a stream; who has none is told so', async () => {
    const key = await signingKey('k1');
    const auth = { ...RULES, keys: { file: keyFile(keySet(key)).path } };
    const changes = { get: () => ANSWER, version: () => 1, onChange: () => () => undefined };
    const { client, address } = await facade({ auth, changes }, { token: await key.sign() });
    for await (const { items } of client.streamRecommendations({ userId: '512' })) {
      expect(items).toHaveLength(2);
      break;
    }
    const stranger = await connectRivulet(address);
    onTestFinished(() => stranger.close());
    const first = stranger.streamRecommendations({ userId: '512' }).next();
    expect(await failure(first)).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' });
  });

  it('whose issuer is a little ahead or behind is answered', async () => {
    const key = await signingKey('k1');
    const { get } = await guarded({ file: keyFile(keySet(key)).path }, { clockSkewMs: 60_000 });
    expect((await get(await key.sign({ exp: now() - 30 }))).items).toHaveLength(2);
    expect((await get(await key.sign({ nbf: now() + 30 }))).items).toHaveLength(2);
  });
});

describe('a call is refused as UNAUTHENTICATED, with the reason, when its token', () => {
  const bad: readonly (readonly [string, string, (key: SigningKey) => string | Promise<string>])[] = [
    ['is no token', 'TOKEN_MALFORMED', () => 'not-a-token'],
    ['has expired', 'TOKEN_EXPIRED', (key) => key.sign({ exp: now() - 3600 })],
    ['never expires', 'TOKEN_CLAIM', (key) => key.sign({ exp: undefined })],
    ['is not valid yet', 'TOKEN_NOT_YET_VALID', (key) => key.sign({ nbf: now() + 3600 })],
    ['is of another issuer', 'TOKEN_ISSUER', (key) => key.sign({ iss: 'https://other.example.com' })],
    ['is for another audience', 'TOKEN_AUDIENCE', (key) => key.sign({ aud: 'billing' })],
    ['names no subject', 'TOKEN_CLAIM', (key) => key.sign({ sub: undefined })],
    ['names a subject without a name', 'TOKEN_CLAIM', (key) => key.sign({ sub: '' })],
    ['names a subject that is no text', 'TOKEN_CLAIM', (key) => key.sign({ sub: { a: 1 } as unknown as string })],
    ['names a key that there is not', 'TOKEN_KEY_UNKNOWN', async () => (await signingKey('k2')).sign()],
    [
      'is signed by another who uses the name of the key',
      'TOKEN_SIGNATURE',
      async () => (await signingKey('k1')).sign(),
    ],
    ['is signed in a way that is not allowed', 'TOKEN_ALGORITHM', async () => (await signingKey('k1', 'ES384')).sign()],
    [
      'is signed with the public key as if it were a shared secret',
      'TOKEN_ALGORITHM',
      ({ publicKey }) => signed(Buffer.from(JSON.stringify(publicKey)), 'HS256', 'k1', {}),
    ],
    ['is not signed', 'TOKEN_MALFORMED', async (key) => withoutSignature(await key.sign())],
    ['was changed', 'TOKEN_SIGNATURE', async (key) => withSubject(await key.sign(), 'root')],
  ];

  it.each(bad)('%s', async (_, reason, make) => {
    const key = await signingKey('k1');
    const answer = vi.fn(() => ANSWER);
    const { get, lines } = await guarded({ file: keyFile(keySet(key)).path }, {}, { answers: { get: answer } });
    const token = await make(key);
    const error = await failure(get(token));
    expect(error).toMatchObject({ status: 'UNAUTHENTICATED', reason, requestId: expect.any(String) });
    expect(challengeOf(error)).toMatch(/^Bearer realm="rivulet", error="invalid_token", error_description="[^"]+"$/);
    expect(answer).not.toHaveBeenCalled();
    // Neither its bearer nor a reader of the log sees a token.
    expect([error.message, ...lines].join('\n')).not.toContain(token);
  });

  it('is not there; who asks for health needs none', async () => {
    const key = await signingKey('k1');
    const { plain, address } = await guarded({ file: keyFile(keySet(key)).path });
    const error = await failure(plain.getRecommendations({ userId: '512' }));
    expect(error).toMatchObject({ status: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' });
    expect(challengeOf(error)).toBe('Bearer realm="rivulet"');
    expect(await plain.health()).toBe('NOT_SERVING');
    const reflection = sendBytes(
      bareClient(address),
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      new Uint8Array(),
    );
    expect((await failure(reflection)).status).toBe('UNAUTHENTICATED');
    const broken = await failure(sendBytes(bareClient(address), RECOMMEND, Uint8Array.of(0x0a, 0x7f, 1)));
    expect(broken.reason).toBe('TOKEN_MISSING');
  });
});

describe('keys', () => {
  it('in a file are rotated by replacing it; tokens of a key that is gone are refused', async () => {
    const [old, young] = [await signingKey('old'), await signingKey('young')];
    const file = keyFile(keySet(old));
    const { get, lines } = await guarded({ file: file.path });
    const [first, second] = [await old.sign(), await young.sign()];
    await get(first);

    file.write('{"keys": [');
    await eventually(() => expect(lines.join()).toContain('replaced files are of no use'));
    await get(first);

    file.write(keySet(old, young));
    await eventually(() => get(second));
    await get(first);
    file.write(keySet(young));
    await eventually(async () => expect((await failure(get(first))).reason).toBe('TOKEN_KEY_UNKNOWN'));
    await get(second);
  });

  it('at a URL are read when a token names a new one, and not each time that a stranger does', async () => {
    const [old, young, stranger] = [await signingKey('old'), await signingKey('young'), await signingKey('x')];
    const server = await keyServer(keySet(old));
    // Behind that of the test, so that calls have time left when it is set forward.
    const clock = { ...systemClock, now: Date.now() - 60_000, nowMs: () => clock.now, monotonicMs: () => clock.now };
    const { get } = await guarded({ url: server.url }, { coolDownMs: 30_000 }, { clock });
    await get(await old.sign());
    expect(server.asked).toBe(1);
    server.text = keySet(old, young);
    expect((await failure(get(await young.sign()))).reason).toBe('TOKEN_KEY_UNKNOWN');
    expect(server.asked).toBe(1);
    clock.now += 30_000;
    await get(await young.sign());
    for (let i = 0; i < 5; i++) await failure(get(await stranger.sign({ nbf: now() - i })));
    expect(server.asked).toBe(2);
  });

  it('at a URL that is away are those that were known; before any is known, the client is told to come back', async () => {
    const key = await signingKey('k1');
    const server = await keyServer(undefined);
    const { get, lines } = await guarded({ url: server.url }, { coolDownMs: 0 });
    const error = await failure(get(await key.sign()));
    expect(error).toMatchObject({ status: 'UNAVAILABLE', reason: 'KEYS_UNREACHABLE', retryAfterMs: 500 });
    expect(lines.filter((line) => line.startsWith('the keys for tokens cannot be read'))).toHaveLength(1);

    server.text = keySet(key);
    await get(await key.sign());
    server.text = undefined;
    await get(await key.sign({ sub: 'bob' }));
    expect((await failure(get(await (await signingKey('k2')).sign()))).reason).toBe('TOKEN_KEY_UNKNOWN');
  });

  it.each([
    ['is not there', undefined, 'KEYS_UNREADABLE'],
    ['is no key set', 'certainly not', 'KEYS_UNUSABLE'],
    ['holds a shared secret only', JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }), 'KEYS_UNUSABLE'],
  ])('in a file that %s stop the start', async (_, text, code) => {
    const path = text === undefined ? '/no/keys.json' : keyFile(text).path;
    await expect(guarded({ file: path })).rejects.toMatchObject({ reaction: 'fatal', code });
  });
});

describe('a client', () => {
  it('sends no token to another machine without TLS', async () => {
    const connecting = connectRivulet('recommendations.example.com:50051', { token: 'secret' });
    await expect(connecting).rejects.toMatchObject({ code: 'GRPC_TOKEN_EXPOSED', reaction: 'fatal' });
  });
});

describe('a start that strangers could use', () => {
  it.each([
    ['0.0.0.0', undefined, /can read recommendations and send events/],
    ['0.0.0.0', {}, /without TLS/],
    ['127.0.0.1', undefined, undefined],
  ])('on %s, auth %j, is told in the log', async (host, auth, warning) => {
    const { lines, logger } = hearer();
    const keys = { file: keyFile(keySet(await signingKey('k1'))).path };
    await facade({ host, logger, ...(auth === undefined ? {} : { auth: { ...RULES, keys } }) });
    if (warning === undefined) expect(lines).toEqual([]);
    else expect(lines.join()).toMatch(warning);
  });
});

const challengeOf = (error: CallError): unknown => {
  const { code, metadata } = error.cause as { code: status; metadata: { get(key: string): unknown[] } };
  expect(code).toBe(status.UNAUTHENTICATED);
  return metadata.get('www-authenticate')[0];
};

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const withoutSignature = (token: string): string => `${part({ alg: 'none', kid: 'k1' })}.${token.split('.')[1]}.`;

function withSubject(token: string, sub: string): string {
  const [head, body, signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(body!, 'base64url').toString()) as object;
  return [head, part({ ...claims, sub }), signature].join('.');
}
