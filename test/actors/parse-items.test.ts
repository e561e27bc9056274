/** Items as publishers send them: what becomes a row, and what a dead letter, with its reason. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseItems, type ParseItemsOptions } from '../../actors/parse-items.js';
import type { RawMessage } from '../../runtime/contract/stage.js';
import { batch, deadLettersOf, json, message, STORED_AT_MS } from '../support/raw-messages.js';
import { type Said, StageDriver } from '../support/stage-driver.js';

const ITEMS = { subject: 'rivulet.items.update' };
const feed = (messages: readonly RawMessage[], options?: ParseItemsOptions): Said =>
  new StageDriver(parseItems(options)).feed('items', batch(...messages));
const rowsOf = (...messages: RawMessage[]): unknown[] => [...(feed(messages).rows['rows'] ?? [])];
const rowOf = (item: object): unknown => rowsOf(json(item, ITEMS))[0];
const NOTHING = { title: undefined, category: undefined, brand: undefined, price: undefined, tags: undefined };
const KEPT = { updatedAt: STORED_AT_MS, deleted: 0 };

describe('parse-items, by hand', () => {
  it.each([
    [
      { item_id: 'i', title: 'A lamp', category: 'home.lamp', brand: 'acme', price: 12.5 },
      { item: 'i', title: 'A lamp', category: 'home.lamp', brand: 'acme', price: 12.5 },
    ],
    [{ item_id: 'i' }, { item: 'i' }],
    [
      { product_id: 12, name: 'B', category_code: 'x.y', store: 'S', price: 0 },
      { item: '12', title: 'B', category: 'x.y', brand: 'S', price: 0 },
    ],
    [
      { movieId: '7', title: 'Toy Story (1995)', genres: 'Adventure|Children' },
      { item: '7', title: 'Toy Story (1995)', category: 'Adventure|Children' },
    ],
    [
      { movie_id: 7, genres: ['Adventure', '', 'Children'] },
      { item: '7', category: 'Adventure|Children' },
    ],
    [
      { movie_id: 8, genres: ' Drama | Film-Noir|Drama|' },
      { item: '8', category: 'Drama|Film-Noir' },
    ],
    [
      { item_id: 'i', tags: ['dark', 'slow', ' dark '] },
      { item: 'i', tags: 'dark|slow' },
    ],
    [
      { item_id: 'i', tags: 'dark' },
      { item: 'i', tags: 'dark' },
    ],
    [{ item_id: 'i', tags: [] }, { item: 'i' }],
    [{ movie_id: 9, genres: '(no genres listed)' }, { item: '9' }],
    [{ movie_id: 9, genres: ['(no genres listed)'] }, { item: '9' }],
    [
      { parent_asin: 'B0', main_category: 'Books', title: null, brand: '', price: null },
      { item: 'B0', category: 'Books' },
    ],
    // The first name in the order of the table counts, not the first in the message.
    [
      { category_code: 'second', category: 'first', item_id: 'i' },
      { item: 'i', category: 'first' },
    ],
    [{ item_id: 'i', product_id: 'i', what: { else: [1] } }, { item: 'i' }],
    [
      { item_id: 'ü "quoted" \\ ', title: '🙂' },
      { item: 'ü "quoted" \\ ', title: '🙂' },
    ],
  ])('%j', (item, row) => {
    expect(rowOf(item)).toEqual({ ...NOTHING, ...KEPT, ...row });
  });

  it('keeps the digits of an id, and takes a deletion as a row', () => {
    expect(rowsOf(message('{"item_id":9007199254740993}', ITEMS))).toMatchObject([{ item: '9007199254740993' }]);
    expect(rowOf({ item_id: 'i', deleted: true })).toEqual({ ...NOTHING, ...KEPT, item: 'i', deleted: 1 });
  });

  it('reads an array, and lines, in their order', () => {
    const ids = (said: unknown[]) => said.map((row) => (row as { item: string }).item);
    expect(ids(rowsOf(json([{ item_id: 'a' }, { item_id: 'b' }]), json({ item_id: 'c' })))).toEqual(['a', 'b', 'c']);
    expect(ids(rowsOf(message('{"item_id":"a"}\n\n{"item_id":"b"}\r\n', ITEMS)))).toEqual(['a', 'b']);
    const contentType = 'application/x-ndjson; charset=utf-8';
    expect(ids(rowsOf(message('{"item_id":"a"}\nno\n{"item_id":"b"}', { contentType })))).toEqual(['a', 'b']);
  });

  it.each([
    ['{}', 'missing_field', 'item_id', /send it as item_id or .*product_id/],
    ['{"item_id":""}', 'missing_field', 'item_id', /missing/],
    ['{"item_id":1.5}', 'wrong_type', 'item_id', /is 1\.5: send a string or a whole number/],
    ['{"item_id":["a"]}', 'wrong_type', 'item_id', /a string/],
    ['{"item_id":"a","product_id":"b"}', 'fields_disagree', 'item_id', /more than once/],
    [`{"item_id":"${'x'.repeat(257)}"}`, 'text_too_long', 'item_id', /256 bytes/],
    ['{"item_id":"a\\nb"}', 'control_characters', 'item_id', /remove them/],
    ['{"item_id":"a","title":7}', 'wrong_type', 'title', /is 7: send a string/],
    [`{"item_id":"a","title":"${'ü'.repeat(501)}"}`, 'text_too_long', 'title', /500 characters/],
    ['{"item_id":"a","title":"\\ud800"}', 'invalid_utf8', 'title', /UTF-8/],
    ['{"item_id":"a","genres":["x",3]}', 'wrong_type', 'category', /a list of strings/],
    ['{"item_id":"a","tags":{"x":1}}', 'wrong_type', 'tags', /is \{"x":1\}: send a string/],
    [`{"item_id":"a","tags":["${'x'.repeat(999)}","y"]}`, 'text_too_long', 'tags', /1000 characters/],
    [`{"item_id":"a","brand":"${'x'.repeat(257)}"}`, 'text_too_long', 'brand', /256 bytes/],
    ['{"item_id":"a","price":"12"}', 'wrong_type', 'price', /is "12": send a number, without quotes/],
    ['{"item_id":"a","price":-0.5}', 'price_negative', 'price', /is -0\.5: send 0 or more/],
    ['{"item_id":"a","price":1e999}', 'number_invalid', 'price', /is 1e999/],
    ['{"item_id":"a","deleted":"yes"}', 'wrong_type', 'deleted', /true or false/],
    ['["a"]', 'json_not_object', undefined, /must be a JSON object/],
    ['{"item_id":"a"', 'json_invalid', undefined, /from byte 14/],
    ['item_id,title', 'unknown_format', undefined, /not JSON/],
    ['  ', 'empty_message', undefined, /holds nothing/],
    [`[${'{"item_id":"a"},'.repeat(2)}{"item_id":"a"}]`, 'too_many_items', undefined, /more than 2 items/],
    [`{"item_id":"${'x'.repeat(2_100)}"}`, 'message_too_large', undefined, /2114 bytes and may have 2000/],
  ])('refuses %s', (text, rule, field, reason) => {
    const said = feed([message(text, { ...ITEMS, sequence: 42 })], { messageItemsMax: 2, messageBytesMax: 2_000 });
    expect(said.rows['rows']).toBeUndefined();
    const [letter, ...more] = deadLettersOf(said);
    expect(more).toEqual([]);
    expect(letter).toMatchObject({ stage: 'parse-items', rule, field, reason: expect.stringMatching(reason) });
    expect(letter).toMatchObject({ subject: ITEMS.subject, sequence: 42, storedAt: STORED_AT_MS });
    expect(new TextDecoder().decode(letter!.original)).toBe(rule === 'json_not_object' ? '"a"' : text);
  });

  it('refuses bytes that are no UTF-8, and gives them back as they came', () => {
    const bytes = Buffer.concat([Buffer.from('{"item_id":"a","title":"'), Buffer.of(0xff), Buffer.from('"}')]);
    const [letter] = deadLettersOf(feed([message(bytes, ITEMS)]));
    expect([letter?.rule, letter?.field]).toEqual(['invalid_utf8', 'title']);
    expect(Buffer.from(letter!.original)).toEqual(bytes);
  });

  it('takes none of its neighbours with it, and counts what it refuses', () => {
    const driver = new StageDriver(parseItems());
    const said = driver.feed('items', batch(json([{ item_id: 'a' }, { title: 'x' }, { item_id: 'b' }])));
    expect(said.rows['rows']?.map(({ item }) => item)).toEqual(['a', 'b']);
    expect(deadLettersOf(said)).toMatchObject([{ index: 1, rule: 'missing_field' }]);
    expect(driver.counts()).toEqual({ events: 1, on_time: 0, late: 0, dead_letter: 1, duplicates: 0 });
  });
});

const text = fc.option(fc.string({ unit: fc.constantFrom('a', 'ü', '"', '\\', '🙂', '\n', '\ud800'), maxLength: 4 }), {
  nil: undefined,
});
const item = fc.record(
  {
    item_id: fc.oneof(text, fc.integer()),
    title: text,
    category: text,
    brand: text,
    price: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant('7')),
    deleted: fc.boolean(),
  },
  { requiredKeys: [] },
);
type Item = Readonly<Record<string, unknown>>;

/** What should come of an item, by the rules as they stand in the header of formats/json-item. */
function expectedOf(given: Item): object | undefined {
  const texts = [given['item_id'], given['title'], given['category'], given['brand']];
  const isPlain = texts.every((one) => typeof one !== 'string' || !/[\n\ud800-\udfff]/u.test(one));
  const id = given['item_id'] === undefined ? '' : String(given['item_id'] as string | number);
  const { price } = given;
  if (!isPlain || id === '' || typeof price === 'string' || (price as number) < 0) return undefined;
  const textOf = (name: string) => (given[name] as string | undefined) || undefined;
  return {
    ...{ item: id, title: textOf('title'), category: textOf('category'), brand: textOf('brand') },
    ...{ price: price === undefined ? undefined : (price as number) + 0, updatedAt: STORED_AT_MS },
    tags: undefined,
    deleted: given['deleted'] === true ? 1 : 0,
  };
}

describe('any items', () => {
  const messages = fc.array(fc.array(item, { maxLength: 4 }), { maxLength: 6 });

  it('become the rows that a plain model gives, in order, and all others dead letters: however batched, replayed or sent twice', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 3 })), fc.boolean(), (given, sizes, asLines) => {
        const all = given.map((items) =>
          asLines
            ? message(items.map((one) => JSON.stringify(one)).join('\n') || '\n', { contentType: 'application/jsonl' })
            : json(items),
        );
        const expected = given.flat().map(expectedOf);
        const good = expected.filter((one) => one !== undefined);
        const empty = asLines ? given.filter((items) => items.length === 0).length : 0;
        const driver = new StageDriver(parseItems());
        for (const round of [0, 1]) {
          const rows: unknown[] = [];
          let letters = 0;
          for (let at = 0, i = 0; at < all.length; i++) {
            const size = sizes[i % Math.max(1, sizes.length)] ?? all.length;
            const said = driver.feed('items', batch(...all.slice(at, at + size)));
            rows.push(...(said.rows['rows'] ?? []));
            letters += deadLettersOf(said).length;
            at += size;
            // There is no state that a crash could lose.
            if (round === 0) driver.crash();
          }
          expect(rows).toEqual(good);
          expect(letters).toBe(expected.length - good.length + empty);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('and any bytes: nothing is thrown, nothing is lost', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"item_id"',
      ':',
      ',',
      '"a"',
      '7',
      '\n',
      '"genres"',
      '\\u12',
      'null',
      '\xff',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        const bytes = Buffer.from(pieces.join(''), 'latin1');
        const said = feed([message(bytes, ITEMS)]);
        const letters = deadLettersOf(said);
        const isEmptyArray = /^\s*\[\s*\]\s*$/.test(bytes.toString('latin1'));
        if (!isEmptyArray) expect(letters.length + (said.rows['rows']?.length ?? 0)).toBeGreaterThan(0);
        for (const { original } of letters) expect(bytes.includes(Buffer.from(original))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
