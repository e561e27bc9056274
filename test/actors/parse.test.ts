import { describe, expect, it } from 'vitest';
import { parse, type ParseOptions } from '../../actors/parse.js';
import { type RawMessage, textOf } from '../../runtime/contract/stage.js';
import { batch, csv, deadLettersOf, json, jsonLines, message, STORED_AT_MS } from '../support/raw-messages.js';
import { StageDriver } from '../support/stage-driver.js';

const T = '2019-10-01T00:00:00Z';
const MIDNIGHT = Date.UTC(2019, 9, 1);
const HEADER = 'event_time,event_type,user_id,item_id,event_id';
const view = (user: string, more: object = {}): object => ({
  event_type: 'view',
  event_time: T,
  user_id: user,
  item_id: 'i',
  ...more,
});

const driverOf = (options?: ParseOptions): StageDriver => new StageDriver(parse(options));
const usersOf = (driver: StageDriver, ...messages: RawMessage[]): unknown[] =>
  (driver.feed('events', batch(...messages)).rows['rows'] ?? []).map((row) => row['user']);
const refusalsOf = (driver: StageDriver, ...messages: RawMessage[]): (string | undefined)[] =>
  deadLettersOf(driver.feed('events', batch(...messages))).map(({ rule }) => rule);

describe('parse, by hand', () => {
  it('makes one frame of rows and one of dead letters of a batch, in the order things came', () => {
    const driver = driverOf();
    const said = driver.feed(
      'events',
      batch(
        json(view('a')),
        json(view('b', { price: -1 })),
        csv(HEADER, `${T},view,c,i,\n${T},sniff,d,i,\n${T},view,e,i,\n`),
        message('?'),
        jsonLines(`${JSON.stringify(view('f'))}\n`),
      ),
    );
    expect(said.frames.map(({ output }) => output)).toEqual(['rows', 'deadLetters']);
    expect(said.rows['rows']?.map(({ user }) => user)).toEqual(['a', 'c', 'e', 'f']);
    expect(deadLettersOf(said).map(({ rule }) => rule)).toEqual([
      'price_negative',
      'unknown_event_type',
      'unknown_format',
    ]);
    expect(driver.counts()).toEqual({ events: 7, on_time: 0, late: 0, dead_letter: 3, duplicates: 0 });
  });

  it('says where a dead letter came from, and what to do', () => {
    const said = driverOf().feed('events', batch(json(view('a')), json(view('a', { rating: 9 }), { sequence: 42 })));
    expect(deadLettersOf(said)).toEqual([
      {
        original: new TextEncoder().encode(JSON.stringify(view('a', { rating: 9 }))),
        subject: 'rivulet.events.web',
        sequence: 42,
        file: undefined,
        line: undefined,
        index: 0,
        stage: 'parse',
        rule: 'rating_out_of_range',
        field: 'rating',
        reason: 'rating is 9: send 0.5 to 5',
        storedAt: STORED_AT_MS,
      },
    ]);
  });

  it('says nothing when there is nothing to say', () => {
    const driver = driverOf();
    expect(driver.feed('events', batch()).frames).toEqual([]);
    expect(
      driver.feed('events', batch(json([]), csv(HEADER, '\n\n'), jsonLines('\n \n'), csv(HEADER, ''))).frames,
    ).toEqual([]);
    expect(driver.counts().events).toBe(0);
  });

  it('refuses messages that are empty, of no known kind, or too large', () => {
    const driver = driverOf({ messageBytesMax: 200 });
    const rules = refusalsOf(
      driver,
      message(''),
      message(' \n\t'),
      message('hello'),
      message(`"${'x'.repeat(300)}"`),
      message('{"a":'),
    );
    expect(rules).toEqual(['empty_message', 'empty_message', 'unknown_format', 'message_too_large', 'json_invalid']);
    expect(driver.counts()).toMatchObject({ events: 5, dead_letter: 5 });
  });

  it('bounds messages, not pieces of files', () => {
    const driver = driverOf({ messageBytesMax: 100, messageEventsMax: 2 });
    const rows = `${T},view,a,i,\n`.repeat(10);
    expect(usersOf(driver, csv(HEADER, rows), jsonLines(`${JSON.stringify(view('b'))}\n`.repeat(3)))).toHaveLength(13);
  });

  it('refuses a message of too many events as a whole', () => {
    const three = [view('a'), view('b'), view('c')];
    const driver = driverOf({ messageEventsMax: 2 });
    const lines = three.map((event) => JSON.stringify(event)).join('\n');
    const protobuf = Uint8Array.of(0x0a, 0, 0x0a, 0, 0x0a, 0);
    const messages = [
      json(three),
      message(lines),
      message(lines, { contentType: 'application/x-ndjson' }),
      message(protobuf),
    ];
    expect(refusalsOf(driver, ...messages)).toEqual(Array(4).fill('too_many_events'));
    expect(usersOf(driver, json(three.slice(1)), message(lines.slice(0, lines.lastIndexOf('\n') + 1)))).toEqual([
      'b',
      'c',
      'a',
      'b',
    ]);
    expect(driver.counts()).toMatchObject({ events: 8, dead_letter: 4 });
  });

  it('reads a message by its content type', () => {
    const text = JSON.stringify(view('a'));
    const rule = (data: string, contentType: string): string | undefined =>
      refusalsOf(driverOf(), message(data, { contentType }))[0];
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'application/vnd.shop+json',
      'application/jsonl',
      'text/html',
    ]) {
      expect(rule(text, type)).toBeUndefined();
    }
    expect(rule(`[${text}]`, 'application/x-ndjson')).toBe('json_not_object');
    expect(rule(text, 'application/x-protobuf')).toBe('protobuf_invalid');
    expect(rule('hello', 'application/json')).toBe('json_invalid');
  });

  it('refuses files of other formats', () => {
    const chunk = { format: 'xml', file: 'a.xml', line: 3, header: new Uint8Array(0) };
    const said = driverOf().feed('events', batch(message('<a/>', { chunk })));
    expect(deadLettersOf(said)).toMatchObject([{ rule: 'unknown_format', file: 'a.xml', line: 3 }]);
  });

  it.each([
    [json({ price: 1 }), 'event_type, event_time, user_id and item_id are missing or empty: send each of them'],
    [json({ event_type: 'view', user_id: 'u' }), 'event_time and item_id are missing or empty: send each of them'],
    [json({ event_type: 'view', event_time: T }), 'user_id and item_id are missing or empty: send each of them'],
    [message(Uint8Array.of(16, 1)), 'event_time, user_id and item_id are missing or empty: send each of them'],
  ])('names all fields that are missing', (raw, reason) => {
    expect(deadLettersOf(driverOf().feed('events', batch(raw)))).toMatchObject([{ rule: 'missing_field', reason }]);
  });

  it('reads names by the schema it is given', () => {
    const event = { event_type: 'view', event_time: T, user_id: 'u', product_id: 'p' };
    expect(usersOf(driverOf({ schema: 'rees46' }), json(event))).toEqual(['u']);
    expect(usersOf(driverOf(), json(event))).toEqual(['u']);
    expect(refusalsOf(driverOf({ schema: 'rivulet' }), json(event))).toEqual(['missing_field']);
    const rating = { user_id: 'u', movie_id: 'm', event_ts: T, rating: 4 };
    expect(usersOf(driverOf({ schema: 'movielens' }), json(rating))).toEqual(['u']);
    expect(refusalsOf(driverOf({ schema: 'rees46' }), json(rating))).toEqual(['missing_field']);
  });

  it('measures the future from when a message was stored', () => {
    const at = (timeMs: number): RawMessage => json(view('a', { event_time: timeMs }), { storedAtMs: MIDNIGHT });
    const driver = driverOf({ futureMaxMs: 1000 });
    expect(usersOf(driver, at(MIDNIGHT + 1000))).toEqual(['a']);
    expect(refusalsOf(driver, at(MIDNIGHT + 1001))).toEqual(['time_in_future']);
  });

  it('gives an event from ahead the time at which it was stored, others and those of files none', () => {
    const noon = Date.parse(T);
    const storedAts = (message: RawMessage) =>
      driverOf()
        .feed('events', batch(message))
        .rows['rows']!.map(({ storedAt }) => storedAt);
    const events = [view('a', { event_time: noon }), view('b', { event_time: noon + 1 })];
    expect(storedAts(json(events, { storedAtMs: noon }))).toEqual([undefined, noon]);
    expect(storedAts({ ...csv(HEADER, `${T},view,a,i,1\n`), storedAtMs: noon - 1 })).toEqual([undefined]);
  });
});

describe('duplicates, by hand', () => {
  it('are dropped and counted: within a message, a batch, and later', () => {
    const driver = driverOf();
    const one = view('a', { event_id: '1' });
    expect(usersOf(driver, json([one, one, view('b', { event_id: '2' })]), json(one))).toEqual(['a', 'b']);
    expect(usersOf(driver, csv(HEADER, `${T},view,a,i,1\n${T},view,c,i,3\n`))).toEqual(['c']);
    expect(driver.counts()).toEqual({ events: 6, on_time: 0, late: 0, dead_letter: 0, duplicates: 3 });
  });

  it('are told by the id alone; an event without one is none', () => {
    const driver = driverOf();
    expect(usersOf(driver, json(view('a')), json(view('a')), json(view('a', { event_id: null })))).toHaveLength(3);
    expect(usersOf(driver, json(view('a', { event_id: 7 })), json(view('b', { event_id: '7' })))).toEqual(['a']);
  });

  describe('of ratings without an id', () => {
    const rating = (user: unknown, item: unknown, more: object = {}): object => ({
      ...{ event_type: 'rating', event_time: T, user_id: user, item_id: item, rating: 4 },
      ...more,
    });

    it('are told by user, item and time, whatever the rating, in any format', () => {
      const driver = driverOf();
      expect(usersOf(driver, json([rating('1', '23'), rating('1', '23', { rating: 2 })]))).toEqual(['1']);
      const seconds = MIDNIGHT / 1000;
      const file = csv('userId,movieId,rating,timestamp', `1,23,5,${seconds}\n1,24,5,${seconds}\n1,24,1,${seconds}\n`);
      expect(usersOf(driver, file)).toEqual(['1']);
      expect(usersOf(driver, json(rating(1, 24, { event_time: MIDNIGHT })))).toEqual([]);
      expect(driver.counts()).toMatchObject({ events: 6, duplicates: 4 });
    });

    it('are none where one of the three differs, and nothing that has an id', () => {
      const driver = driverOf();
      const long = 'x'.repeat(256);
      const one = rating('1', '23');
      const others = [
        ...[rating('12', '3'), rating('1', '23', { event_time: '2019-10-01T00:00:00.001Z' }), rating('1', '2')],
        ...[rating('1', '23', { event_id: 'a' }), rating('1', '23', { event_id: 'b' }), rating(long, long)],
        ...[view('1', { item_id: '23' }), view('1', { item_id: '23' })],
      ];
      expect(usersOf(driver, json([one, ...others]))).toHaveLength(1 + others.length);
      expect(usersOf(driver, json([one, rating(long, long), rating('9', '9'), one]))).toEqual(['9']);
    });

    it('are still known after a restart, and in whatever frames they come', () => {
      const ratings = Array.from({ length: 40 }, (_, i) => rating(`${i % 7}`, `${i % 5}`));
      const whole = usersOf(driverOf(), json(ratings));
      expect(whole).toHaveLength(35);
      const driver = driverOf();
      const single = ratings.flatMap((one, i) => {
        if (i === 17) driver.snapshot();
        if (i === 25) driver.crash();
        // After the crash, what came since the snapshot comes again.
        return i === 25
          ? ratings.slice(17, 26).flatMap((again) => usersOf(driver, json(again)))
          : usersOf(driver, json(one));
      });
      expect([...single.slice(0, 17), ...single.slice(25)]).toEqual(whole);
    });
  });

  it('are told from each other where ids start late in a long batch', () => {
    const anonymous = Array.from({ length: 1000 }, () => view('a'));
    const one = view('b', { event_id: '1' });
    expect(usersOf(driverOf(), json([...anonymous, one, ...anonymous, one, view('c')]))).toHaveLength(2002);
  });

  it('are still known after a restart', () => {
    const driver = driverOf();
    usersOf(driver, json(view('a', { event_id: '1' })));
    driver.snapshot();
    usersOf(driver, json(view('b', { event_id: '2' })));
    driver.crash();
    expect(usersOf(driver, json(view('a', { event_id: '1' })), json(view('b', { event_id: '2' })))).toEqual(['b']);
  });

  it('are not what was refused: mended, it may come again', () => {
    const driver = driverOf();
    expect(refusalsOf(driver, json(view('a', { event_id: '1', price: -1 })))).toEqual(['price_negative']);
    expect(usersOf(driver, json(view('a', { event_id: '1', price: 1 })))).toEqual(['a']);
  });

  it('are forgotten by generations, so that memory is bounded', () => {
    // Generations of 3: {1 2 3} {4 5 …}; 6 fills the second, and the first is forgotten.
    const driver = driverOf({ dedupeMax: 6 });
    const ids = (...list: number[]): RawMessage => json(list.map((id) => view(`${id}`, { event_id: `${id}` })));
    expect(usersOf(driver, ids(1, 2, 3, 4, 5, 1, 2))).toEqual(['1', '2', '3', '4', '5']);
    expect(usersOf(driver, ids(6, 7, 1, 4))).toEqual(['6', '7', '1']);
    expect(driver.instance.states()['seen']!.keys).toBeLessThanOrEqual(6);
  });
});

it('keeps the bytes of what it refuses, however long', () => {
  const data = `{"user_id":"${'x'.repeat(50_000)}"}`;
  const [letter] = deadLettersOf(driverOf().feed('events', batch(message(data))));
  expect(textOf(letter!.original)).toBe(data);
});
