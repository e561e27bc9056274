/** POST /events over a socket, into a real log and into publishers that fail. */
import { EventReader } from '../../actors/formats/event-reader.js';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { EventPublisher } from '../../connectors/facade/ports.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { transient } from '../../runtime/contract/errors.js';
import { streamOf } from '../../runtime/contract/graph.js';
import { eventPublisher } from '../../runtime/node/publisher.js';
import type { Log, LogMessage } from '../../runtime/contract/ports.js';
import { handPublisher, storesAll } from '../connectors/grpc/facade.js';
import { operationsApp } from '../connectors/http/operations-app.js';
import { eventually } from '../support/eventually.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { messagesIn } from '../support/refused-events.js';

let nats: TestNats;
let log: Log;

beforeAll(async () => {
  nats = await startTestNats();
  log = await openNatsLog(await connectNats({ url: nats.url }, 'test-http-events'));
  await log.ensureStream({
    ...{ name: streamOf('parse'), subjects: ['rivulet.events.>'], bytesMax: 2 ** 26, dropsOldest: false, replicas: 1 },
  });
});
afterAll(async () => {
  await log?.close();
  await nats?.stop();
});

const view = (given: object = {}): object => ({
  ...{ event_type: 'view', event_time: '2026-01-02T03:04:05.678Z', user_id: 'u1', item_id: 'i1' },
  ...given,
});
const lines = (...events: unknown[]): string => events.map((one) => `${JSON.stringify(one)}\n`).join('');
const LINES = { 'content-type': 'application/x-ndjson' };

type Event = Readonly<Record<string, unknown>>;

/** What the log has stored since. */
async function storedBy(work: () => Promise<void>): Promise<readonly (readonly [LogMessage, Event])[]> {
  const { lastSequence } = await log.info(streamOf('parse'));
  await work();
  const messages = (await messagesIn(log, 'parse')).filter(({ sequence }) => sequence > lastSequence);
  return messages.map((message) => [message, JSON.parse(Buffer.from(message.data).toString()) as Event] as const);
}

describe('events', () => {
  it('are stored as they came, on the subject of their type and user', async () => {
    const { post } = await operationsApp({ publisher: eventPublisher(log, systemClock) });
    const stored = await storedBy(async () => {
      const { status, body, headers } = await post('/events', view({ event_id: 'e1', price: 12.5 }));
      expect([status, body]).toEqual([200, { accepted: 1, rejected: 0, errors: [] }]);
      expect(headers.get('x-request-id')).toMatch(/./);
    });
    const [[message, event]] = stored as [[LogMessage, Event]];
    expect(stored).toHaveLength(1);
    expect(message).toMatchObject({
      subject: 'rivulet.events.view.u1',
      headers: { 'content-type': 'application/json' },
    });
    expect(event).toEqual(view({ event_id: 'e1', price: 12.5 }));
  });

  it('may be an array, or lines', async () => {
    const { post } = await operationsApp({ publisher: eventPublisher(log, systemClock) });
    const many = Array.from({ length: 500 }, (_, i) => view({ event_id: `m${i}`, user_id: i }));
    const stored = await storedBy(async () => {
      expect((await post('/events', many)).body).toEqual({ accepted: 500, rejected: 0, errors: [] });
      const { body } = await post('/events', lines(...many), LINES);
      expect(body).toEqual({ accepted: 500, rejected: 0, errors: [] });
    });
    expect(stored.map(([, event]) => event)).toEqual([...many, ...many]);
  });

  it('go on in the trace of who sent them', async () => {
    const { post } = await operationsApp({ publisher: eventPublisher(log, systemClock) });
    const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
    const stored = await storedBy(async () => {
      await post('/events', view(), { traceparent, tracestate: 'shop=1' });
      await post('/events', view(), { traceparent: 'nonsense' });
    });
    expect(stored.map(([{ headers }]) => [headers['traceparent'], headers['tracestate']])).toEqual([
      [traceparent, 'shop=1'],
      [undefined, undefined],
    ]);
  });

  it('that are larger than the pipeline takes are told at once', async () => {
    const { post } = await operationsApp({
      publisher: eventPublisher(log, systemClock),
      reader: new EventReader({ messageBytesMax: 1_000 }),
    });
    const stored = await storedBy(async () => {
      const { body } = await post('/events', [view({ page_url: 'x'.repeat(2_000) }), view()]);
      expect(body).toMatchObject({ accepted: 1, rejected: 1, errors: [{ index: 0 }] });
      expect(body.errors[0]).toMatchObject({
        rule: 'message_too_large',
        detail: expect.stringMatching(/^the message has 2\d\d\d bytes and may have 1000/),
      });
    });
    expect(stored).toHaveLength(1);
  });

  it('that break a rule are told by their place and field, and spoil no other', async () => {
    const { post } = await operationsApp({ publisher: storesAll });
    const { status, body } = await post('/events', [view({ brand: 7 }), view(), 7, view({ price: -1 })]);
    expect(status).toBe(200);
    expect(body).toEqual({
      ...{ accepted: 1, rejected: 3 },
      errors: [
        { index: 0, rule: 'wrong_type', field: 'brand', detail: 'brand is 7: send a string' },
        { index: 2, rule: 'json_not_object', detail: expect.stringContaining('must be a JSON object') },
        { index: 3, rule: 'price_negative', field: 'price', detail: 'price is -1: send 0 or more' },
      ],
    });
  });

  it('that are nested more deeply than is read are no JSON', async () => {
    const { post } = await operationsApp({ publisher: storesAll });
    const deep = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    const { status, body } = await post('/events', `[${JSON.stringify(view())},${deep}]`);
    expect([status, body]).toMatchObject([400, { reason: 'MALFORMED_REQUEST', errors: [{ rule: 'json_invalid' }] }]);
    const sent = `${JSON.stringify(view())}\n${deep}`;
    expect((await post('/events', sent, LINES)).body).toMatchObject({
      accepted: 1,
      errors: [{ rule: 'json_invalid' }],
    });
  });

  it.each(['Application/X-NDJSON', 'application/jsonl; charset=utf-8'])('are lines as %s', async (type) => {
    const { post } = await operationsApp({ publisher: storesAll });
    expect(await post('/events', lines(view(), view()), { 'content-type': type })).toMatchObject({
      body: { accepted: 2 },
    });
  });

  it('may be none', async () => {
    const { post } = await operationsApp({ publisher: storesAll });
    expect(await post('/events', [])).toMatchObject({ status: 200, body: { accepted: 0, rejected: 0, errors: [] } });
  });
});

describe('a request is refused', () => {
  it.each<[string, unknown, string | undefined]>([
    ['one bad event', view({ user_id: '' }), 'user_id'],
    ['only bad events', [view({ price: -1 }), view({ item_id: '' })], 'price'],
    ['what is no event', '7', undefined],
  ])('with %s, naming the field', async (_, sent, field) => {
    const { post } = await operationsApp({ publisher: storesAll });
    const { status, body, headers } = await post('/events', sent);
    expect(status).toBe(400);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body).toMatchObject({ reason: 'INVALID_FIELD', metadata: { accepted: '0' } });
    expect(body.errors[0].field).toBe(field);
  });

  it.each<[number, string, string | undefined, Record<string, string>]>([
    [400, 'MALFORMED_REQUEST', '{"event_type":', {}],
    [400, 'MALFORMED_REQUEST', '', {}],
    [400, 'MALFORMED_REQUEST', undefined, {}],
    [415, 'MEDIA_TYPE_NOT_TAKEN', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
    [415, 'MEDIA_TYPE_NOT_TAKEN', '{}', { 'content-type': 'text/html; charset=utf-8' }],
    [415, 'MEDIA_TYPE_NOT_TAKEN', '{}', { 'content-type': 'multipart/form-data; boundary=x' }],
    [400, 'MALFORMED_REQUEST', ' \n', LINES],
    [413, 'REQUEST_TOO_LARGE', ' '.repeat(4 * 2 ** 20 + 1), {}],
    [413, 'REQUEST_TOO_LARGE', `[${'7,'.repeat(10_000)}7]`, {}],
    [413, 'REQUEST_TOO_LARGE', '7\n'.repeat(10_001), LINES],
  ])('%i %s', async (status, reason, sent, headers) => {
    const { post } = await operationsApp({ publisher: storesAll });
    expect(await post('/events', sent, headers)).toMatchObject({ status, body: { status, reason } });
  });

  it('415 with the types that are taken', async () => {
    const { post } = await operationsApp({ publisher: storesAll });
    const { body } = await post('/events', 'a=b', { 'content-type': 'text/html' });
    expect(body.detail).toBe(
      'this content-type is not taken here: send application/json or application/x-ndjson or application/x-protobuf',
    );
  });

  it('with a parameter that it has not', async () => {
    const { post } = await operationsApp({ publisher: storesAll });
    expect(await post('/events?sync=1', view())).toMatchObject({ status: 400, body: { errors: [{ field: 'sync' }] } });
  });

  it('with 405 for another method', async () => {
    const { get } = await operationsApp({ publisher: storesAll });
    const { status, headers } = await get('/events');
    expect([status, headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('when the client has too many under way', async () => {
    const { publisher, acks } = handPublisher();
    const { post } = await operationsApp({ publisher, limits: { callsPerClient: 1 } });
    const first = post('/events', view());
    await eventually(() => expect(acks).toHaveLength(1));
    expect(await post('/events', view())).toMatchObject({ status: 429, body: { reason: 'TOO_MANY_CALLS' } });
    acks[0]!.resolve();
    expect((await first).status).toBe(200);
  });
});

describe('a log that', () => {
  it('is away midway: how many were accepted, and where to send again from', async () => {
    const publish = vi.fn<EventPublisher['publish']>(async () => {
      if (publish.mock.calls.length > 3) throw transient('LOG_UNREACHABLE', 'JetStream cannot be reached');
    });
    const { post } = await operationsApp({ publisher: { publish }, limits: { publishesInFlight: 1 } });
    const { status, body, headers } = await post('/events', [
      view(),
      view({ price: -1 }),
      view(),
      view(),
      view(),
      view(),
    ]);
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect(body).toMatchObject({
      ...{ reason: 'LOG_UNREACHABLE', detail: 'JetStream cannot be reached' },
      metadata: { accepted: '3', rejected: '1', resend_from: '4' },
      errors: [{ index: 1, field: 'price', rule: 'price_negative', detail: 'price is -1: send 0 or more' }],
    });
  });

  it('fails for a reason of ours is told as that, without it', async () => {
    const publisher: EventPublisher = { publish: () => Promise.reject(new Error('a secret')) };
    const { post } = await operationsApp({ publisher });
    const { status, body } = await post('/events', view());
    expect([status, JSON.stringify(body)]).toEqual([500, expect.not.stringContaining('secret')]);
  });
});

it('a client that goes away is sent for no more', async () => {
  const { publisher, acks } = handPublisher();
  const limits = { publishesInFlight: 2, callsPerClient: 1 };
  const { url, post, connections } = await operationsApp({ publisher, limits });
  const sent = request(`${url}/events`, { method: 'POST', headers: { 'content-type': 'application/json' } });
  sent.on('error', () => undefined).end(JSON.stringify(Array.from({ length: 9 }, () => view())));
  await eventually(() => expect(acks).toHaveLength(2));
  sent.destroy();
  await eventually(async () => expect(await connections()).toBe(0));
  for (const ack of acks) ack.resolve();
  // Its place is free when what was under way has settled.
  await eventually(async () => expect((await post('/events', view({ price: -1 }))).status).toBe(400));
  expect(acks).toHaveLength(2);
});
