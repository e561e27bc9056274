/**
 * One event, four entrances (NATS, HTTP, gRPC, a file): what one takes all take, and what one refuses all refuse, by the same rule, for the
 * same field, in the same words. What is published is never refused by parse afterwards.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventReader, type SoundEvent } from '../../actors/formats/event-reader.js';
import { EVENT_RULES, type EventRules } from '../../actors/formats/limits.js';
import { parse } from '../../actors/parse.js';
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { EventSchema, EventType } from '../../proto/gen/rivulet/v1/event_pb.js';
import { PublishEventsResponseSchema } from '../../proto/gen/rivulet/v1/event_service_pb.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import { streamOf } from '../../runtime/contract/graph.js';
import { systemClock } from '../../runtime/contract/clock.js';
import type { Log } from '../../runtime/contract/ports.js';
import { ensureStreams } from '../../runtime/contract/streams.js';
import { runCli, workingDirectory } from '../cli/run-cli.js';
import { bareClient, facade, PUBLISH, streamBytes } from '../connectors/grpc/facade.js';
import { httpFacade } from '../connectors/http/http-facade.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { batch, csv, deadLettersOf, message, STORED_AT_MS } from '../support/raw-messages.js';
import { messagesIn } from '../support/refused-events.js';
import { StageDriver } from '../support/stage-driver.js';

/** `undefined` where an event is taken. */
type Verdict = { readonly rule: string; readonly field?: string; readonly reason: string } | undefined;
type Init = MessageInitShape<typeof EventSchema>;

interface Case {
  readonly about: string;
  /** The JSON. */
  readonly text: string;
  /** The same as protobuf, where it has that. */
  readonly init?: Init;
  /** Of what is refused. */
  readonly rule?: string;
}

const T = '2019-10-01T00:00:00Z';
const SECONDS = 1_569_888_000;
const VIEW = { event_type: 'view', event_time: T, user_id: '512', item_id: 'i1' };
const PROTO = { eventType: EventType.VIEW, eventTime: { seconds: BigInt(SECONDS) }, userId: '512', itemId: 'i1' };

const good = (about: string, given: object, init?: object): Case => ({
  ...{ about, text: JSON.stringify({ ...VIEW, ...given }) },
  ...(init && { init: { ...PROTO, ...init } as Init }),
});
const bad = (rule: string, about: string, given: object, init?: object): Case => ({
  ...good(about, given, init),
  ...{ about: `${about} [${rule}]`, rule },
});
const raw = (rule: string, text: string): Case => ({ about: `${text} [${rule}]`, text, rule });
const long = (length: number) => 'x'.repeat(length);

const CASES: readonly Case[] = [
  good('the four that it must have', {}, {}),
  good('all fields', {
    ...{ event_id: 'e', category_code: 'a.b', brand: 'é', price: 12.5, session_id: 's', rating: 3, page_url: '/p' },
    ...{ device_type: 'phone', click_type: 'list', referrer: '/r', review_text: 'good\nvery' },
  }),
  good('a purchase', { event_type: 'purchase' }, { eventType: EventType.PURCHASE }),
  good('a rating', { event_type: 'rating', rating: 0.5 }, { eventType: EventType.RATING, rating: 0.5 }),
  good('ids that are numbers', { user_id: 512, item_id: 12_345_678_901_234 }),
  good('names of REES46', { item_id: undefined, product_id: 'i1', user_session: 's' }),
  good('names of MovieLens', {
    ...{ event_type: undefined, event_time: undefined, user_id: undefined, item_id: undefined },
    ...{ userId: 1, movieId: '31', rating: 2.5, timestamp: SECONDS },
  }),
  good('the same twice', { product_id: 'i1', event_ts: SECONDS }),
  good('fields that an event has not', { colour: { red: 1 }, usr_id: 'u' }),
  good('null and nothing', { brand: null, category_code: '', product_id: null }, { brand: '', categoryCode: '' }),
  ...[
    '2019-10-01 00:00:00 UTC',
    '2019-10-01',
    '2019-10-01T02:00+02:00',
    `${SECONDS}`,
    SECONDS,
    SECONDS * 1000,
    0,
    '1e9',
  ].map((event_time) => good(`the time ${JSON.stringify(event_time)}`, { event_time })),
  good('256 bytes', { user_id: long(256) }, { userId: long(256) }),
  good('a review of 5,000 characters', { review_text: '😀'.repeat(5_000) }, { reviewText: '😀'.repeat(5_000) }),
  good('the price 0', { price: 0 }, { price: 0 }),
  {
    about: 'escapes',
    text: '{"event_typ\\u0065":"view","event_time":0,"user_id":"\\u0041","item_id":"\\ud83d\\ude00"}',
  },
  { about: 'digits beyond a double', text: JSON.stringify(VIEW).replace('"512"', '12345678901234567890') },

  bad('missing_field', 'no type', { event_type: undefined }, { eventType: EventType.UNSPECIFIED }),
  bad('missing_field', 'no time', { event_time: null }, { eventTime: undefined }),
  bad('missing_field', 'no user', { user_id: '' }, { userId: '' }),
  bad('missing_field', 'neither user nor item', { user_id: '', item_id: '' }, { userId: '', itemId: '' }),
  bad('missing_field', 'a rating of nothing', { event_type: 'rating' }, { eventType: EventType.RATING }),
  bad('missing_field', 'names in another case', { user_id: undefined, userID: 'u' }),
  raw('missing_field', '{}'),
  bad('unknown_event_type', 'an unknown type', { event_type: 'look' }),
  bad('unknown_event_type', 'the name of an enum', { event_type: 'EVENT_TYPE_VIEW' }),
  bad('wrong_type', 'a type that is a number', { event_type: 1 }),
  bad('wrong_type', 'a user that is no whole number', { user_id: 1.5 }),
  bad('wrong_type', 'an item that is an object', { item_id: {} }),
  bad('wrong_type', 'a brand that is a number', { brand: 7 }),
  bad('wrong_type', 'a price in quotes', { price: '12' }),
  bad('fields_disagree', 'two items', { product_id: 'i2' }),
  bad('time_invalid', 'a time that is none', { event_time: 'yesterday' }),
  bad('time_invalid', 'a day that is none', { event_time: '2019-02-30' }),
  bad('time_before_1970', 'a time before 1970', { event_time: -1 }, { eventTime: { seconds: -1n } }),
  bad(
    'time_in_future',
    'a time to come',
    { event_time: '2199-01-01' },
    { eventTime: { seconds: BigInt(Date.UTC(2199, 0, 1) / 1000) } },
  ),
  bad('price_negative', 'a price below 0', { price: -0.5 }, { price: -0.5 }),
  raw('number_invalid', JSON.stringify({ ...VIEW, price: 1 }).replace(':1}', ':1e999}')),
  bad('rating_out_of_range', 'a rating of 6', { rating: 6 }, { rating: 6 }),
  bad('text_too_long', '257 bytes', { user_id: long(257) }, { userId: long(257) }),
  bad('text_too_long', 'a long session', { session_id: 'é'.repeat(129) }, { sessionId: 'é'.repeat(129) }),
  bad('text_too_long', 'a review of 5,001 characters', { review_text: long(5_001) }, { reviewText: long(5_001) }),
  bad('control_characters', 'a line end in the item', { item_id: 'i\r\n' }, { itemId: 'i\r\n' }),
  bad('control_characters', 'a NUL in the brand', { brand: 'a\0' }, { brand: 'a\0' }),
  raw('invalid_utf8', JSON.stringify(VIEW).replace('i1', '\\ud800')),
  raw('json_not_object', '7'),
  raw('json_not_object', '"text"'),
  raw('json_not_object', 'null'),
  raw('json_invalid', '{"event_type":'),
  raw('json_invalid', '{"a":1}}'),
  raw('json_invalid', `{"a":${'['.repeat(64)}${']'.repeat(64)}}`),
  { ...bad('message_too_large', '', { page_url: long(EVENT_RULES.messageBytesMax) }), about: 'a large one' },
];

const UUID = '0b0e9b4f-6f3c-4f8e-9d55-3a2f6f1b7c11';

/** The same rules whatever a schema calls the item and the time. */
function strictCases(names: { readonly item_id: string; readonly event_time: string }): readonly Case[] {
  const named = (event: object): object =>
    Object.fromEntries(
      Object.entries(event).map(([field, value]) => [names[field as keyof typeof names] ?? field, value as unknown]),
    );
  const base = { event_id: UUID, event_type: 'view', event_time: T, user_id: 512, item_id: '31' };
  const proto = { ...PROTO, eventId: UUID, itemId: '31' };
  const taken = (about: string, given: object, init?: object): Case => ({
    ...{ about, text: JSON.stringify(named({ ...base, ...given })) },
    ...(init && { init: { ...proto, ...init } as Init }),
  });
  const refused = (rule: string, about: string, given: object, init?: object): Case => ({
    ...taken(about, given, init),
    ...{ about: `${about} [${rule}]`, rule },
  });
  return [
    taken('a view', { page_url: '/p', device_type: 'tv', session_id: 's' }, {}),
    taken('a click', { event_type: 'click', click_type: 'list', referrer: '/' }, { eventType: EventType.CLICK }),
    taken('a rating', { event_type: 'rating', rating: 9 }, { eventType: EventType.RATING, rating: 9 }),
    taken('a purchase', { event_type: 'purchase', price: 3 }, { eventType: EventType.PURCHASE, price: 3 }),
    taken('a UUID in capitals', { event_id: UUID.toUpperCase() }, { eventId: UUID.toUpperCase() }),
    taken('the largest id', { user_id: 9007199254740991 }, { userId: '9007199254740991' }),
    taken('what no schema names', { colour: 'red', rank: { is: 1 } }),
    ...['2019-10-01T02:00+02:00', '2019-10-01T00:00:00.123456', '2019-10-01t00:00:00,5z'].map((event_time) =>
      taken(`the time ${event_time}`, { event_time }),
    ),

    refused('missing_field', 'no event_id', { event_id: undefined }, { eventId: undefined }),
    refused('missing_field', 'neither id nor user', { event_id: '', user_id: '' }, { eventId: '', userId: '' }),
    refused('missing_field', 'an item by another name', { item_id: undefined, [names.item_id + 's']: '31' }),
    refused('missing_field', 'no type', { event_type: null, rating: 5 }, { eventType: 0, rating: 5 }),
    refused('missing_field', 'a rating without', { event_type: 'rating' }, { eventType: EventType.RATING }),
    ...['e1', `{${UUID}}`, UUID.replaceAll('-', ''), `${UUID}0`, UUID.replace('b', 'g')].map((eventId) =>
      refused('uuid_invalid', `the event_id ${eventId}`, { event_id: eventId }, { eventId }),
    ),
    refused('uuid_invalid', 'a number as event_id', { event_id: 7 }),
    ...['u1', '0', '007', '-5', '+5', '1.0', '9007199254740992', ' 5', '٣'].map((id) =>
      refused('id_invalid', `the user ${id}`, { user_id: id }, { userId: id }),
    ),
    refused('id_invalid', 'an item that is a word', { item_id: 'tt0133093' }, { itemId: 'tt0133093' }),
    refused('id_invalid', 'a user below 0', { user_id: -1 }),
    refused('wrong_type', 'half a user', { user_id: 1.5 }),
    ...[SECONDS, SECONDS * 1000, `${SECONDS}`, '2019-10-01', '2019-10-01 00:00:00', '2019-10-01T00:00:00 UTC'].map(
      (event_time) => refused('time_invalid', `the time ${JSON.stringify(event_time)}`, { event_time }),
    ),
    refused('time_invalid', 'a day that is none', { event_time: '2019-02-30T00:00:00Z' }),
    refused('rating_out_of_range', 'a rating of 10.5', { rating: 10.5 }, { rating: 10.5 }),
    refused('rating_out_of_range', 'a rating of 0.5', { rating: 0.5 }, { rating: 0.5 }),
    refused('text_too_long', 'a review of 5,001 characters', { review_text: long(5_001) }, { reviewText: long(5_001) }),
  ];
}

interface Deployment {
  readonly rules: Partial<EventRules>;
  readonly settings: readonly string[];
  readonly cases: readonly Case[];
}

const strict = (schema: EventRules['schema'], item_id: string, event_time: string): Deployment => ({
  rules: { schema, ratingMin: 1, ratingMax: 10 },
  settings: [`schema=${schema}`, 'minRating=1', 'maxRating=10'].flatMap((one) => ['--set', `pipeline.${one}`]),
  cases: strictCases({ item_id, event_time }),
});

const DEPLOYMENTS: Readonly<Record<string, Deployment>> = {
  'any schema': { rules: {}, settings: [], cases: CASES },
  'rivulet-strict': strict('rivulet-strict', 'item_id', 'event_time'),
  'rees46-strict': strict('rees46-strict', 'product_id', 'event_time'),
  'movielens-strict': strict('movielens-strict', 'movie_id', 'event_ts'),
};

/** The latest time that is believed is another wherever the clock is another. */
const verdictOf = ({ rule, field, reason }: { rule: string; field?: string; reason: string }): Verdict => ({
  ...{ rule, ...(field && { field }) },
  reason: reason.replace(/not after \S+/, 'not after now'),
});

/** Of parse: what becomes of a message on an events subject. */
function byParse(
  data: Uint8Array,
  contentType: string | undefined,
  rules: Partial<EventRules> = {},
): { verdict: Verdict; rows: unknown } {
  const sent = message(data, contentType === undefined ? {} : { contentType });
  const said = new StageDriver(parse(rules)).feed('events', batch(sent));
  const [letter] = deadLettersOf(said);
  return { verdict: letter && verdictOf(letter as never), rows: said.rows['rows'] };
}

interface HttpError {
  readonly index?: number;
  readonly rule: string;
  readonly field?: string;
  readonly detail: string;
}

const httpVerdict = ({ rule, field, detail }: HttpError): Verdict =>
  verdictOf({ rule, ...(field !== undefined && { field }), reason: detail });

/** A PublishEventsRequest of it. */
const framed = (event: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(event).finish();

const clock = { ...systemClock, nowMs: () => STORED_AT_MS };

/** Keeps a copy of what is published. */
function recorder() {
  const stored: SoundEvent[] = [];
  const publish = async (event: SoundEvent): Promise<void> =>
    void stored.push({ ...event, bytes: Uint8Array.from(event.bytes) });
  return { stored, publisher: { publish } };
}

const { cwd, remove } = workingDirectory();
let nats: TestNats;
let log: Log;
/** Of `rivulet publish`, by deployment: by line, and what was stored. */
const faults = new Map<string, ReadonlyMap<number, Verdict>>();
const fromFile = new Map<string, ReturnType<typeof byParse>[]>();

beforeAll(async () => {
  nats = await startTestNats();
  log = await openNatsLog(await connectNats({ url: nats.url }, 'test-event-entrances'));
  const topology = mainTopology(pipelineOptions(loadConfig({ env: {}, cwd }).config));
  await ensureStreams(log, topology, { bytesMax: 2 ** 26, replicas: 1 });
  const file = join(cwd, 'events.jsonl');
  for (const [name, { rules, settings, cases }] of Object.entries(DEPLOYMENTS)) {
    const before = (await log.info(streamOf('parse'))).lastSequence;
    writeFileSync(file, cases.map(({ text }) => `${text}\n`).join(''));
    const args = ['publish', '--file', file, '--json', '--nats-url', nats.url, ...settings];
    const summary = JSON.parse((await runCli(cwd, args)).stdout) as {
      faults: { line: number; rule: string; field?: string; reason: string }[];
    };
    expect(summary).toMatchObject({ published: cases.length, dead_letters: cases.filter(({ rule }) => rule).length });
    faults.set(name, new Map(summary.faults.map(({ line, ...one }) => [line, verdictOf(one)])));
    const stored = (await messagesIn(log, 'parse')).filter(({ sequence }) => sequence > before);
    expect(stored).toHaveLength(cases.length);
    fromFile.set(
      name,
      stored.map(({ data, headers }) => byParse(data, headers['content-type'], rules)),
    );
  }
});
afterAll(async () => {
  await log?.close();
  await nats?.stop();
  remove();
});

describe.each(Object.entries(DEPLOYMENTS))('an event, by %s', (name, { rules, cases }) => {
  const reader = new EventReader(rules);

  it.each(cases.map((one, i) => [one.about.slice(0, 80), one, i] as const))(
    '%s',
    async (_, { text, init, rule }, i) => {
      const { verdict, rows } = byParse(Buffer.from(text), 'application/json', rules);
      expect(verdict?.rule).toBe(rule);
      expect(verdict === undefined).toBe((rows as unknown[] | undefined)?.length === 1);

      const { stored, publisher } = recorder();
      const { ask } = await httpFacade({ publisher, reader, clock });
      const answer = await ask('/events', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: text,
      });
      if (verdict === undefined)
        expect([answer.status, answer.json]).toEqual([200, { accepted: 1, rejected: 0, errors: [] }]);
      else {
        const { errors } = answer.json as { errors: HttpError[] };
        expect(errors.map(httpVerdict)).toEqual([verdict]);
      }

      expect(faults.get(name)!.get(i + 1)).toEqual(verdict);
      expect(fromFile.get(name)![i]).toEqual({ verdict, rows });

      if (init !== undefined) {
        const bytes = toBinary(EventSchema, create(EventSchema, init));
        const { address } = await facade({ publisher, reader, clock });
        const said = fromBinary(
          PublishEventsResponseSchema,
          await streamBytes(bareClient(address), PUBLISH, [framed(bytes)]),
        );
        expect(
          said.errors.map(({ rule: broken, field, reason }) => verdictOf({ rule: broken, field, reason })),
        ).toEqual(verdict === undefined ? [] : [verdict]);
        expect(byParse(bytes, 'application/x-protobuf', rules)).toEqual({ verdict, rows });
      }

      expect(stored).toHaveLength(verdict === undefined ? (init === undefined ? 1 : 2) : 0);
      for (const { bytes, contentType } of stored)
        expect(byParse(bytes, contentType, rules)).toEqual({ verdict, rows });
    },
  );
});

const ONE = JSON.stringify(VIEW);
const BAD = JSON.stringify({ ...VIEW, price: -1 });
const BOM = '\ufeff';
const EVENT = toBinary(EventSchema, create(EventSchema, PROTO));
const EVENT_BATCH = Buffer.concat([framed(EVENT), framed(new Uint8Array(0)), framed(EVENT)]);

describe('a message', () => {
  const MESSAGES: readonly (readonly [about: string, data: string | Uint8Array])[] = [
    ['an object', ONE],
    ['an object over several lines', JSON.stringify(VIEW, undefined, 2)],
    ['an array with a bad event', `[${ONE},${BAD},5]`],
    ['no event', '[]'],
    ['two lines', `${ONE}\n${ONE}`],
    ['three lines, one of them cut off', `${ONE}\n{bad\n${ONE}\n`],
    ['an array behind a byte order mark', `${BOM}[${ONE}]`],
    ['lines behind a byte order mark', `${BOM}${ONE}\n${ONE}`],
    ['an array that is no JSON', `[${ONE},{bad]`],
    ['two objects on a line', ONE + ONE],
    ['a text', '"hello"'],
    ['a number', '5'],
    ['null', 'null'],
    ['words', 'hello'],
    ['nothing', ''],
    ['spaces', ' \n'],
    ['too many events', `[${'5,'.repeat(EVENT_RULES.messageEventsMax)}5]`],
    ['too many lines', '5\n'.repeat(EVENT_RULES.messageEventsMax + 1)],
    ['an Event', EVENT],
    ['an EventBatch with an event without fields', EVENT_BATCH],
    ['an Event cut off', EVENT.subarray(0, -1)],
  ];
  const TYPES = [
    ...['application/json', 'Application/JSON; charset=utf-8', 'text/json', 'application/x-ndjson', 'text/plain'],
    ...['application/jsonl', 'application/x-protobuf', 'application/protobuf', 'application/octet-stream'],
    'application/x-protobuf; message=rivulet.v1.Event',
  ];
  const cases = MESSAGES.flatMap(([about, data]) => TYPES.map((type) => [about, type, data] as const));

  it.each(cases)('%s as %s is the same over NATS and HTTP', async (_, type, data) => {
    const sent = message(data, { contentType: type.toLowerCase() });
    const said = new StageDriver(parse()).feed('events', batch(sent));
    const letters = deadLettersOf(said).map((letter) => [letter.index, verdictOf(letter as never)]);

    const { stored, publisher } = recorder();
    const { ask } = await httpFacade({ publisher, clock });
    const { status, json } = await ask('/events', {
      ...{ method: 'POST', headers: { 'content-type': type }, body: Buffer.from(data as string) },
    });
    expect([200, 400, 413]).toContain(status);
    const accepted = said.rows['rows']?.length ?? 0;
    expect(stored).toHaveLength(accepted);
    const { errors } = json as { errors: HttpError[] };
    const isSolved = status === 200;
    expect(isSolved).toBe(accepted > 0 || letters.length === 0);
    expect(errors.map((error) => [error.index ?? 0, httpVerdict(error)])).toEqual(letters);
  });

  it.each([['an Event without fields', '', 'application/x-protobuf']])(
    '%s lacks the fields, at each entrance',
    async (_, data, type) => {
      const { verdict } = byParse(Buffer.from(data), type);
      expect(verdict).toMatchObject({ rule: 'missing_field', field: 'event_type' });
      const { address } = await facade({ publisher: recorder().publisher, clock });
      const { errors } = fromBinary(
        PublishEventsResponseSchema,
        await streamBytes(bareClient(address), PUBLISH, [framed(new Uint8Array(0))]),
      );
      expect(errors.map(({ rule, field, reason }) => verdictOf({ rule, field, reason }))).toEqual([verdict]);
    },
  );

  it('is shown with the number or the empty text that it has', () => {
    const of = (text: string) => byParse(Buffer.from(text), undefined).verdict?.reason;
    expect(of(`${ONE.slice(0, -1)},"price":1e999}`)).toMatch(/^price is 1e999: /);
    expect(of(JSON.stringify({ ...VIEW, user_id: '' }))).toMatch(/^user_id is missing or empty: /);
  });
});

describe('a row of CSV', () => {
  const HEADER = 'event_type,event_time,user_id,item_id,price,rating';
  const ROWS = [
    ...[`view,${T},u1,i1,12.5,`, `view,${T},u1,i1, 12.5 ,`, `view,${T},u1,i1,NaN,`, `view,${T},u1,i1,0x10,`],
    ...[`view,${T},u1,i1,1e999,`, `view,${T},u1,i1,"12,5",`, `view,${T},u1,i1,+5,`, `view,${T},u1,i1,.5,`],
    ...[`view,${T},u1,i1`, `view,${T},u1,i1,1,2,3`, `wish,${T},u1,i1,1,`, `view,yesterday,u1,i1,1,`],
    ...[`view,${T},,i1,1,`, `view,${T},"u""q",i1,1,`, `view,${T},"uq,i1,1,`, `view,${T},u1,i1,-1,`],
    ...[`rating,${T},u1,i1,,4`, `rating,${T},u1,i1,,`, `view,${T},"a\nb",i1,,`, `view,${T},u1,i1,,1e0`],
  ];

  it.each([
    ['of Rivulet', HEADER, ROWS],
    ['of MovieLens', 'userId,movieId,rating,timestamp', ['1,31,2.5,1260759144', '1,31,x,1260759144', '1,,2,5']],
    [
      'of REES46',
      'event_time,event_type,product_id,user_id,price',
      ['2019-10-01 00:00:00 UTC,cart,5,7,', '1,cart,5,7,x'],
    ],
    [
      'with an item by two names',
      `${HEADER},product_id`,
      [`view,${T},u,i,1,,i`, `view,${T},u,i,1,,j`, `view,${T},u,,1,,j`],
    ],
    ['with a column twice', `${HEADER},price`, [`view,${T},u,i,1,,1`]],
  ])('%s is the same for rivulet publish and rivulet replay', async (about, header, rows) => {
    const text = rows.map((row) => `${row}\n`).join('');
    const said = new StageDriver(parse()).feed('events', batch(csv(header, text)));
    const { lastSequence } = await log.info(streamOf('parse'));
    const file = join(cwd, 'rows.csv');
    writeFileSync(file, `${BOM}${header}\n${text}`);
    const { stdout } = await runCli(cwd, ['publish', '--file', file, '--json', '--nats-url', nats.url]);
    const { faults: found = [], ...summary } = JSON.parse(stdout) as {
      faults?: { line: number; rule: string; reason: string }[];
    };

    expect(found.map(({ line, ...fault }) => [line, verdictOf(fault)])).toEqual(
      deadLettersOf(said).map((letter) => [letter.line, verdictOf(letter as never)]),
    );
    const accepted = said.rows['rows'] ?? [];
    expect(summary, about).toMatchObject({ published: accepted.length, refused: found.length, dead_letters: 0 });
    const stored = (await messagesIn(log, 'parse')).filter(({ sequence }) => sequence > lastSequence);
    const sent = stored.map(({ data, headers }) => message(data, { contentType: headers['content-type'] ?? '' }));
    // A message has the time at which it was stored; a row has none.
    const again = new StageDriver(parse()).feed('events', batch(...sent));
    expect(again.rows['rows'] ?? []).toEqual(accepted);
  });

  it('needs the columns of an event, by their names', async () => {
    const file = join(cwd, 'upper.csv');
    writeFileSync(file, `EVENT_TYPE,event_time,user_id,item_id\nview,${T},u,i\n`);
    const { code, stderr } = await runCli(cwd, ['publish', '--file', file, '--nats-url', nats.url]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('line 1: the header lacks event_type; it has: EVENT_TYPE,');
  });
});
