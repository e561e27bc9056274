/** PublishEvents over real sockets: streams that fail, are refused, or are given up. */
import { create, toBinary } from '@bufbuild/protobuf';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Metadata } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { EventInit } from '../../connectors/grpc/client/client.js';
import { PublishEventsRequestSchema } from '../../proto/gen/rivulet/v1/event_service_pb.js';
import { transient } from '../../runtime/contract/errors.js';
import {
  anEvent,
  bareClient,
  bytesOf,
  deferred,
  events,
  facade,
  failure,
  handPublisher,
  messageOf,
  PUBLISH,
  streamBytes,
} from '../connectors/grpc/facade.js';
import { eventually } from '../support/eventually.js';

const METHOD = 'rivulet.v1.EventService/PublishEvents';

describe('a stream that cannot go on', () => {
  it('says how far it came, once all that is in flight has settled', async () => {
    const { publisher, acks } = handPublisher();
    const { client, calls } = await facade({ publisher, limits: { publishesInFlight: 4 } });
    const call = failure(client.publishEvents([[anEvent({ itemId: '' }), ...events(9, 1)]]));
    await eventually(() => expect(acks).toHaveLength(4));
    // Events 1 to 4 are in flight.
    acks[1]!.reject(transient('LOG_UNREACHABLE', 'the log is unreachable'));
    acks[3]!.resolve();
    acks[2]!.reject(transient('LOG_UNREACHABLE', 'the log is unreachable'));
    acks[0]!.resolve();
    expect(await call).toMatchObject({
      code: 'GRPC_UNAVAILABLE',
      message: 'the log is unreachable',
      reason: 'LOG_UNREACHABLE',
      retryAfterMs: 500,
      published: { accepted: 2, rejected: 1, resendFrom: 2 },
    });
    expect(acks).toHaveLength(4);
    expect(calls).toMatchObject([{ code: 'UNAVAILABLE' }]);
  });

  it('because the publisher throws is a bug', async () => {
    const publish = (): Promise<void> => {
      throw new Error('secret');
    };
    const { client } = await facade({ publisher: { publish } });
    const error = await failure(client.publishEvents(events(2)));
    expect(error).toMatchObject({ status: 'INTERNAL', published: { accepted: 0, resendFrom: 0 } });
    expect(error.message).not.toContain('secret');
  });

  it('with many rejected events is told in trailers that clients take, with where to send again from', async () => {
    const { address } = await facade();
    const bad = bytesOf(anEvent({ categoryCode: 'a\u0001b' }));
    const messages = [messageOf(...Array.from({ length: 150 }, () => bad)), Uint8Array.of(0x0a, 0x7f)];
    const error = await failure(streamBytes(bareClient(address), PUBLISH, messages));
    expect(error.published).toEqual({ accepted: 0, rejected: 150, resendFrom: 150 });
    const { metadata } = error.cause as { metadata: Metadata };
    const headers = Object.entries(metadata.toHttp2Headers()).flat(2);
    expect(headers.join().length).toBeLessThan(8192);
  });

  it('because a message is broken says which events came before', async () => {
    const { address } = await facade();
    const error = await failure(
      streamBytes(bareClient(address), PUBLISH, [messageOf(bytesOf(anEvent())), Uint8Array.of(0x0a, 0x7f)]),
    );
    expect(error).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'MALFORMED_REQUEST',
      published: { accepted: 1, rejected: 0, resendFrom: 1 },
    });
  });

  it('because a message holds too many events names the field', async () => {
    const { address } = await facade();
    const many = toBinary(
      PublishEventsRequestSchema,
      create(PublishEventsRequestSchema, { events: Array.from({ length: 10_001 }, () => ({})) }),
    );
    const error = await failure(streamBytes(bareClient(address), PUBLISH, [many]));
    expect(error.violations).toMatchObject([
      { field: 'events', description: expect.stringContaining('more than 10000 events') },
    ]);
  });

  it('because a message is larger than 1 MiB is told so', async () => {
    const { address } = await facade();
    const error = await failure(streamBytes(bareClient(address), PUBLISH, [new Uint8Array(2 ** 20 + 1)]));
    expect(error.status).toBe('RESOURCE_EXHAUSTED');
  });

  it('because its client has too many is refused', async () => {
    const { client } = await facade({ limits: { callsPerClient: 1 } });
    const [first, gate] = [vi.fn(), deferred<void>()];
    const source = async function* (): AsyncGenerator<EventInit> {
      yield anEvent();
      first();
      await gate.promise;
    };
    const open = client.publishEvents(source());
    await eventually(() => expect(first).toHaveBeenCalled());
    await eventually(async () => {
      const error = await failure(client.publishEvents(events(1)));
      expect(error).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_CALLS', retryAfterMs: 500 });
    });
    gate.resolve();
    expect(await open).toMatchObject({ accepted: 1 });
    expect(await client.publishEvents(events(1))).toMatchObject({ accepted: 1 });
  });
});

describe('a stream that is given up', () => {
  it.each([
    // Client and server each have a timer for the deadline: the server may hear of the client's first.
    ['at its deadline', 'DEADLINE_EXCEEDED', /DEADLINE_EXCEEDED|CANCELLED/, { deadlineMs: 5_000 }],
    ['by its client', 'CANCELLED', /CANCELLED/, {}],
  ])('%s publishes nothing more, and frees its client when all has settled', async (_, code, seen, options) => {
    const { publisher, acks } = handPublisher();
    const { client, calls } = await facade({ publisher, limits: { publishesInFlight: 2, callsPerClient: 1 } });
    const stop = new AbortController();
    const call = failure(client.publishEvents([events(10)], { signal: stop.signal, ...options }));
    await eventually(() => expect(acks).toHaveLength(2));
    if (code === 'CANCELLED') stop.abort();
    expect((await call).status).toBe(code);
    await eventually(() => expect(calls).toMatchObject([{ method: METHOD, code: expect.stringMatching(seen) }]));

    expect((await failure(client.publishEvents(events(1)))).reason).toBe('TOO_MANY_CALLS');
    acks.forEach(({ resolve }) => resolve());
    await eventually(async () => expect(await client.publishEvents([])).toMatchObject({ accepted: 0 }));
    expect(acks).toHaveLength(2);
  });

  it('by a source that throws is cancelled, and rejects with what was thrown', async () => {
    const publish = vi.fn(() => Promise.resolve());
    const { client, calls } = await facade({ publisher: { publish } });
    const source = async function* (): AsyncGenerator<EventInit> {
      yield anEvent();
      await eventually(() => expect(publish).toHaveBeenCalled());
      throw new Error('the disk is gone');
    };
    await expect(client.publishEvents(source())).rejects.toThrow('the disk is gone');
    // Node's client ends a stream before it resets it.
    await eventually(() => expect(calls).toMatchObject([{ code: expect.stringMatching(/CANCELLED|OK/) }]));
  });

  it('by a client that resets it without an end is no stream that ended', async () => {
    const { server, began, calls } = await facade();
    const socket = connect(server.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const headers = [
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', PUBLISH],
      [':authority', 'test'],
      ['content-type', 'application/grpc'],
    ].map(([name, value]) => Buffer.concat([Uint8Array.of(0), hpackText(name!), hpackText(value!)]));
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(Buffer.concat([http2Frame(4, 0, 0), http2Frame(1, 4, 1, ...headers)]));
    await eventually(() => expect(began).toHaveLength(1));
    socket.write(http2Frame(3, 0, 1, Uint8Array.of(0, 0, 0, 8)));
    await eventually(() => expect(calls).toMatchObject([{ code: 'CANCELLED' }]));
  });

  it('by the node asks its source for one item more at most', async () => {
    const { client } = await facade({ publisher: { publish: () => Promise.reject(new Error('bug')) } });
    const closed = vi.fn();
    const source = async function* (): AsyncGenerator<EventInit> {
      try {
        for (;;) {
          yield anEvent();
          await sleep(5);
        }
      } finally {
        closed();
      }
    };
    expect((await failure(client.publishEvents(source()))).status).toBe('INTERNAL');
    await eventually(() => expect(closed).toHaveBeenCalled());
  });
});

const hpackText = (text: string): Buffer => Buffer.concat([Uint8Array.of(text.length), Buffer.from(text)]);

function http2Frame(type: number, flags: number, stream: number, ...payload: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.set([type, flags, 0, 0, 0, stream], 3);
  return Buffer.concat([head, body]);
}
