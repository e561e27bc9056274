/** What one client may do: its rate, its calls and streams at once; and who counts as one. */
import { create, fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type { ClientReadableStream, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CallError } from '../../connectors/grpc/client/call-error.js';
import { type ConnectOptions, connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import type { Answer } from '../../connectors/facade/ports.js';
import { serviceDefinition } from '../../connectors/grpc/server/service-definition.js';
import { QuotaFailureSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
} from '../../proto/gen/grpc/health/v1/health_pb.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { Certificates } from '../connectors/grpc/certificates.js';
import { ANSWER, bareClient, deferred, facade, failure } from '../connectors/grpc/facade.js';
import { keyFile, keySet, RULES, signingKey } from '../connectors/grpc/issuer.js';
import { eventually } from '../support/eventually.js';
import { noOpenssl, skipped } from '../support/requirements.js';

const ask = (client: RivuletClient): Promise<unknown> => client.getRecommendations({ userId: '512' });

async function another(address: string, options: ConnectOptions): Promise<RivuletClient> {
  const client = await connectRivulet(address, options);
  onTestFinished(() => client.close());
  return client;
}

/** Whom a refusal says to be over its quota. */
function subjectsOf({ cause }: CallError): string[] {
  const { metadata } = cause as { metadata: Metadata };
  const { details } = fromBinary(StatusSchema, metadata.get('grpc-status-details-bin')[0] as Buffer);
  return details.flatMap((one) => anyUnpack(one, QuotaFailureSchema)?.violations.map(({ subject }) => subject) ?? []);
}

/** A clock that stands still, so that no bucket fills by itself. */
const standing = () => {
  const clock = { ...systemClock, now: Date.now(), nowMs: () => clock.now, monotonicMs: () => clock.now };
  return clock;
};

const SLOW = { callsPerSecond: 2, callBurst: 3 };

describe('the rate', () => {
  it('of an address is bounded over its connections; health is answered all the same', async () => {
    const clock = standing();
    const { client, address, calls } = await facade({ limits: SLOW, clock });
    const other = await another(address, { channel: { 'grpc.use_local_subchannel_pool': 1 } });
    for (const one of [client, other, client]) await ask(one);
    const error = await failure(ask(other));
    expect(error).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'RATE_EXCEEDED', retryAfterMs: 500 });
    expect(subjectsOf(error)).toEqual(['address:127.0.0.1']);
    for (let i = 0; i < 9; i++) expect(await other.health()).toBe('NOT_SERVING');
    clock.now += 500;
    await ask(other);
    expect(calls.filter(({ code }) => code === 'RESOURCE_EXHAUSTED')).toHaveLength(1);
  });

  it('is that of the subject of a token, whatever its tokens and connections', async () => {
    const key = await signingKey('k1');
    const auth = { ...RULES, keys: { file: keyFile(keySet(key)).path } };
    const { client: ann, address } = await facade(
      { auth, limits: SLOW, clock: standing() },
      { token: await key.sign({ sub: 'ann' }) },
    );
    const again = await another(address, { token: await key.sign({ sub: 'ann', nbf: 1 }) });
    const bob = await another(address, { token: await key.sign({ sub: 'bob' }) });
    for (const one of [ann, again, ann]) await ask(one);
    expect(subjectsOf(await failure(ask(again)))).toEqual(['token:ann']);
    await ask(bob);
  });

  it('is no matter of wrong tokens: however many come from an address, a good one from there is answered', async () => {
    const key = await signingKey('k1');
    const auth = { ...RULES, keys: { file: keyFile(keySet(key)).path } };
    const { client: ann, address } = await facade(
      { auth, limits: SLOW, clock: standing() },
      { token: await key.sign() },
    );
    const wrong = await signingKey('k1');
    const guess = await another(address, { token: await wrong.sign() });
    for (let i = 0; i < 9; i++) expect((await failure(ask(guess))).reason).toBe('TOKEN_SIGNATURE');
    await ask(ann);
  });
});

it('calls at once are those of the subject of a token', async () => {
  const key = await signingKey('k1');
  const auth = { ...RULES, keys: { file: keyFile(keySet(key)).path } };
  const held = deferred<Answer>();
  const get = vi.fn(() => held.promise);
  const { client: ann, address } = await facade(
    { auth, answers: { get }, limits: { callsPerClient: 1 } },
    { token: await key.sign() },
  );
  const bob = await another(address, { token: await key.sign({ sub: 'bob' }) });
  const calls = [ask(ann), eventually(() => expect(get).toHaveBeenCalledTimes(1)).then(() => ask(bob))];
  await eventually(() => expect(get).toHaveBeenCalledTimes(2));
  const error = await failure(ask(ann));
  expect(error).toMatchObject({ reason: 'TOO_MANY_CALLS', retryAfterMs: 500 });
  expect(subjectsOf(error)).toEqual(['token:ann']);
  held.resolve(ANSWER);
  await Promise.all(calls);
});

describe('streams of one client', () => {
  const watch = (address: string): ClientReadableStream<HealthCheckResponse> => {
    const { path, requestSerialize, responseDeserialize } = serviceDefinition(Health).watch;
    const request = create(HealthCheckRequestSchema, { service: '' });
    return bareClient(address).makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  };
  const firstOf = (stream: ClientReadableStream<HealthCheckResponse>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      stream.on('data', resolve);
      stream.on('error', (error) =>
        reject(new CallError(error as unknown as ConstructorParameters<typeof CallError>[0], '')),
      );
    });

  it('have a bound of their own: more are refused until one has ended', async () => {
    const { address, client, calls, began } = await facade({ limits: { streamsPerClient: 2 } });
    const [first, second] = [watch(address), watch(address)];
    await Promise.all([firstOf(first), firstOf(second)]);
    const error = await failure(firstOf(watch(address)));
    expect(error).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_STREAMS', retryAfterMs: 500 });
    await ask(client);
    first.cancel();
    await eventually(() => expect(calls.map(({ code }) => code)).toContain('CANCELLED'));
    await firstOf(watch(address));
    expect(began.filter(({ kind }) => kind === 'server_stream')).toHaveLength(4);
  });
});

it('streams are not counted among calls, nor calls among streams', async () => {
  const held = deferred<Answer>();
  const get = vi.fn(() => held.promise);
  const { client, address } = await facade({ answers: { get }, limits: { streamsPerClient: 1, callsPerClient: 1 } });
  const call = ask(client);
  await eventually(() => expect(get).toHaveBeenCalled());
  expect((await failure(ask(client))).reason).toBe('TOO_MANY_CALLS');
  const services = await new Promise((resolve, reject) => {
    const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
    const same = (bytes: Buffer): Buffer => bytes;
    const stream = bareClient(address).makeBidiStreamRequest(path, same, same);
    stream.on('data', resolve);
    stream.on('error', reject);
    // list_services
    stream.end(Buffer.from([0x3a, 1, 0x2a]));
  });
  expect(String(services)).toContain('rivulet.v1.EventService');
  held.resolve(ANSWER);
  await call;
});

const certificates = new Certificates();
afterAll(() => certificates.remove());

describe.skipIf(noOpenssl)(`a certificate${skipped(noOpenssl)}`, () => {
  const from = (name: string): string => certificates.path(name);
  beforeAll(() => {
    certificates.selfSigned('ca');
    for (const name of ['server', 'shop', 'app']) certificates.signed(name, 'ca');
  });

  it('is a client, by its subject', async () => {
    const tls = { certPath: from('server.pem'), keyPath: from('server.key'), clientCaPath: from('ca.pem') };
    const shown = (name: string): ConnectOptions => ({
      tls: { caPath: from('ca.pem'), certPath: from(`${name}.pem`), keyPath: from(`${name}.key`) },
    });
    const { client: shop, address } = await facade({ tls, limits: SLOW, clock: standing() }, shown('shop'));
    const app = await another(address, shown('app'));
    for (let i = 0; i < 3; i++) await ask(shop);
    expect(subjectsOf(await failure(ask(shop)))).toEqual(['certificate:CN=shop']);
    await ask(app);
  });
});
