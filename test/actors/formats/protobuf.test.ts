import { create, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FieldName } from '../../../actors/formats/fields.js';
import { protobufKind } from '../../../actors/formats/protobuf.js';
import { EVENT_TYPES } from '../../../actors/model.js';
import { parse } from '../../../actors/parse.js';
import { type Event, EventBatchSchema, EventSchema, EventType } from '../../../proto/gen/rivulet/v1/event_pb.js';
import { type RawMessage, utf8 } from '../../../runtime/contract/stage.js';
import { batch, deadLettersOf, message, STORED_AT_MS } from '../../support/raw-messages.js';
import { judge } from '../../support/plain-parse.js';
import { type Said, StageDriver } from '../../support/stage-driver.js';

const MIDNIGHT = Date.UTC(2019, 9, 1);
const GOOD = { eventType: EventType.VIEW, eventTime: timestampFromMs(MIDNIGHT), userId: 'u', itemId: 'i' };
type Init = Partial<Omit<Event, '$typeName' | '$unknown'>>;

const eventBytes = (init: Init): Uint8Array => toBinary(EventSchema, create(EventSchema, init));
const concat = (...parts: (Uint8Array | number[])[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const batchBytes = (...events: Uint8Array[]): Uint8Array =>
  concat(...events.flatMap((bytes) => [[0x0a, bytes.length], bytes]));

const feed = (...messages: RawMessage[]): Said => new StageDriver(parse()).feed('events', batch(...messages));
const judged = (init: Init): unknown => {
  const said = feed(message(eventBytes(init)));
  const [letter] = deadLettersOf(said);
  return letter === undefined ? said.rows['rows']?.[0] : [letter.rule, letter.field];
};

describe('protobuf, by hand', () => {
  it('is an Event, by content type or by its bytes', () => {
    const bytes = eventBytes({
      ...GOOD,
      eventId: 'e',
      categoryCode: 'a.b',
      brand: 'é',
      price: 12.5,
      reviewText: 'good',
    });
    const row = {
      time: MIDNIGHT,
      type: 0,
      user: 'u',
      item: 'i',
      category: 'a.b',
      brand: 'é',
      price: 12.5,
      rating: undefined,
      past: 0,
    };
    for (const contentType of ['application/x-protobuf', 'application/protobuf; type=event', 'text/plain', undefined]) {
      expect(feed(message(bytes, contentType === undefined ? {} : { contentType })).rows['rows']).toEqual([row]);
    }
  });

  it('is an EventBatch, by content type or by its bytes', () => {
    const bytes = batchBytes(eventBytes(GOOD), eventBytes({ ...GOOD, userId: 'v' }));
    expect(bytes).toEqual(
      toBinary(EventBatchSchema, create(EventBatchSchema, { events: [GOOD, { ...GOOD, userId: 'v' }] })),
    );
    for (const contentType of [
      'application/x-protobuf;type=eventbatch',
      'application/protobuf; messagetype="rivulet.v1.eventbatch"',
      'application/protobuf',
      undefined,
    ]) {
      expect(feed(message(bytes, contentType === undefined ? {} : { contentType })).rows['rows']).toMatchObject([
        { user: 'u' },
        { user: 'v' },
      ]);
    }
  });

  it('is told from JSON that starts with a line end, which is also a tag', () => {
    const id = 'x'.repeat(64);
    // The first event is 123 bytes long: the message starts with a line end and a brace.
    const bytes = batchBytes(eventBytes({ ...GOOD, eventId: id, userId: 'y'.repeat(42) }));
    expect([bytes[0], bytes[1]]).toEqual([0x0a, 0x7b]);
    expect(feed(message(bytes)).rows['rows']).toHaveLength(1);
    const text = '\n{"event_type":"view","event_time":0,"user_id":1,"item_id":1}';
    expect(feed(message(text)).rows['rows']).toHaveLength(1);
  });

  it('keeps the own bytes of a refused event of a batch, and its neighbours', () => {
    const bad = eventBytes({ ...GOOD, price: -1 });
    const broken = Uint8Array.of(0x22, 0x7f, 0x00);
    const said = feed(message(batchBytes(eventBytes(GOOD), bad, broken, eventBytes({ ...GOOD, userId: 'v' }))));
    expect(said.rows['rows']).toMatchObject([{ user: 'u' }, { user: 'v' }]);
    const letters = deadLettersOf(said);
    expect(letters).toMatchObject([
      { rule: 'price_negative', field: 'price', index: 1 },
      { rule: 'protobuf_invalid', index: 2 },
    ]);
    expect(letters.map(({ original }) => [...original])).toEqual([[...bad], [...broken]]);
  });

  it.each([
    [{ ...GOOD, eventType: EventType.UNSPECIFIED }, 'missing_field', 'event_type'],
    [{ ...GOOD, eventType: 99 as EventType }, 'unknown_event_type', 'event_type'],
    [{ eventType: EventType.VIEW, userId: 'u', itemId: 'i' }, 'missing_field', 'event_time'],
    [{ ...GOOD, eventTime: { ...timestampFromMs(0), nanos: 1e9 } }, 'time_invalid', 'event_time'],
    [{ ...GOOD, eventTime: timestampFromMs(-1) }, 'time_before_1970', 'event_time'],
    [{ ...GOOD, eventTime: { ...timestampFromMs(0), seconds: 2n ** 62n } }, 'time_in_future', 'event_time'],
    [{ ...GOOD, userId: '' }, 'missing_field', 'user_id'],
    [{ ...GOOD, itemId: 'a\n' }, 'control_characters', 'item_id'],
    [{ ...GOOD, price: NaN }, 'number_invalid', 'price'],
    [{ ...GOOD, price: Infinity }, 'number_invalid', 'price'],
    [{ ...GOOD, rating: -Infinity }, 'number_invalid', 'rating'],
    [{ ...GOOD, eventType: EventType.RATING }, 'missing_field', 'rating'],
    [{ ...GOOD, reviewText: 'é'.repeat(5001) }, 'text_too_long', 'review_text'],
  ] as const)('event %# is refused: %s of %s', (init, rule, field) => {
    expect(judged(init)).toEqual([rule, field]);
  });

  it('skips unknown fields, and takes the last value of a field that comes twice', () => {
    const unknown = [0xa2, 0x06, 0x02, 0x01, 0x02];
    const bytes = concat(
      eventBytes({ ...GOOD, userId: 'first', price: -1 }),
      unknown,
      eventBytes({ ...GOOD, price: 3 }),
    );
    expect(feed(message(bytes)).rows['rows']).toMatchObject([{ user: 'u', price: 3 }]);
  });

  it('refuses text that is no UTF-8, naming the field', () => {
    const bytes = concat(eventBytes(GOOD), [0x3a, 0x01, 0xff]);
    expect(deadLettersOf(feed(message(bytes)))).toMatchObject([{ rule: 'invalid_utf8', field: 'brand' }]);
  });

  it('is refused when it is cut off', () => {
    const bytes = eventBytes(GOOD);
    const contentType = 'application/x-protobuf';
    for (let end = 1; end < bytes.length; end++) {
      expect(feed(message(bytes.slice(0, end), { contentType })).rows['rows']).toBeUndefined();
    }
    expect(deadLettersOf(feed(message(bytes.slice(0, -1), { contentType })))).toMatchObject([
      { rule: 'protobuf_invalid' },
    ]);
    const cut = batchBytes(bytes, bytes).slice(0, -1);
    expect(deadLettersOf(feed(message(cut, { contentType: `${contentType};type=eventbatch` })))).toMatchObject([
      { rule: 'protobuf_invalid' },
    ]);
  });

  it('is refused when a field ends outside of the message it is in', () => {
    const time = [0x1a, 0x01, 0x08, 0x00];
    const said = feed(message(concat(eventBytes(GOOD), time), { contentType: 'application/x-protobuf' }));
    expect(deadLettersOf(said)).toMatchObject([{ rule: 'protobuf_invalid' }]);
  });

  it('tells an event from a batch by its tags, and neither from text', () => {
    expect(protobufKind(eventBytes(GOOD))).toBe('event');
    expect(protobufKind(batchBytes(eventBytes(GOOD)))).toBe('event-batch');
    expect(protobufKind(utf8('2019-10-01 00:00:00 UTC,view,1'))).toBeUndefined();
    expect(protobufKind(utf8('<event/>'))).toBeUndefined();
  });
});

const text = fc.constantFrom(undefined, '', 'a', 'é', 'a.b', 'x\ty', 'x'.repeat(257));
const number = fc.constantFrom(undefined, 0, -0, 2.5, -1, 7);
const init = fc.record({
  eventType: fc.constantFrom(1, 2, 3, 4, 5, 6, 6, 7, 0),
  eventTime: fc.option(fc.integer({ min: -10, max: STORED_AT_MS + 2 * 86_400_000 }), { nil: undefined, freq: 8 }),
  userId: fc.constantFrom('u', 'u', '7', ''),
  itemId: fc.constantFrom('i', 'i', '8', ''),
  ...{
    categoryCode: text,
    brand: text,
    sessionId: text,
    reviewText: text,
    pageUrl: text,
    price: number,
    rating: number,
  },
});

it('protobuf of any kind becomes what a plain reader makes of the same fields', () => {
  fc.assert(
    fc.property(fc.array(init, { maxLength: 8 }), (inits) => {
      const events = inits.map(({ eventTime, ...rest }) =>
        create(EventSchema, {
          ...rest,
          ...(eventTime === undefined ? {} : { eventTime: timestampFromMs(eventTime) }),
        } as Init),
      );
      const plain = inits.map((one) => {
        const named = Object.entries(one).map(([key, value]) => [
          key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
          value,
        ]);
        const given = Object.fromEntries(
          named.filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]),
        );
        const type = one.eventType === 0 ? '' : (EVENT_TYPES[one.eventType - 1] ?? 'unknown');
        const time = one.eventTime === undefined ? '' : timeText(one.eventTime);
        const verdict = judge(
          { ...(given as Record<FieldName, string>), event_type: type, event_time: time },
          STORED_AT_MS,
        );
        return 'row' in verdict ? verdict.row : `${verdict.rule} ${verdict.field}`;
      });
      if (events.length === 0) return;
      const data = toBinary(EventBatchSchema, create(EventBatchSchema, { events }));
      const said = feed(message(data, { contentType: 'application/x-protobuf;type=eventbatch' }));
      expect(said.rows['rows'] ?? []).toEqual(plain.filter((one) => typeof one !== 'string'));
      expect(deadLettersOf(said).map(({ rule, field }) => `${rule} ${field}`)).toEqual(
        plain.filter((one) => typeof one === 'string'),
      );
    }),
    { numRuns: 300 },
  );
});

/** As text that the plain reader takes for this time: numbers near 0 are seconds to it. */
const timeText = (ms: number): string => new Date(ms).toISOString();
