/**
 * What strangers send must not hold up a node: whatever the request, at whichever entrance of the façades, the event loop turns every 50 ms.
 *
 * Measured is CPU time between two turns (held-up.ts), with what this test takes to send it on the same thread. The bodies are as large as the
 * façades take them.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import { EVENT_RULES } from '../../actors/formats/limits.js';
import { EventSchema } from '../../proto/gen/rivulet/v1/event_pb.js';
import {
  anEvent,
  bareClient,
  bytesOf,
  facade,
  PUBLISH,
  RECOMMEND,
  sendBytes,
  streamBytes,
} from '../connectors/grpc/facade.js';
import { httpFacade } from '../connectors/http/http-facade.js';
import { longestHold } from '../support/held-up.js';

const HELD_MS_MAX = 50;
const MIB = 2 ** 20;
const BODY_BYTES = 4 * MIB;
/** The largest event that is read at all. */
const EVENT_BYTES = EVENT_RULES.messageBytesMax - 64;

const filled = (before: string, unit: string, after: string, bytes = BODY_BYTES): string =>
  before + unit.repeat(Math.floor((bytes - before.length - after.length) / unit.length)) + after;

const VIEW = '{"event_type":"view","event_time":"2026-01-02T03:04:05Z","user_id":"u1","item_id":"i1"}';
/** An event of about so many bytes. */
const wide = (bytes: number): string => `{"page_url":"${'x'.repeat(bytes - 20)}"}`;
const many = (event: string, count: number): string => `[${Array(count).fill(event).join(',')}]`;

const BODIES: readonly (readonly [about: string, body: string])[] = [
  ['a field with a name of 4 MB', filled('{"', 'x', '":1}')],
  ['a field with a name of 256 kB', filled('{"', 'x', '":1}', EVENT_BYTES)],
  ['an event_type of 256 kB', filled('{"event_type":"', 'v', '"}', EVENT_BYTES)],
  ['an event_type of 4 MB', filled('{"event_type":"', 'v', '"}')],
  ['a user_id of 256 kB of escapes', filled('{"user_id":"', '\\u00e9', '"}', EVENT_BYTES)],
  ['a review of 256 kB', filled(`${VIEW.slice(0, -1)},"review_text":"`, 'é', '"}', EVENT_BYTES / 2)],
  ['a price of 256 kB of digits', filled('{"price":', '1', '}', EVENT_BYTES)],
  ['10,000 events with fields of 400 characters', many(`{"${'x'.repeat(400)}":1}`, 10_000)],
  ['10,000 events with fields of 64 characters', many(`{"${'event_ty'.repeat(8)}":1}`, 10_000)],
  ['10,000 events with types of 64 characters', many(`{"event_type":"${'view'.repeat(16)}"}`, 10_000)],
  ['10,000 good events', many(VIEW, 10_000)],
  ['1,000 events of 4 kB', many(wide(4_000), 1_000)],
  ['opening brackets', '['.repeat(BODY_BYTES)],
  ['an array of brackets', filled('[', '[],', '[]]')],
  ['an event of 4 MB of brackets', filled('{"price":[', '[],', '[]]}')],
  ['an event of 256 kB of brackets', filled('[{"price":[', '[],', '[]]}]', EVENT_BYTES)],
  ['an event with 256 kB of fields', filled('[{', '"price":1,', '"price":2}]', EVENT_BYTES)],
  ['an event with 256 kB of fields of null', filled('[{', '"brand":null,', '"price":1}]', EVENT_BYTES)],
  ['brackets in brackets', '['.repeat(BODY_BYTES / 2) + ']'.repeat(BODY_BYTES / 2)],
  ['numbers', filled('[', '1,', '1]')],
  ['quotes', filled('[', '"",', '""]')],
  ['spaces', ' '.repeat(BODY_BYTES)],
  ['bytes that are no UTF-8', '\xff'.repeat(BODY_BYTES)],
];

const LINES: readonly (readonly [about: string, body: string])[] = [
  ['empty lines', '\n'.repeat(BODY_BYTES)],
  ['one line of 4 MB', filled('{"', 'x', '":1}')],
  ['10,000 lines that are no JSON', `{"user_id":\n`.repeat(10_000)],
  ['10,000 lines with fields of 400 characters', `{"${'x'.repeat(400)}":1}\n`.repeat(10_000)],
  ['10,000 lines with brackets', `${'['.repeat(400)}\n`.repeat(10_000)],
];

describe('HTTP is not held up by', () => {
  const JSON_TYPE = { 'content-type': 'application/json' };
  // First: what is compiled meanwhile is nobody's fault.
  it('ordinary events', async () => {
    const { ask } = await httpFacade();
    for (let i = 0; i < 5; i++) {
      const { status } = await ask('/events', { method: 'POST', headers: JSON_TYPE, body: many(VIEW, 2_000) });
      expect(status).toBe(200);
    }
  });

  const bodies = [
    ...BODIES.map(([about, body]) => [about, body, JSON_TYPE, '/events'] as const),
    ...LINES.map(([about, body]) => [about, body, { 'content-type': 'application/x-ndjson' }, '/events'] as const),
    ...BODIES.map(([about, body]) => [`${about}, to retry`, body, JSON_TYPE, '/dead-letters/1-0/retry'] as const),
    [
      'an event of brackets, to retry',
      filled('{"event":{"a":[', '[],', '[]]}}', EVENT_BYTES),
      JSON_TYPE,
      '/dead-letters/1-0/retry',
    ],
    [
      'brackets in brackets of 256 kB, to retry',
      '['.repeat(130_000) + ']'.repeat(130_000),
      JSON_TYPE,
      '/dead-letters/1-0/retry',
    ],
    [
      'fields to set, to retry',
      filled('{"set":{', '"price":1,', '"a":1}}', EVENT_BYTES),
      JSON_TYPE,
      '/dead-letters/1-0/retry',
    ],
  ] as const;

  it.each(bodies)('%s', async (_, text, headers, path) => {
    const { ask } = await httpFacade();
    const body = Buffer.from(text, text.startsWith('\xff') ? 'latin1' : 'utf8');
    const held = await longestHold(async () => {
      const { status } = await ask(path, { method: 'POST', headers, body });
      expect(status).toBeLessThan(500);
    });
    expect(held).toBeLessThan(HELD_MS_MAX);
  });

  it('eight bodies at once', async () => {
    const { ask } = await httpFacade();
    const held = await longestHold(() =>
      Promise.all(
        BODIES.slice(7, 15).map(([, body]) =>
          ask('/events', { method: 'POST', headers: JSON_TYPE, body: Buffer.from(body) }),
        ),
      ),
    );
    expect(held).toBeLessThan(HELD_MS_MAX);
  });

  it.each([
    ['a query of many fields', `/trending?${'a&'.repeat(7_500)}`],
    ['a query of the same field', `/trending?${'n=1&'.repeat(3_800)}`],
    ['a query of escapes', `/trending?category=${'%F0%9F%98%80'.repeat(1_200)}`],
    ['a long path', `/reco/${'%41'.repeat(5_000)}`],
    ['a deep path', '/a'.repeat(7_500)],
  ])('%s', async (_, path) => {
    const { ask } = await httpFacade();
    const held = await longestHold(async () => {
      for (let i = 0; i < 5; i++) expect((await ask(path)).status).toBeLessThan(500);
    });
    expect(held).toBeLessThan(HELD_MS_MAX);
  });

  it('long headers', async () => {
    const { ask } = await httpFacade();
    const headers = {
      authorization: `Bearer ${'a.'.repeat(3_000)}`,
      accept: 'text/html,'.repeat(300),
      'if-none-match': '"a",'.repeat(500),
      'x-request-id': 'x'.repeat(2_000),
    };
    const held = await longestHold(async () => {
      for (const path of ['/', '/reco/1', '/health']) expect((await ask(path, { headers })).status).toBeLessThan(500);
    });
    expect(held).toBeLessThan(HELD_MS_MAX);
  });
});

/** A field of bytes, or of a number. */
const field = (number: number, bytes: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish();
const varint = (number: number): Uint8Array => new BinaryWriter().tag(number, WireType.Varint).uint32(1).finish();
const group = (number: number): Uint8Array =>
  new BinaryWriter().tag(number, WireType.StartGroup).tag(number, WireType.EndGroup).finish();

function repeated(part: Uint8Array, bytes: number): Buffer {
  return Buffer.alloc(Math.floor(bytes / part.length) * part.length, Buffer.from(part));
}

describe('gRPC is not held up by', () => {
  const bad = bytesOf(anEvent({ userId: '' }));
  const messages: readonly (readonly [about: string, message: Uint8Array])[] = [
    ['10,000 bad events', repeated(field(1, bad), field(1, bad).length * 10_000)],
    ['10,000 bad events of 400 bytes', repeated(field(1, repeated(varint(99), 400)), 4_000_000)],
    ['10,000 good events', repeated(field(1, bytesOf(anEvent())), field(1, bytesOf(anEvent())).length * 10_000)],
    ['empty events', repeated(field(1, new Uint8Array()), BODY_BYTES)],
    ['fields that there are not', repeated(varint(15), BODY_BYTES)],
    ['groups that there are not', repeated(group(15), BODY_BYTES)],
    ['groups in groups', Buffer.alloc(BODY_BYTES, new BinaryWriter().tag(15, WireType.StartGroup).finish())],
    ['an event of fields that there are not', field(1, repeated(varint(15), BODY_BYTES - 10))],
    ['an event of 256 kB of such fields', field(1, repeated(varint(15), EVENT_BYTES))],
    ['an event of 256 kB of types', field(1, repeated(varint(2), EVENT_BYTES))],
    ['an event of groups', field(1, repeated(group(15), EVENT_BYTES))],
    ['an event of times', field(1, repeated(field(3, new Uint8Array()), EVENT_BYTES))],
    [
      'a review of 4 MB',
      field(1, toBinary(EventSchema, create(EventSchema, anEvent({ reviewText: 'é'.repeat(2_000_000) }) as never))),
    ],
    [
      'a review of 256 kB',
      field(1, toBinary(EventSchema, create(EventSchema, anEvent({ reviewText: 'é'.repeat(130_000) }) as never))),
    ],
    [
      'a user_id of 4 MB',
      field(1, toBinary(EventSchema, create(EventSchema, anEvent({ userId: 'é'.repeat(2_000_000) }) as never))),
    ],
  ];

  it('ordinary events', async () => {
    const { address } = await facade();
    const client = bareClient(address);
    for (let i = 0; i < 5; i++) await streamBytes(client, PUBLISH, [repeated(field(1, bytesOf(anEvent())), 100_000)]);
  });

  it.each(messages)('%s', async (_, message) => {
    const { address } = await facade();
    const client = bareClient(address);
    const held = await longestHold(() => streamBytes(client, PUBLISH, [message]).catch(() => undefined));
    expect(held).toBeLessThan(HELD_MS_MAX);
  });

  const UNARY_BYTES = 2 ** 16;
  const BATCH = '/rivulet.v1.RecommendationService/BatchGetRecommendations';
  it.each([
    ['a request of fields that there are not', RECOMMEND, repeated(varint(15), UNARY_BYTES)],
    ['a request of users', RECOMMEND, repeated(field(1, new Uint8Array()), UNARY_BYTES)],
    ['a batch of users', BATCH, repeated(field(1, new Uint8Array()), UNARY_BYTES)],
    ['a batch of categories', BATCH, repeated(field(3, new Uint8Array()), UNARY_BYTES)],
    ['a long user', RECOMMEND, field(1, Buffer.alloc(UNARY_BYTES - 10, 'é'))],
    ['a check of health', '/grpc.health.v1.Health/Check', field(1, Buffer.alloc(UNARY_BYTES - 10, 'x'))],
  ])('%s', async (_, path, message) => {
    const { address } = await facade();
    const client = bareClient(address);
    const held = await longestHold(async () => {
      for (let i = 0; i < 5; i++) await sendBytes(client, path, message).catch(() => undefined);
    });
    expect(held).toBeLessThan(HELD_MS_MAX);
  });
});
