/** Dead letters and late events over a socket, on a real nats-server. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { EMPTY } from '../../runtime/frames/bytes.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { streamOf } from '../../runtime/contract/graph.js';
import { deadLettersOf, lateEventsOf, retryRules } from '../../runtime/node/dead-letters.js';
import type { Log } from '../../runtime/contract/ports.js';
import { type OperationsApp, operationsApp } from '../connectors/http/operations-app.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { messagesIn, type Refused, refuseEvents } from '../support/refused-events.js';

const STREAMS = { 'dead-letter': 'rivulet.dead-letter.>', parse: 'rivulet.events.>', late: 'rivulet.late.>' };

let nats: TestNats;
let log: Log;

beforeAll(async () => {
  nats = await startTestNats();
  log = await openNatsLog(await connectNats({ url: nats.url }, 'test-http-dead-letters'));
  for (const [id, subject] of Object.entries(STREAMS)) {
    const dropsOldest = id !== 'parse';
    await log.ensureStream({ name: streamOf(id), subjects: [subject], bytesMax: 2 ** 26, dropsOldest, replicas: 1 });
  }
});
afterAll(async () => {
  await log?.close();
  await nats?.stop();
});
beforeEach(async () => {
  for (const id of Object.keys(STREAMS)) {
    await log.purge(streamOf(id), '>', (await log.info(streamOf(id))).lastSequence + 1);
  }
});

const start = (): Promise<OperationsApp> =>
  operationsApp({
    deadLetters: deadLettersOf(log, systemClock),
    lateEvents: lateEventsOf(log, systemClock, { kind: 'tumbling' }),
  });

const ORIGINAL = '{"event_type":"view","user_id":"u1","item_id":"i1","price":-1}';
const refuse = (...rows: Partial<Refused>[]): Promise<number> =>
  refuseEvents(
    log,
    rows.map((row) => ({ original: ORIGINAL, ...row })),
  );
const sent = async (): Promise<string[]> =>
  (await messagesIn(log, 'parse')).map(({ data }) => Buffer.from(data).toString());

const DEEP = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;

describe('GET /dead-letters', () => {
  it('is empty at first', async () => {
    const { get } = await start();
    expect(await get('/dead-letters')).toMatchObject({ status: 200, body: { count: 0, items: [] } });
  });

  it('tells all of each, the newest first, page by page', async () => {
    const sequence = await refuse({ index: 2 }, { original: Uint8Array.of(0xff, 0), field: undefined, rule: 'utf8' });
    const { get } = await start();
    const first = await get('/dead-letters?limit=1');
    expect(first.body).toEqual({
      count: 1,
      items: [
        {
          ...{ id: `${sequence}-1`, stage: 'parse', rule: 'utf8', reason: 'price is -1: send 0 or more', index: 0 },
          ...{ subject: 'rivulet.parse.2.events.view.u1', sequence: 77, stored_at: '2026-01-02T03:04:05.000Z' },
          original_base64: '/wA=',
          original_bytes: 2,
        },
      ],
      next_cursor: `${sequence}-1`,
    });
    const second = await get(`/dead-letters?limit=1&cursor=${first.body.next_cursor}`);
    expect(second.body).toMatchObject({ count: 1, items: [{ id: `${sequence}-0`, index: 2, original: ORIGINAL }] });
    expect(second.body).not.toHaveProperty('next_cursor');
    const { body } = await get(`/dead-letters/${sequence}-0`);
    expect(body).toEqual(second.body.items[0]);
  });

  it('shows the beginning of what is long, and where all of it is', async () => {
    const original = `{"page_url":"${'é'.repeat(200_000)}"}`;
    const id = `${await refuse({ original })}-0`;
    const { get, url } = await start();
    const { items } = (await get('/dead-letters')).body;
    const whole = Buffer.byteLength(original);
    expect(items[0]).toMatchObject({ original_bytes: whole, original_url: `/dead-letters/${id}/original` });
    expect(original.startsWith(items[0].original)).toBe(true);
    expect(items[0].original.length).toBeLessThan(4_096);
    const one = (await get(`/dead-letters/${id}`)).body;
    expect(original.startsWith(one.original)).toBe(true);
    expect(Buffer.byteLength(one.original)).toBeGreaterThan(2 ** 18 - 4);
    const answer = await fetch(url + items[0].original_url);
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(await answer.text()).toBe(original);
  });

  it('has those of a rule, and those that were sent again or were not', async () => {
    const sequence = await refuse({ rule: 'a' }, { rule: 'b' });
    const { get, post } = await start();
    await post(`/dead-letters/${sequence}-0/retry`);
    const ids = async (query: string): Promise<string[]> =>
      (await get(`/dead-letters?${query}`)).body.items.map(({ id }: { id: string }) => id);
    expect(await ids('rule=b')).toEqual([`${sequence}-1`]);
    expect(await ids('retried=true')).toEqual([`${sequence}-0`]);
    expect(await ids('retried=false')).toEqual([`${sequence}-1`]);
    expect(await ids('rule=b&retried=true')).toEqual([]);
  });

  it('is sent again only when it has changed', async () => {
    const id = `${await refuse({})}-0`;
    const { get, post } = await start();
    const etag = (await get('/dead-letters')).headers.get('etag')!;
    const known = { 'if-none-match': etag };
    expect(await get('/dead-letters', known)).toMatchObject({ status: 304, body: undefined });
    await post(`/dead-letters/${id}/retry`);
    expect((await get('/dead-letters', known)).status).toBe(200);
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=x', 'limit'],
    ['cursor=x', 'cursor'],
    [`cursor=${'1'.repeat(100)}`, 'cursor'],
    ['retried=maybe', 'retried'],
    ['rule=', 'rule'],
    ['rules=x', 'rules'],
  ])('refuses %s', async (query, field) => {
    const { get } = await start();
    const { status, body } = await get(`/dead-letters?${query}`);
    expect([status, body.reason, body.errors[0].field]).toEqual([400, 'INVALID_FIELD', field]);
  });

  it.each(['999999-0', 'x', '1', '%00'])('has none called %s', async (id) => {
    await refuse({});
    const { get, post } = await start();
    const status = id === '%00' ? 400 : 404;
    const reason = id === '%00' ? 'INVALID_FIELD' : 'DEAD_LETTER_UNKNOWN';
    expect(await get(`/dead-letters/${id}`)).toMatchObject({ status, body: { reason } });
    expect(await post(`/dead-letters/${id}/retry`)).toMatchObject({ status, body: { reason } });
  });
});

describe('POST /dead-letters/{id}/retry', () => {
  it('sends the original again, once, unless it is asked for again', async () => {
    const id = `${await refuse({})}-0`;
    const { get, post } = await start();
    expect(await post(`/dead-letters/${id}/retry`)).toMatchObject({
      ...{ status: 200, body: { id, subject: 'rivulet.events.view.u1' } },
    });
    expect((await get(`/dead-letters/${id}`)).body.retried_at).toMatch(/^\d{4}-.*Z$/);
    expect(await post(`/dead-letters/${id}/retry`)).toMatchObject({
      ...{ status: 409, body: { reason: 'DEAD_LETTER_RETRIED', detail: expect.stringContaining('?again=true') } },
    });
    expect(await sent()).toEqual([ORIGINAL]);
    expect((await post(`/dead-letters/${id}/retry?again=true`)).status).toBe(200);
    expect(await sent()).toHaveLength(2);
  });

  it('sends it mended, or another event in its place', async () => {
    const sequence = await refuse({}, { original: 'no JSON' });
    const { post } = await start();
    const set = { price: 2, brand: 'acme' };
    expect((await post(`/dead-letters/${sequence}-0/retry`, { set })).status).toBe(200);
    expect(await post(`/dead-letters/${sequence}-1/retry`, { set })).toMatchObject({
      ...{ status: 400, body: { reason: 'DEAD_LETTER_CHANGE', detail: expect.stringContaining('{"event": …}') } },
    });
    expect((await post(`/dead-letters/${sequence}-1/retry`, { event: { mine: 1 } })).status).toBe(200);
    expect((await sent()).map((text) => JSON.parse(text))).toEqual([{ ...JSON.parse(ORIGINAL), ...set }, { mine: 1 }]);
  });

  it('of two at the same time sends one', async () => {
    const id = `${await refuse({})}-0`;
    const apps = [await start(), await start()];
    const answers = await Promise.all(apps.map(({ post }) => post(`/dead-letters/${id}/retry`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await sent()).toHaveLength(1);
  });

  it('says that somebody else is at it', async () => {
    const id = `${await refuse({})}-0`;
    await log.publish(`rivulet.dead-letter.retrying.${id}`, EMPTY, { expected: 0 });
    const { post } = await start();
    const { status, body, headers } = await post(`/dead-letters/${id}/retry`);
    expect([status, body.reason, headers.get('retry-after')]).toEqual([409, 'DEAD_LETTER_BUSY', '1']);
  });

  it('does not send what would be refused again, nor sets a field that nobody reads', async () => {
    const original = '{"event_type":"view","event_time":0,"item_id":"i1","price":-1,"mine":1}';
    const id = `${await refuse({ original, subject: 'rivulet.events.view.u1' })}-0`;
    const { post, get } = await operationsApp({ deadLetters: deadLettersOf(log, systemClock, retryRules({})) });
    const path = `/dead-letters/${id}/retry`;
    const unmended = await post(path);
    expect([unmended.status, unmended.body.reason]).toEqual([400, 'DEAD_LETTER_UNMENDED']);
    expect(unmended.body.detail).toMatch(/would be refused again: user_id is missing/);
    const unknown = await post(path, { set: { usr_id: 'u1', pric: 2, mine: 2 } });
    expect([unknown.status, unknown.body.reason]).toEqual([400, 'DEAD_LETTER_CHANGE']);
    expect(unknown.body.detail).toMatch(/"usr_id" is no field.*user_id\?; "pric" is no field.*price\?/);
    expect(await sent()).toEqual([]);
    expect((await get(`/dead-letters/${id}`)).body).not.toHaveProperty('retried_at');
    expect((await post(path, { set: { user_id: 'u1', price: 2 } })).status).toBe(200);
    expect(await sent()).toHaveLength(1);
  });

  it('does not send what no publisher has sent', async () => {
    const id = `${await refuse({ subject: 'rivulet.window.0.watermark.0' })}-0`;
    const { post } = await start();
    expect(await post(`/dead-letters/${id}/retry`)).toMatchObject({
      ...{ status: 400, body: { reason: 'DEAD_LETTER_INTERNAL' } },
    });
  });

  it.each<[unknown, string]>([
    [{ sets: {} }, 'sets'],
    [{ set: 1 }, 'set'],
    [{ set: [] }, 'set'],
    [{ event: 'x' }, 'event'],
    [{ set: {}, event: {} }, 'body'],
    [[], 'body'],
    [`{"event":{"a":${DEEP}}}`, 'event'],
    [`{"set":{"a":${DEEP}}}`, 'set'],
  ])('refuses %j', async (body, field) => {
    const { post } = await start();
    const answer = await post(`/dead-letters/1-0/retry`, body);
    expect([answer.status, answer.body.reason, answer.body.errors?.[0].field]).toEqual([400, 'INVALID_FIELD', field]);
  });

  it('sets nothing in what is nested more deeply than it can be written', async () => {
    const id = `${await refuse({ original: `{"price":${DEEP}}` })}-0`;
    const { post } = await start();
    expect(await post(`/dead-letters/${id}/retry`, { set: { brand: 'acme' } })).toMatchObject({
      ...{ status: 400, body: { reason: 'DEAD_LETTER_CHANGE', detail: expect.stringContaining('too deeply') } },
    });
    expect((await post(`/dead-letters/${id}/retry`, { event: { mine: 1 } })).status).toBe(200);
  });

  it.each([
    [400, 'MALFORMED_REQUEST', '{', 'application/json'],
    [415, 'MEDIA_TYPE_NOT_TAKEN', 'a=b', 'application/x-www-form-urlencoded'],
  ])('%i %s', async (status, reason, body, type) => {
    const { post } = await start();
    expect(await post('/dead-letters/1-0/retry', body, { 'content-type': type })).toMatchObject({
      ...{ status, body: { reason } },
    });
  });
});

describe('GET /late-events', () => {
  it('is empty at first, and refuses what dead letters refuse', async () => {
    const { get } = await start();
    expect(await get('/late-events')).toMatchObject({ status: 200, body: { count: 0, items: [] } });
    for (const query of ['limit=0', 'cursor=x', 'rule=x']) {
      expect(await get(`/late-events?${query}`)).toMatchObject({ status: 400, body: { reason: 'INVALID_FIELD' } });
    }
  });
});

it('a log that is away is a matter of moments', async () => {
  const other = await startTestNats();
  const away = await openNatsLog(await connectNats({ url: other.url }, 'test-away'));
  await away.ensureStream({
    ...{ name: streamOf('dead-letter'), subjects: ['rivulet.dead-letter.>'], bytesMax: 2 ** 20, dropsOldest: true },
    replicas: 1,
  });
  const { get, post } = await operationsApp({ deadLetters: deadLettersOf(away, systemClock) });
  await other.stop();
  const problem = { status: 503, body: { reason: expect.stringMatching(/^LOG_/), retry_after_seconds: 0.5 } };
  expect(await get('/dead-letters')).toMatchObject(problem);
  expect(await post('/dead-letters/1-0/retry')).toMatchObject(problem);
  await away.close();
});
