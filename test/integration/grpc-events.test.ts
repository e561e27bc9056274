/** PublishEvents over real sockets: what becomes of events. What is counted when, and what the log refuses, is the same for HTTP: event-intake.test.ts. */
import { EventReader } from '../../actors/formats/event-reader.js';
import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { EventInit } from '../../connectors/grpc/client/client.js';
import type { EventPublisher } from '../../connectors/facade/ports.js';
import { EventSchema } from '../../proto/gen/rivulet/v1/event_pb.js';
import { PublishEventsResponseSchema } from '../../proto/gen/rivulet/v1/event_service_pb.js';
import { systemClock } from '../../runtime/contract/clock.js';
import {
  anEvent,
  bareClient,
  bytesOf,
  events,
  facade,
  handPublisher,
  messageOf,
  PUBLISH,
  streamBytes,
} from '../connectors/grpc/facade.js';
import { eventually } from '../support/eventually.js';

const METHOD = 'rivulet.v1.EventService/PublishEvents';

describe('events', () => {
  it('are stored one by one and in lists, each with its type and user', async () => {
    const stored: unknown[] = [];
    const publisher: EventPublisher = {
      publish: async ({ bytes, type, userId }) =>
        void stored.push([fromBinary(EventSchema, bytes).itemId, type, userId]),
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
    expect(calls).toEqual([{ method: METHOD, kind: 'client_stream', code: 'OK', ms: expect.any(Number) }]);
  });

  it('may be none', async () => {
    const { client } = await facade();
    expect(await client.publishEvents([])).toEqual({ accepted: 0, rejected: 0, errors: [] });
  });

  it('are stored byte for byte, with fields of a later version', async () => {
    const stored: Uint8Array[] = [];
    const { address } = await facade({ publisher: { publish: async ({ bytes }) => void stored.push(bytes.slice()) } });
    const later = Buffer.concat([bytesOf(anEvent()), Uint8Array.of(0xf8, 0x07, 1)]);
    const unknown = Uint8Array.of((15 << 3) | 0, 7);
    const bytes = await streamBytes(bareClient(address), PUBLISH, [
      Buffer.concat([unknown, messageOf(later), unknown]),
    ]);
    expect(fromBinary(PublishEventsResponseSchema, bytes)).toMatchObject({ accepted: 1n, rejected: 0n });
    expect(stored.map((one) => Buffer.from(one))).toEqual([later]);
  });

  it('come no faster than they are stored', async () => {
    const { publisher, asked, acks } = handPublisher();
    const { client } = await facade({ publisher, limits: { publishesInFlight: 8 } });
    const call = client.publishEvents([events(5), events(20, 5), ...events(5, 25)]);
    for (let stored = 0; stored < 30; stored++) {
      await eventually(() => expect(asked).toHaveLength(Math.min(30, stored + 8)));
      acks[stored]!.resolve();
    }
    expect(await call).toMatchObject({ accepted: 30 });
    expect(asked).toEqual(Array.from({ length: 30 }, (_, i) => `e${i}`));
  });

  it('may be many, from a source that gives them as it is asked', async () => {
    const publisher: EventPublisher = { publish: () => new Promise((resolve) => setImmediate(resolve)) };
    const { client } = await facade({ publisher });
    const lists = async function* (): AsyncGenerator<EventInit[]> {
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
        {
          index: 1,
          rule: 'missing_field',
          field: 'user_id',
          reason: 'user_id is missing or empty: send it as user_id or userId',
        },
        { index: 3, rule: 'price_negative', field: 'price', reason: 'price is -1: send 0 or more' },
        { index: 4, field: 'event_type' },
      ],
    });
  });

  it('spoil no neighbour even when their bytes are broken', async () => {
    const { address } = await facade();
    const sound = bytesOf(anEvent());
    const bytes = await streamBytes(bareClient(address), PUBLISH, [messageOf(sound, Uint8Array.of(0xff), sound)]);
    expect(fromBinary(PublishEventsResponseSchema, bytes)).toMatchObject({
      accepted: 2n,
      errors: [{ index: 1n, field: '' }],
    });
  });

  it('are known by the clock of the node', async () => {
    const { client } = await facade({
      clock: { ...systemClock, nowMs: () => 0 },
      reader: new EventReader({ futureMaxMs: 1000 }),
    });
    const summary = await client.publishEvents([
      anEvent({ eventTime: { seconds: 1n } }),
      anEvent({ eventTime: { seconds: 2n } }),
    ]);
    expect(summary).toMatchObject({ accepted: 1, errors: [{ index: 1, field: 'event_time' }] });
  });
});
