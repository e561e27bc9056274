/** Events as JSON: what gRPC takes, HTTP takes, and the same bytes are stored; what it refuses, HTTP refuses for the same field. */
import { create, fromBinary, type MessageInitShape, toBinary, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkedEvent, soundEvent } from '../../../connectors/facade/event-fields.js';
import { jsonBody, jsonLinesBody, type ReadEvent } from '../../../connectors/http/routes/event-body.js';
import { EVENT_FIELDS, eventOf } from '../../../connectors/http/event-json.js';
import { EventSchema, EventType } from '../../../proto/gen/rivulet/v1/event_pb.js';

const LATEST_MS = Date.UTC(2026, 10, 2);
const VIEW = { event_type: 'view', event_time: '2026-11-01T12:00:00Z', user_id: 'u1', item_id: 'i1' };

type Init = MessageInitShape<typeof EventSchema>;

/** Any text that has UTF-8: control characters too, and such as are long. */
const anyText = fc.oneof(
  { weight: 30, arbitrary: fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 12 }) },
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 4 }).filter((text) => !/\p{Surrogate}/u.test(text)),
  fc.constantFrom('', 'x'.repeat(256), 'x'.repeat(257)),
);
/** Those that JSON has. */
const anyNumber = fc
  .oneof(
    { weight: 9, arbitrary: fc.double({ min: 0.5, max: 5, noNaN: true }) },
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, 5.01, -1, 1e308),
  )
  .filter((n) => !Object.is(n, -0));
const anyTime = fc.record({
  seconds: fc.oneof(
    { weight: 9, arbitrary: fc.bigInt({ min: 0n, max: BigInt(LATEST_MS) / 1000n - 1n }) },
    fc.bigInt({ min: -2n, max: BigInt(LATEST_MS) / 1000n + 2n }),
    fc.constant(BigInt(LATEST_MS) / 1000n),
  ),
  nanos: fc.oneof(fc.constantFrom(0, 999_999_999, 123_000_000), fc.integer({ min: 0, max: 999_999_999 })),
});
const anyEvent: fc.Arbitrary<Init> = fc
  .record({
    eventType: fc.integer({ min: 0, max: 6 }),
    eventTime: fc.option(anyTime, { nil: undefined, freq: 20 }),
    userId: anyText,
    itemId: anyText,
    ...Object.fromEntries(
      [
        'eventId',
        'categoryCode',
        'brand',
        'sessionId',
        'pageUrl',
        'deviceType',
        'clickType',
        'referrer',
        'reviewText',
      ].map((key) => [key, fc.option(anyText, { nil: undefined })]),
    ),
    price: fc.option(anyNumber, { nil: undefined }),
    rating: fc.option(anyNumber, { nil: undefined }),
  })
  .map((event) => event as Init);

/** As HTTP reads it, and checks it. */
function readBack(event: ReadEvent) {
  const checked = 'description' in event ? event : checkedEvent(event, LATEST_MS);
  return 'description' in checked || 'description' in event
    ? checked
    : { ...checked, bytes: toBinary(EventSchema, event) };
}

describe('an event that gRPC', () => {
  it('takes is taken, with the same bytes; one that it refuses is refused for the same field', () => {
    let taken = 0;
    fc.assert(
      fc.property(anyEvent, fc.boolean(), (init, snake) => {
        const event = create(EventSchema, init);
        const bytes = toBinary(EventSchema, event);
        const asked = soundEvent(bytes, LATEST_MS);
        // Its own JSON has times before 1970 as well, and enum values as names.
        const json = toJson(EventSchema, event, { useProtoFieldName: snake });
        const body = jsonBody(Buffer.from(JSON.stringify(json)))!;
        expect(body.count).toBe(1);
        const [read] = [...body.events].map(readBack);
        if ('field' in asked) expect(read).toMatchObject({ field: asked.field });
        else {
          taken++;
          expect(read).toEqual({ ...asked, bytes });
        }
      }),
      { numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('knows by a field, JSON knows by that name, and no other', () => {
    expect([...EVENT_FIELDS].sort()).toEqual(EventSchema.fields.map(({ name }) => name).sort());
  });
});

const problem = (given: object): unknown => readBack(eventOf({ ...VIEW, ...given }));

describe('a field', () => {
  it.each<[object, object]>([
    [{ user_id: 512 }, { userId: '512' }],
    [{ item_id: 9_007_199_254_740_991 }, { itemId: '9007199254740991' }],
    [{ event_type: 'EVENT_TYPE_REMOVE_FROM_CART' }, { eventType: EventType.REMOVE_FROM_CART }],
    [
      { event_type: 6, rating: 4.5 },
      { eventType: EventType.RATING, rating: 4.5 },
    ],
  ])('may be %j', (given, wanted) => {
    expect(eventOf({ ...VIEW, ...given })).toMatchObject(wanted);
  });

  it('that is null is as one that is not there', () => {
    expect(eventOf({ ...VIEW, brand: null })).toEqual(eventOf(VIEW));
  });

  it.each<[string | number, number, number?]>([
    ['2026-01-02T03:04:05.678Z', Date.UTC(2026, 0, 2, 3, 4, 5, 678)],
    ['2026-01-02T03:04:05.678912345Z', Date.UTC(2026, 0, 2, 3, 4, 5, 678), 678_912_345],
    ['2026-01-02T03:04:05+02:00', Date.UTC(2026, 0, 2, 1, 4, 5)],
    ['2026-01-02T03:04-0530', Date.UTC(2026, 0, 2, 8, 34)],
    ['2026-01-02 03:04:05 UTC', Date.UTC(2026, 0, 2, 3, 4, 5)],
    ['2026-01-02', Date.UTC(2026, 0, 2)],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    [1_767_323_045, Date.UTC(2026, 0, 2, 3, 4, 5)],
    [1_767_323_045.5, Date.UTC(2026, 0, 2, 3, 4, 5, 500)],
    [1_767_323_045_678, Date.UTC(2026, 0, 2, 3, 4, 5, 678)],
  ])('may be the time %s', (event_time, ms, nanos = (ms % 1000) * 1e6) => {
    const event = eventOf({ ...VIEW, event_time });
    expect(event).toMatchObject({ eventTime: { seconds: BigInt(Math.floor(ms / 1000)), nanos } });
  });

  it.each<[object, string, RegExp]>([
    [{ user_id: 1.5 }, 'user_id', /is 1.5, must be a text, or a whole number/],
    [{ user_id: 2 ** 53 }, 'user_id', /too large to be kept exactly: send it as a text/],
    [{ user_id: {} }, 'user_id', /is an object, must be a text/],
    [{ userId: 'u2' }, 'user_id', /is given twice, as user_id and as userId/],
    [{ item_id: '\ud800' }, 'item_id', /half a character/],
    [{ item_id: '' }, 'item_id', /is required/],
    [{ brand: 7 }, 'brand', /is 7, must be a text/],
    [{ price: '12' }, 'price', /is "12", must be a number, without quotes/],
    [{ price: Infinity }, 'price', /finite number from 0/],
    [{ price: -1 }, 'price', /finite number from 0/],
    [{ event_type: 'veiw' }, 'event_type', /is "veiw", must be one of view, cart.*did you mean view\?/],
    [{ event_type: 'EVENT_TYPE_UNSPECIFIED' }, 'event_type', /must be one of/],
    [{ event_type: 9 }, 'event_type', /is 9, must be one of/],
    [{ event_type: true }, 'event_type', /is true, must be one of/],
    [{ event_type: null }, 'event_type', /must be one of/],
    [{ event_type: 'rating' }, 'rating', /is required/],
    [{ event_time: 'yesterday' }, 'event_time', /is "yesterday", must be ISO-8601/],
    [{ event_time: '2026-02-30T00:00:00Z' }, 'event_time', /there is no such time/],
    [{ event_time: '2026-01-02T24:00:00Z' }, 'event_time', /there is no such time/],
    [{ event_time: '2099-01-01T00:00:00Z' }, 'event_time', /too far in the future/],
    [{ event_time: 1e300 }, 'event_time', /must be ISO-8601/],
    [{ event_time: null }, 'event_time', /is required/],
    [{ usr_id: 'u' }, 'usr_id', /is no field of an event: did you mean user_id\?/],
    [{ product_id: 'p' }, 'product_id', /did you mean item_id\?/],
    [{ constructor: 1 }, 'constructor', /is no field of an event: it has event_id, /],
    [{ toString: 1 }, 'toString', /is no field of an event: it has event_id, /],
    [{ zzz: 1 }, 'zzz', /is no field of an event: it has event_id, event_type/],
    [{ ['x'.repeat(500)]: 1 }, 'x'.repeat(40), /is no field/],
  ])('may not be %j', (given, field, description) => {
    expect(problem(given)).toEqual({ field, description: expect.stringMatching(description) });
  });

  it('called __proto__ is refused as any other', () => {
    const [read] = jsonBody(Buffer.from('{"__proto__":{"user_id":"u"}}'))!.events;
    expect(read).toMatchObject({ field: '__proto__' });
  });
});

describe('a body', () => {
  const good = JSON.stringify(VIEW);

  it('is one event, or an array of them', () => {
    expect(jsonBody(Buffer.from(good))!.count).toBe(1);
    const { count, events } = jsonBody(Buffer.from(`[${good},7,${good}]`))!;
    expect([count, [...events].map((event) => 'description' in event)]).toEqual([3, [false, true, false]]);
    expect(jsonBody(Buffer.from('[]'))!.count).toBe(0);
  });

  it.each(['', '{', 'nothing', '{"a":1}}'])('that is not JSON is none: %s', (body) => {
    expect(jsonBody(Buffer.from(body))).toBeUndefined();
  });

  it('whose text is not UTF-8 is none', () => {
    expect(jsonBody(Buffer.from([0x22, 0xff, 0x22]))).toBeUndefined();
  });

  it('may be lines, of which a bad one spoils no other, and empty ones count for nothing', () => {
    const { count, events } = jsonLinesBody(Buffer.from(`${good}\r\n\n{"user_id":\n  \n${good}`));
    const read = [...events];
    expect([count, read.length]).toEqual([3, 3]);
    expect(read[1]).toEqual({ field: '', description: expect.stringContaining('not JSON') });
    expect(fromBinary(EventSchema, toBinary(EventSchema, read[2] as never))).toMatchObject({ userId: 'u1' });
  });
});
