/** PublishEvents over real sockets. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { EventPublisher } from '../../connectors/grpc/ports.js';
import { EventSchema } from '../../proto/gen/rivulet/v1/event_pb.js';
import {
  PublishEventsRequestSchema,
  PublishEventsResponseSchema,
} from '../../proto/gen/rivulet/v1/event_service_pb.js';
import { poison, transient } from '../../runtime/errors.js';
import {
  anEvent,
  bareClient,
  bytesOf,
  deferred,
  facade,
  failure,
  PUBLISH,
  streamBytes,
} from '../connectors/grpc/facade.js';

const METHOD = 'rivulet.v1.EventService/PublishEvents';
const events = (count: number, from = 0): ReturnType<typeof anEvent>[] =>
  Array.from({ length: count }, (_, i) => anEvent({ eventId: `e${from + i}` }));
const message = (...parts: Uint8Array[]): Uint8Array =>
  Buffer.concat(parts.map((part) => Buffer.concat([Uint8Array.of((1 << 3) | 2, part.length), part])));

/** A publisher whose acknowledgements are given by hand, in order of the events. */
function handPublisher(): { publisher: EventPublisher; asked: string[]; acks: ReturnType<typeof deferred<void>>[] } {
  const [asked, acks]: [string[], ReturnType<typeof deferred<void>>[]] = [[], []];
  const publish: EventPublisher['publish'] = (bytes) => {
    asked.push(fromBinary(EventSchema, bytes).eventId ?? '');
    acks.push(deferred<void>());
    return acks.at(-1)!.promise;
  };
  return { publisher: { publish }, asked, acks };
}

describe('events', () => {
  it('are stored one by one and in lists, each with its type and user', async () => {
    const stored: unknown[] = [];
    const publisher: EventPublisher = {
      publish: async (bytes, type, userId) => void stored.push([fromBinary(EventSchema, bytes).itemId, type, userId]),
    };
    const { client, calls } = await facade({ publisher });
    const summary = await client.publishEvents([
      anEvent({ itemId: 'a' }),
      [anEvent({ itemId: 'b', eventType: 3, userId: '9' }), anEvent({ itemId: 'c', eventType: 6, rating: 4 })],
      [],
    ]);
    expect(summary).toEqual({ accepted: 3, rejected: 0, errors: [] });
    expect(stored).toEqual([
      ['a', 'view', '512'],
      ['b', 'purchase', '9'],
      ['c', 'rating', '512'],
    ]);
    expect(calls).toEqual([{ method: METHOD, code: 'OK', ms: expect.any(Number) }]);
  });

  it('may be none', async () => {
    const { client } = await facade();
    expect(await client.publishEvents([])).toEqual({ accepted: 0, rejected: 0, errors: [] });
  });

  it('are stored byte for byte, with fields of a later version', async () => {
    const stored: Uint8Array[] = [];
    const { address } = await facade({ publisher: { publish: async (bytes) => void stored.push(bytes.slice()) } });
    const later = Buffer.concat([bytesOf(anEvent()), Uint8Array.of(0xf8, 0x07, 1)]);
    const unknown = Uint8Array.of((15 << 3) | 0, 7);
    const bytes = await streamBytes(bareClient(address), PUBLISH, [Buffer.concat([unknown, message(later), unknown])]);
    expect(fromBinary(PublishEventsResponseSchema, bytes)).toMatchObject({ accepted: 1n, rejected: 0n });
    expect(stored.map((one) => Buffer.from(one))).toEqual([later]);
  });

  it('are counted after the log has stored them', async () => {
    const { publisher, acks } = handPublisher();
    const { client } = await facade({ publisher });
    const settled = vi.fn();
    const call = client.publishEvents([events(2)]).finally(settled);
    await vi.waitFor(() => expect(acks).toHaveLength(2));
    acks[1]!.resolve();
    await sleep(30);
    expect(settled).not.toHaveBeenCalled();
    acks[0]!.resolve();
    expect(await call).toMatchObject({ accepted: 2 });
  });

  it('come no faster than they are stored', async () => {
    const { publisher, asked, acks } = handPublisher();
    const { client } = await facade({ publisher, limits: { publishesInFlight: 8 } });
    const call = client.publishEvents([events(5), events(20, 5), ...events(5, 25)]);
    for (let stored = 0; stored < 30; stored++) {
      await vi.waitFor(() => expect(asked).toHaveLength(Math.min(30, stored + 8)));
      acks[stored]!.resolve();
    }
    expect(await call).toMatchObject({ accepted: 30 });
    expect(asked).toEqual(Array.from({ length: 30 }, (_, i) => `e${i}`));
  });

  it('may be many, from a source that gives them as it is asked', async () => {
    const publisher: EventPublisher = { publish: () => new Promise((resolve) => setImmediate(resolve)) };
    const { client } = await facade({ publisher });
    const lists = async function* (): AsyncGenerator<ReturnType<typeof anEvent>[]> {
      for (let i = 0; i < 20; i++) yield events(1000, i * 1000);
    };
    expect(await client.publishEvents(lists())).toEqual({ accepted: 20_000, rejected: 0, errors: [] });
  });
});

describe('events that break a rule', () => {
  it('are reported by their place and field; their neighbours are stored', async () => {
    const { client } = await facade();
    const summary = await client.publishEvents([
      anEvent(),
      [anEvent({ userId: '' }), anEvent(), anEvent({ price: -1 })],
      anEvent({ eventType: 0 }),
    ]);
    expect(summary).toMatchObject({
      accepted: 2,
      rejected: 3,
      errors: [
        { index: 1, field: 'user_id', reason: 'is required' },
        { index: 3, field: 'price', reason: 'is -1, must be a finite number from 0' },
        { index: 4, field: 'event_type' },
      ],
    });
  });

  it('are reported up to a hundred, and counted all', async () => {
    const { client } = await facade();
    const { accepted, rejected, errors } = await client.publishEvents([
      Array.from({ length: 250 }, () => anEvent({ itemId: '' })),
    ]);
    expect([accepted, rejected, errors.length, errors.at(-1)?.index]).toEqual([0, 250, 100, 99]);
  });

  it('spoil no neighbour even when their bytes are broken', async () => {
    const { address } = await facade();
    const sound = bytesOf(anEvent());
    const bytes = await streamBytes(bareClient(address), PUBLISH, [message(sound, Uint8Array.of(0xff), sound)]);
    expect(fromBinary(PublishEventsResponseSchema, bytes)).toMatchObject({
      accepted: 2n,
      errors: [{ index: 1n, field: '' }],
    });
  });

  it('are known by the clock of the node', async () => {
    const { client } = await facade({ clock: { nowMs: () => 0 }, limits: { futureMsMax: 1000 } });
    const summary = await client.publishEvents([
      anEvent({ eventTime: { seconds: 1n } }),
      anEvent({ eventTime: { seconds: 2n } }),
    ]);
    expect(summary).toMatchObject({ accepted: 1, errors: [{ index: 1, field: 'event_time' }] });
  });

  it('may be found out by the log', async () => {
    const publish = vi.fn<EventPublisher['publish']>(() => Promise.resolve());
    publish.mockRejectedValueOnce(poison('TOO_LARGE', 'the event is larger than the log takes'));
    const { client } = await facade({ publisher: { publish } });
    expect(await client.publishEvents([events(3)])).toMatchObject({
      accepted: 2,
      errors: [{ index: 0, field: '', reason: 'the event is larger than the log takes' }],
    });
  });
});

describe('a stream that cannot go on', () => {
  it('says how far it came, once all that is in flight has settled', async () => {
    const { publisher, acks } = handPublisher();
    const { client, calls } = await facade({ publisher, limits: { publishesInFlight: 4 } });
    const call = failure(client.publishEvents([[anEvent({ itemId: '' }), ...events(9, 1)]]));
    await vi.waitFor(() => expect(acks).toHaveLength(4));
    // Events 1 to 4 are in flight.
    acks[1]!.reject(transient('LOG_AWAY', 'the log is away'));
    acks[3]!.resolve();
    acks[2]!.reject(transient('LOG_AWAY', 'the log is away'));
    acks[0]!.resolve();
    expect(await call).toMatchObject({
      code: 'GRPC_UNAVAILABLE',
      message: 'the log is away',
      reason: 'LOG_AWAY',
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

  it('because a message is broken says which events came before', async () => {
    const { address } = await facade();
    const error = await failure(
      streamBytes(bareClient(address), PUBLISH, [message(bytesOf(anEvent())), Uint8Array.of(0x0a, 0x7f)]),
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
      { field: 'events', description: expect.stringContaining('at most 10000') },
    ]);
  });

  it('because a message is larger than 4 MiB is told so', async () => {
    const { address } = await facade();
    const error = await failure(streamBytes(bareClient(address), PUBLISH, [new Uint8Array(4 * 2 ** 20 + 1)]));
    expect(error.status).toBe('RESOURCE_EXHAUSTED');
  });

  it('because its client has too many is refused', async () => {
    const { client } = await facade({ limits: { callsPerClient: 1 } });
    const [first, gate] = [vi.fn(), deferred<void>()];
    const source = async function* (): AsyncGenerator<ReturnType<typeof anEvent>> {
      yield anEvent();
      first();
      await gate.promise;
    };
    const open = client.publishEvents(source());
    await vi.waitFor(() => expect(first).toHaveBeenCalled());
    await vi.waitFor(async () => {
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
    ['at its deadline', 'DEADLINE_EXCEEDED', () => ({ deadlineMs: 100 })],
    ['by its client', 'CANCELLED', () => ({ signal: AbortSignal.timeout(100) })],
  ])('%s publishes nothing more, and frees its client when all has settled', async (_, code, options) => {
    const { publisher, acks } = handPublisher();
    const { client, calls } = await facade({ publisher, limits: { publishesInFlight: 2, callsPerClient: 1 } });
    const error = await failure(client.publishEvents([events(10)], options()));
    expect(error.status).toBe(code);
    await vi.waitFor(() => expect(calls).toMatchObject([{ method: METHOD, code }]));

    expect((await failure(client.publishEvents(events(1)))).reason).toBe('TOO_MANY_CALLS');
    acks.forEach(({ resolve }) => resolve());
    await sleep(20);
    expect(acks).toHaveLength(2);
    const again = client.publishEvents([]);
    expect(await again).toMatchObject({ accepted: 0 });
  });

  it('by a source that throws is cancelled, and rejects with what was thrown', async () => {
    const publish = vi.fn(() => Promise.resolve());
    const { client, calls } = await facade({ publisher: { publish } });
    const source = async function* (): AsyncGenerator<ReturnType<typeof anEvent>> {
      yield anEvent();
      await vi.waitFor(() => expect(publish).toHaveBeenCalled());
      throw new Error('the disk is gone');
    };
    await expect(client.publishEvents(source())).rejects.toThrow('the disk is gone');
    await vi.waitFor(() => expect(calls).toMatchObject([{ code: 'CANCELLED' }]));
  });

  it('by the node asks its source for one item more at most', async () => {
    const { client } = await facade({ publisher: { publish: () => Promise.reject(new Error('bug')) } });
    const closed = vi.fn();
    const source = async function* (): AsyncGenerator<ReturnType<typeof anEvent>> {
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
    await vi.waitFor(() => expect(closed).toHaveBeenCalled());
  });
});
