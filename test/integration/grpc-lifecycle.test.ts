/** Starting, health, connections and stopping of the façade. */
import { EventReader } from '../../actors/formats/event-reader.js';
import { create } from '@bufbuild/protobuf';
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { CallError } from '../../connectors/grpc/client/call-error.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { type Answer } from '../../connectors/facade/ports.js';
import { startGrpcServer } from '../../connectors/grpc/server/server.js';
import { serviceDefinition } from '../../connectors/grpc/server/service-definition.js';
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
} from '../../proto/gen/grpc/health/v1/health_pb.js';
import { RivuletError } from '../../runtime/contract/errors.js';
import {
  ANSWER,
  anEvent,
  bareClient,
  deferred,
  facade,
  failure,
  sendBytes,
  storesAll,
} from '../connectors/grpc/facade.js';
import { eventually } from '../support/eventually.js';

const SERVICES = ['', 'rivulet.v1.RecommendationService', 'rivulet.v1.EventService'];

interface Watch {
  readonly seen: string[];
  readonly ended: Promise<{ code: string }>;
}

function watch(address: string, service: string): Watch {
  const { path, requestSerialize, responseDeserialize } = serviceDefinition(Health).watch;
  const request = create(HealthCheckRequestSchema, { service });
  const stream: ClientReadableStream<HealthCheckResponse> = bareClient(address).makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
  );
  const seen: string[] = [];
  stream.on('data', ({ status }: HealthCheckResponse) => seen.push(Serving[status]));
  const ended = new Promise<{ code: string }>((resolve) => {
    stream.on('error', (error) => resolve(new CallError(error as ServiceError, address)));
    stream.on('end', () => resolve({ code: 'end' }));
  });
  return { seen, ended };
}

describe('health', () => {
  it('is that of the node, and follows it', async () => {
    const { server, client, address } = await facade();
    const watched = watch(address, 'rivulet.v1.EventService');
    for (const service of SERVICES) expect(await client.health(service)).toBe('NOT_SERVING');
    server.setServing(true);
    for (const service of SERVICES) expect(await client.health(service)).toBe('SERVING');
    server.setServing(false);
    for (const service of SERVICES) expect(await client.health(service)).toBe('NOT_SERVING');
    await eventually(() => expect(watched.seen).toEqual(['NOT_SERVING', 'SERVING', 'NOT_SERVING']));
  });

  it('of another service is unknown', async () => {
    const { client } = await facade();
    expect(await failure(client.health('rivulet.v1.Nothing'))).toMatchObject({ status: 'NOT_FOUND' });
  });
});

describe('a start', () => {
  it('on a port that is taken says what to change', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await eventually(() => expect(other.address()).not.toBeNull());
    const { port } = other.address() as { port: number };
    const warn = vi.fn();
    const logger = { debug: vi.fn(), info: vi.fn(), warn, error: vi.fn() };
    const start = startGrpcServer({
      answers: { get: () => ANSWER },
      publisher: storesAll,
      reader: new EventReader(),
      clock: systemClock,
      port,
      logger,
    });
    const error = await start.then(
      () => expect.unreachable(),
      (thrown: unknown) => thrown as RivuletError,
    );
    expect(error).toBeInstanceOf(RivuletError);
    expect(error).toMatchObject({ reaction: 'fatal', code: 'GRPC_PORT_TAKEN' });
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.hint).toMatch(/--grpc-port.*RIVULET_GRPC_PORT/);
    // The library says it too, in words of its own.
    expect(warn).not.toHaveBeenCalled();
  });

  it('on a host of another machine says so', async () => {
    const start = startGrpcServer({
      answers: { get: () => ANSWER },
      publisher: storesAll,
      reader: new EventReader(),
      clock: systemClock,
      host: '192.0.2.1',
      port: 0,
    });
    await expect(start).rejects.toMatchObject({ reaction: 'fatal', code: 'GRPC_BIND_FAILED' });
  });

  it('is possible again on the port of a server that has stopped', async () => {
    const { server } = await facade();
    await server.stop(1000);
    const { client } = await facade({ port: server.port });
    expect((await client.getRecommendations({ userId: '512' })).items).toHaveLength(2);
  });
});

describe('a connection', () => {
  it('that nobody answers at is told apart, with what to do', async () => {
    const { server, client, address } = await facade();
    await server.stop(1000);
    const error = await failure(client.getRecommendations({ userId: '512' }));
    expect(error).toMatchObject({ code: 'GRPC_UNAVAILABLE', reaction: 'transient', reason: undefined });
    expect(error.hint).toContain(address);
    expect(error.hint).toContain('rivulet start');
  });

  it('is renewed when it is old, without a call lost', async () => {
    const { client } = await facade({ limits: { connectionAgeMsMax: 50, connectionAgeGraceMs: 1000 } });
    const endMs = Date.now() + 400;
    while (Date.now() < endMs) {
      expect((await client.getRecommendations({ userId: '512' })).items).toHaveLength(2);
      await sleep(5);
    }
  });

  it('carries so many calls at once, and the others after them', async () => {
    const held: ReturnType<typeof deferred<Answer>>[] = [];
    const get = (): Promise<Answer> => {
      held.push(deferred<Answer>());
      return held.at(-1)!.promise;
    };
    const { client, address } = await facade({ answers: { get }, limits: { streamsPerConnection: 2 } });
    // The limit is known to the client once the connection stands.
    await client.health();
    const calls = Array.from({ length: 3 }, () => client.getRecommendations({ userId: '512' }));
    await eventually(() => expect(held).toHaveLength(2));
    // Time in which a third one would have come.
    await sendBytes(bareClient(address), '/grpc.health.v1.Health/Check', new Uint8Array());
    expect(held).toHaveLength(2);
    held.forEach(({ resolve }) => resolve(ANSWER));
    await eventually(() => expect(held).toHaveLength(3));
    held[2]!.resolve(ANSWER);
    expect(await Promise.all(calls)).toHaveLength(3);
  });
});

describe('a stop', () => {
  it('lets calls end, and takes no more', async () => {
    const answer = deferred<Answer>();
    const get = vi.fn(() => answer.promise);
    const { server, client } = await facade({ answers: { get } });
    const call = client.getRecommendations({ userId: '512' });
    await eventually(() => expect(get).toHaveBeenCalled());
    const stopped = server.stop(5000);
    expect((await failure(client.getRecommendations({ userId: '512' }))).status).toBe('UNAVAILABLE');
    answer.resolve(ANSWER);
    expect((await call).items).toHaveLength(2);
    await stopped;
    expect(get).toHaveBeenCalledOnce();
  });

  it('tells watchers first, and does not wait for them', async () => {
    const { server, address } = await facade();
    server.setServing(true);
    const watched = watch(address, '');
    await eventually(() => expect(watched.seen).toEqual(['SERVING']));
    // A deadline that the test would not live to see.
    const stopped = server.stop(600_000);
    server.setServing(true);
    await stopped;
    // So that a subscriber comes back, and not at once.
    const hint = { code: 'GRPC_UNAVAILABLE', reason: 'NODE_STOPPING', retryAfterMs: 500 };
    expect(await watched.ended).toMatchObject(hint);
    expect(watched.seen).toEqual(['SERVING', 'NOT_SERVING']);
  });

  it('tells open publish streams half-way how far they came', async () => {
    const gate = deferred<void>();
    const publish = vi.fn(() => Promise.resolve());
    const { server, client } = await facade({ publisher: { publish } });
    const source = async function* (): AsyncGenerator<ReturnType<typeof anEvent>[]> {
      yield [anEvent(), anEvent({ userId: '' }), anEvent()];
      await gate.promise;
    };
    const call = failure(client.publishEvents(source()));
    await eventually(() => expect(publish).toHaveBeenCalledTimes(2));
    await server.stop(4_000);
    gate.resolve();
    expect(await call).toMatchObject({
      code: 'GRPC_UNAVAILABLE',
      reason: 'NODE_STOPPING',
      published: { accepted: 2, rejected: 1, resendFrom: 3 },
    });
  });

  it('lets publish streams end that only wait for the log', async () => {
    const stored = deferred<void>();
    const publish = vi.fn(() => stored.promise);
    const { server, client, began } = await facade({ publisher: { publish } });
    const call = client.publishEvents([anEvent()]);
    const gate = deferred<void>();
    const open = failure(
      client.publishEvents(
        (async function* () {
          yield [];
          await gate.promise;
        })(),
      ),
    );
    await eventually(() => expect(publish).toHaveBeenCalled());
    await eventually(() => expect(began).toHaveLength(2));
    const stopped = server.stop(6_000);
    // Half of the time is over when those are told that are still open.
    expect(await open).toMatchObject({ reason: 'NODE_STOPPING' });
    gate.resolve();
    stored.resolve();
    expect(await call).toMatchObject({ accepted: 1 });
    await stopped;
  });

  it('cuts what is left at its deadline', async () => {
    const get = vi.fn(() => new Promise<Answer>(() => undefined));
    const { server, client } = await facade({ answers: { get } });
    const call = failure(client.getRecommendations({ userId: '512' }));
    await eventually(() => expect(get).toHaveBeenCalled());
    await server.stop(200);
    expect(['UNAVAILABLE', 'CANCELLED', 'INTERNAL']).toContain((await call).status);
  });

  it('may be asked for twice', async () => {
    const { server } = await facade();
    await Promise.all([server.stop(1000), server.stop(1000)]);
  });
});
