import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FieldName, FIELDS } from '../../../actors/formats/fields.js';
import { parse } from '../../../actors/parse.js';
import { type RawMessage, textOf, utf8 } from '../../../runtime/contract/stage.js';
import { batch, deadLettersOf, json, jsonLines, message, STORED_AT_MS } from '../../support/raw-messages.js';
import { type Given, judge, type Judged, type PlainRow } from '../../support/plain-parse.js';
import { StageDriver } from '../../support/stage-driver.js';

const T = '2019-10-01T00:00:00Z';
const MIDNIGHT = Date.UTC(2019, 9, 1);
const view = (more: object = {}): object => ({
  event_type: 'view',
  event_time: T,
  user_id: 'u',
  item_id: 'i',
  ...more,
});
const text = (more: object = {}): string => JSON.stringify(view(more));

/** Users of the rows that came through, and `index:rule:original` of the others. */
function outcome(...messages: RawMessage[]): string[] {
  const said = new StageDriver(parse()).feed('events', batch(...messages));
  const letters = deadLettersOf(said).map(({ index, rule, original }) => `${index}:${rule}:${textOf(original)}`);
  return [...(said.rows['rows'] ?? []).map((row) => String(row['user'])), ...letters];
}

/** The row of an event, or the rule and field by which it was refused. */
function judged(event: object | string): unknown {
  const said = new StageDriver(parse()).feed(
    'events',
    batch(message(typeof event === 'string' ? event : JSON.stringify(event))),
  );
  const [letter] = deadLettersOf(said);
  return letter === undefined ? said.rows['rows']?.[0] : [letter.rule, letter.field];
}

describe('one event as JSON, by hand', () => {
  it('has the fields of the event frame; the rest is checked and dropped', () => {
    const event = view({
      category_code: 'a.b',
      brand: 'é',
      price: 12.5,
      rating: 4,
      session_id: 's',
      page_url: 'https://example.com/?a=1\n',
      review_text: 'good',
      extra: { a: [1, { b: null }], event_time: 'no' },
    });
    expect(judged(event)).toEqual({
      time: MIDNIGHT,
      type: 0,
      user: 'u',
      item: 'i',
      category: 'a.b',
      brand: 'é',
      price: 12.5,
      rating: 4,
      past: 0,
    });
  });

  it('may have integers for ids, kept digit by digit', () => {
    expect(
      judged(
        '{"event_type":"view","event_time":1569888000,"user_id":9007199254740993,"item_id":-12345678901234567890}',
      ),
    ).toMatchObject({
      user: '9007199254740993',
      item: '-12345678901234567890',
      time: MIDNIGHT,
    });
  });

  it('may have escapes anywhere, in names as well', () => {
    expect(
      judged(
        String.raw`{"event\u005ftype":"v\u0069ew","event_time":"2019-10-01T00:00:00Z","user_id":"a\"b","item_id":"\ud83d\ude00"}`,
      ),
    ).toMatchObject({
      user: 'a"b',
      item: '\u{1f600}',
    });
  });

  it('has absent fields where the value is null or empty', () => {
    expect(judged(view({ brand: null, price: null, category_code: '', rating: null }))).toMatchObject({
      brand: undefined,
      price: undefined,
    });
    expect(judged(view({ user_id: null }))).toEqual(['missing_field', 'user_id']);
    expect(judged(view({ user_id: '' }))).toEqual(['missing_field', 'user_id']);
  });

  it('is a rating when it is of MovieLens and has no type', () => {
    expect(judged({ userId: 1, movieId: 31, rating: 2.5, timestamp: 1569888000 })).toMatchObject({
      type: 5,
      user: '1',
      item: '31',
      rating: 2.5,
    });
    expect(judged({ user_id: 1, movie_id: 31, event_type: 'view', event_ts: T })).toMatchObject({
      type: 0,
      rating: undefined,
    });
    expect(judged({ userId: 1, movieId: 31, timestamp: 1569888000 })).toEqual(['missing_field', 'rating']);
  });

  it('may name a field twice when both say the same', () => {
    expect(judged(view({ product_id: 'i', event_ts: '2019-10-01 00:00:00 UTC', timestamp: 1569888000 }))).toMatchObject(
      { item: 'i' },
    );
    expect(
      judged(
        String.raw`{"event_type":"view","event_time":"${T}","user_id":"a","user_id":"\u0061","item_id":7,"product_id":"7"}`,
      ),
    ).toMatchObject({ user: 'a' });
    expect(judged(view({ product_id: 'j' }))).toEqual(['fields_disagree', 'item_id']);
    expect(judged(view({ timestamp: 1569888001 }))).toEqual(['fields_disagree', 'event_time']);
    expect(judged(view({ product_id: null }))).toMatchObject({ item: 'i' });
  });

  it.each([
    [view({ event_type: undefined }), 'missing_field', 'event_type'],
    [view({ event_type: 'VIEW' }), 'unknown_event_type', 'event_type'],
    [view({ event_type: 1 }), 'wrong_type', 'event_type'],
    [view({ event_time: 'now' }), 'time_invalid', 'event_time'],
    [view({ event_time: '2019-02-30T00:00:00Z' }), 'time_invalid', 'event_time'],
    [view({ event_time: true }), 'wrong_type', 'event_time'],
    [view({ event_time: -1 }), 'time_before_1970', 'event_time'],
    [view({ event_time: STORED_AT_MS + 86_400_001 }), 'time_in_future', 'event_time'],
    [view({ user_id: 1.5 }), 'wrong_type', 'user_id'],
    [view({ user_id: ['u'] }), 'wrong_type', 'user_id'],
    [view({ item_id: { id: 1 } }), 'wrong_type', 'item_id'],
    [view({ user_id: 'x'.repeat(257) }), 'text_too_long', 'user_id'],
    [view({ item_id: 'a\u0000' }), 'control_characters', 'item_id'],
    [view({ brand: 'a\u0085' }), 'control_characters', 'brand'],
    [view({ brand: 'a\u007f' }), 'control_characters', 'brand'],
    [view({ price: '12.5' }), 'wrong_type', 'price'],
    [view({ price: -0.01 }), 'price_negative', 'price'],
    [view({ rating: 0.4 }), 'rating_out_of_range', 'rating'],
    [view({ rating: 5.1 }), 'rating_out_of_range', 'rating'],
    [view({ event_type: 'rating' }), 'missing_field', 'rating'],
    [view({ review_text: 'x'.repeat(5001) }), 'text_too_long', 'review_text'],
    [view({ review_text: 7 }), 'wrong_type', 'review_text'],
    [view({ session_id: {} }), 'wrong_type', 'session_id'],
  ])('%j is refused: %s of %s', (event, rule, field) => {
    expect(judged(event)).toEqual([rule, field]);
  });

  it.each([
    ['{"event_type":"view","event_time":1e400,"user_id":1,"item_id":1}', 'time_invalid', 'event_time'],
    ['{"event_type":"view","event_time":1,"user_id":1,"item_id":1,"price":1e400}', 'number_invalid', 'price'],
    [String.raw`{"event_type":"view","event_time":1,"user_id":"\ud800","item_id":1}`, 'invalid_utf8', 'user_id'],
    ['"view"', 'json_not_object', undefined],
  ])('%s is refused: %s of %s', (event, rule, field) => {
    // The string does not start like JSON, so it is told what it is.
    const said = new StageDriver(parse()).feed('events', batch(message(event, { contentType: 'application/json' })));
    expect(deadLettersOf(said)).toMatchObject([{ rule, field }]);
  });

  it('is at the limits of what is taken', () => {
    expect(
      judged(view({ event_time: STORED_AT_MS + 86_400_000, rating: 0.5, price: 0, user_id: 'x'.repeat(256) })),
    ).toMatchObject({ price: 0 });
    expect(judged(view({ event_time: 0, rating: 5, review_text: '\u{1f600}'.repeat(5000) }))).toMatchObject({
      time: 0,
    });
  });

  it('is refused with a reason that says what to do', () => {
    const said = new StageDriver(parse()).feed(
      'events',
      batch(json({ event_type: 'view', event_time: T, user_id: 'u' }), json(view({ price: '1' }))),
    );
    expect(deadLettersOf(said).map(({ reason }) => reason)).toEqual([
      'item_id is missing or empty: send it as item_id or product_id or movieId or movie_id',
      'price is "1": send a number, without quotes',
    ]);
  });
});

describe('several events in one message, by hand', () => {
  it('may be an array; a bad element leaves the others alone', () => {
    const data = ` [ ${text()} , 7,{"a": "é]}" } ,${text({ user_id: 'v' })}, [] ] `;
    expect(outcome(message(data))).toEqual([
      'u',
      'v',
      '1:json_not_object:7',
      '2:missing_field:{"a": "é]}" }',
      '4:json_not_object:[]',
    ]);
    expect(outcome(message('[]'))).toEqual([]);
  });

  it('stand or fall together when the array is no JSON', () => {
    for (const data of [`[${text()},${text()}`, `[${text()} ${text()}]`, `[${text()},]`, `[${text()}]]`]) {
      expect(outcome(message(data))).toEqual([`0:json_invalid:${data}`]);
    }
  });

  it('may be lines; blank ones are nothing, and a broken one leaves the others alone', () => {
    const data = `${text()}\r\n\n  \n{"a":1\n${text({ user_id: 'v' })}\n[]\n`;
    expect(outcome(message(data))).toEqual(['u', 'v', '1:json_invalid:{"a":1', '3:json_not_object:[]']);
    expect(outcome(message(`{"a":\n${text()}`))).toEqual(['u', '0:json_invalid:{"a":']);
  });

  it('are one when an object is spread over lines', () => {
    expect(outcome(message(JSON.stringify(view(), undefined, 2)))).toEqual(['u']);
    const broken = JSON.stringify(view(), undefined, 2).slice(0, -1);
    expect(outcome(message(broken))).toEqual([`0:json_invalid:${broken.trimEnd()}`]);
  });

  it('may be lines of a file, numbered as in the file', () => {
    const data = `${text()}\n\n{\r\n${text({ user_id: 'v', price: -1 })}\n${text({ user_id: 'w' })}`;
    const said = new StageDriver(parse()).feed('events', batch(jsonLines(data, 100)));
    expect(said.rows['rows']).toMatchObject([{ user: 'u' }, { user: 'w' }]);
    expect(deadLettersOf(said).map(({ rule, file, line, original }) => [rule, file, line, textOf(original)])).toEqual([
      ['json_invalid', 'events.jsonl', 102, '{'],
      ['price_negative', 'events.jsonl', 103, text({ user_id: 'v', price: -1 })],
    ]);
  });

  it('keep the bytes of what is refused, whatever they are', () => {
    const bad = Uint8Array.from([
      ...utf8('{"event_type":"view","event_time":0,"item_id":1,"user_id":"'),
      0xff,
      0xfe,
      ...utf8('"}'),
    ]);
    const data = Uint8Array.from([...utf8(`[${text()},`), ...bad, ...utf8(']')]);
    const said = new StageDriver(parse()).feed('events', batch(message(data)));
    expect(deadLettersOf(said)).toMatchObject([{ rule: 'invalid_utf8', field: 'user_id', index: 1 }]);
    expect([...deadLettersOf(said)[0]!.original]).toEqual([...bad]);
  });
});

const VALUE: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'view', 'rating', '7', T, 'é', 'a\n', '"', 0, 7, 2.5, -1, 1569888000) },
  { weight: 2, arbitrary: fc.constantFrom(undefined, null, '', true, [], {}, 'x'.repeat(257)) },
);
const good = fc.record({
  event_type: fc.constantFrom('view', 'cart', 'rating', 'impression'),
  event_time: fc.constant(T),
  user_id: fc.nat(),
  item_id: fc.nat(),
});
const anyEvent = fc
  .tuple(
    good,
    fc.dictionary(fc.constantFrom<FieldName>(...FIELDS.filter((name) => name !== 'event_id')), VALUE, { maxKeys: 3 }),
  )
  .map(([event, changes]) => ({ ...event, ...changes }));

const NUMERIC: readonly string[] = ['price', 'rating', 'position'];
const OF_IMPRESSIONS: readonly string[] = ['position', 'model', 'arm'];
const ID: readonly string[] = ['user_id', 'item_id', 'session_id', 'event_id'];

/** What should become of an event that `JSON.parse` gave. */
function expected(event: Record<string, unknown>): PlainRow | string {
  const given: Given = {};
  let impressionFault: Judged | undefined;
  for (const [name, value] of Object.entries(event) as [FieldName, unknown][]) {
    if (value === null) continue;
    const isText = typeof value === 'string' && !NUMERIC.includes(name);
    const isNumber =
      typeof value === 'number' &&
      (NUMERIC.includes(name) || name === 'event_time' || (ID.includes(name) && Number.isInteger(value)));
    if (!isText && !isNumber) {
      if (!OF_IMPRESSIONS.includes(name)) return `wrong_type ${name}`;
      impressionFault ??= { rule: 'wrong_type', field: name };
      continue;
    }
    given[name] = String(value);
  }
  const verdict = judge(given, STORED_AT_MS, { impressionFault });
  return 'row' in verdict ? verdict.row : `${verdict.rule} ${verdict.field}`;
}

describe('JSON of any kind', () => {
  it('becomes what a plain reader makes of it: as an array, as lines, spaced or not', () => {
    fc.assert(
      fc.property(
        fc.array(anyEvent, { minLength: 2, maxLength: 10 }),
        fc.constantFrom('array', 'lines', 'spaced', 'file'),
        (events, form) => {
          const texts = events.map((event) => JSON.stringify(event));
          const data =
            form === 'array'
              ? `[${texts.join(',')}]`
              : form === 'spaced'
                ? JSON.stringify(events, undefined, 2)
                : texts.join('\n');
          const driver = new StageDriver(parse());
          const said = driver.feed('events', batch(form === 'file' ? jsonLines(data) : message(data)));
          const plain = texts.map((one) => expected(JSON.parse(one) as Record<string, unknown>));
          expect(said.rows['rows'] ?? []).toEqual(plain.filter((one) => typeof one !== 'string'));
          expect(deadLettersOf(said).map(({ rule, field }) => `${rule} ${field}`)).toEqual(
            plain.filter((one) => typeof one === 'string'),
          );
          expect(driver.counts().events).toBe(events.length);
        },
      ),
      { numRuns: 500 },
    );
  });
});
