import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from '../../../actors/parse.js';
import { type FieldName, FIELDS } from '../../../actors/formats/fields.js';
import { textOf, utf8 } from '../../../runtime/contract/stage.js';
import { batch, csv, type DeadLetter, deadLettersOf, STORED_AT_MS } from '../../support/raw-messages.js';
import { judge, plainCsv, type PlainRow } from '../../support/plain-parse.js';
import { StageDriver } from '../../support/stage-driver.js';

const REES46 = 'event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session';
const SMALL = 'event_time,event_type,user_id,item_id,brand';
const T = '2019-10-01 00:00:00 UTC';
const MIDNIGHT = Date.UTC(2019, 9, 1);

interface Outcome {
  readonly rows: readonly unknown[];
  readonly refused: readonly DeadLetter[];
  readonly events: number;
}

function read(header: string, data: string | Uint8Array, line = 2): Outcome {
  const driver = new StageDriver(parse());
  const said = driver.feed('events', batch(csv(header, data, line)));
  return { rows: said.rows['rows'] ?? [], refused: deadLettersOf(said), events: driver.counts().events };
}

/** Users of the rows that came through, and `line:rule:original` of the others. */
const outcome = (header: string, data: string | Uint8Array): string[] => {
  const { rows, refused } = read(header, data);
  const letters = refused.map(({ line, rule, original }) => `${line}:${rule}:${textOf(original)}`);
  return [...rows.map((row) => (row as PlainRow).user), ...letters];
};

describe('CSV, by hand', () => {
  it('reads the shop rows of REES46', () => {
    const data = `${T},view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde\n2019-10-01 00:00:01 UTC,purchase,1307067,20,computers.notebook,,251.74,550050854,7c90\n`;
    expect(read(REES46, data).rows).toEqual([
      {
        time: MIDNIGHT,
        type: 0,
        user: '541312140',
        item: '44600062',
        category: undefined,
        brand: 'shiseido',
        price: 35.79,
        rating: undefined,
        past: 0,
      },
      {
        time: MIDNIGHT + 1000,
        type: 2,
        user: '550050854',
        item: '1307067',
        category: 'computers.notebook',
        brand: undefined,
        price: 251.74,
        rating: undefined,
        past: 0,
      },
    ]);
  });

  it('reads the ratings of MovieLens', () => {
    expect(read('userId,movieId,rating,timestamp', '1,31,2.5,1569888000\n').rows).toEqual([
      {
        time: MIDNIGHT,
        type: 5,
        user: '1',
        item: '31',
        category: undefined,
        brand: undefined,
        price: undefined,
        rating: 2.5,
        past: 0,
      },
    ]);
  });

  it('takes both line ends, blank lines, and a last line without one', () => {
    expect(outcome(`${SMALL}\r\n`, `${T},view,a,i,\r\n\r\n\n${T},view,b,i,\n${T},view,c,i,`)).toEqual(['a', 'b', 'c']);
    expect(outcome(SMALL, `${T},view,a,i,x\r`)).toEqual(['a']);
    expect(read(SMALL, '').events).toBe(0);
  });

  it('takes quotes, and in them commas, quotes and line ends', () => {
    const data = `"${T}","view","a,1","i","say ""hi"""\n${T},view,b,i,""\n${T},view,"c",i,"two\nlines"\n${T},view,d,i,x\n`;
    const { rows, refused } = read(SMALL, data);
    expect(rows).toMatchObject([
      { user: 'a,1', brand: 'say "hi"' },
      { user: 'b', brand: undefined },
      { user: 'd', brand: 'x' },
    ]);
    expect(refused).toMatchObject([{ line: 4, rule: 'control_characters', field: 'brand' }]);
  });

  it('numbers lines by where a record starts, counting lines inside quotes', () => {
    const header = `${SMALL},note`;
    const data = `${T},view,a,i,x,"1\n2\n3"\nbad\n${T},view,b,i,x,"\n"\n${T},sniff,c,i,x,\n`;
    const { refused, events } = read(header, data, 10);
    expect(refused.map(({ line, rule }) => [line, rule])).toEqual([
      [13, 'csv_too_few_columns'],
      [16, 'unknown_event_type'],
    ]);
    expect(events).toBe(4);
  });

  it('refuses rows of other lengths, and goes on', () => {
    expect(outcome(SMALL, `${T},view,a,i\n${T},view,b,i,\n${T},view,c,i,x,y\n${T},view,"d",i\n`)).toEqual([
      'b',
      `2:csv_too_few_columns:${T},view,a,i`,
      `4:csv_too_many_columns:${T},view,c,i,x,y`,
      `5:csv_too_few_columns:${T},view,"d",i`,
    ]);
  });

  it('gives up one line for a broken quote, not those after it', () => {
    const data = `${T},view,"a,i,x\n${T},view,b,i,x\n${T},view,"c"c,i,x\n${T},view,d"d,i,x\n${T},view,e,i,"x"\n`;
    expect(outcome(SMALL, data)).toEqual([
      'b',
      'e',
      `2:csv_broken_quote:${T},view,"a,i,x`,
      `4:csv_broken_quote:${T},view,"c"c,i,x`,
      `5:csv_broken_quote:${T},view,d"d,i,x`,
    ]);
  });

  it('keeps the bytes of what it refuses, whatever they are', () => {
    const bad = [...utf8(`${T},view,`), 0xff, 0x00, 0x80, ...utf8(',i,x')];
    const { refused } = read(SMALL, Uint8Array.from([...bad, 13, 10, ...utf8(`${T},view,a,i,é`)]));
    expect(refused).toMatchObject([
      { rule: 'invalid_utf8', field: 'user_id', line: 2, file: 'part-000.csv', stage: 'parse', sequence: 7 },
    ]);
    expect([...refused[0]!.original]).toEqual(bad);
  });

  it('finds the one control character that stands above the letters', () => {
    const { refused } = read(SMALL, `${T},view,a\u007f,i,x\n${T},view,a,i,x\u0085\n`);
    expect(refused.map(({ rule, field }) => `${rule} ${field}`)).toEqual([
      'control_characters user_id',
      'control_characters brand',
    ]);
  });

  it('judges only what it reads: an ignored column may hold anything', () => {
    const row = [...utf8(`${T},view,a,i,x,`), 0xff, 0x09];
    expect(read(`${SMALL},note`, Uint8Array.from(row)).rows).toHaveLength(1);
  });

  it('refuses each row when the header lacks a column, or names one twice', () => {
    const rows = `${T},view,a\n${T},view,"b"\n`;
    expect(outcome('event_time,event_type,user_id', rows)).toEqual([
      `2:csv_missing_columns:${T},view,a`,
      `3:csv_missing_columns:${T},view,"b"`,
    ]);
    const { refused } = read(`${SMALL},brand`, `${T},view,a,i,x,x\n`);
    expect(refused).toMatchObject([{ rule: 'csv_duplicate_columns' }]);
  });

  it('takes two names of one field when they agree, or when one is empty', () => {
    const header = 'event_time,timestamp,event_type,user_id,item_id,product_id,brand';
    const data = [
      `${T},1569888000,view,a,i,i,`,
      `${T},1569888001,view,b,i,i,`,
      `${T},,view,c,i,j,`,
      `,1569888000,view,d,,j,`,
      `${T},,view,"e",,"j""",`,
    ].join('\n');
    const { rows, refused } = read(header, data);
    expect(rows).toMatchObject([
      { user: 'a', item: 'i' },
      { user: 'd', item: 'j', time: MIDNIGHT },
      { user: 'e', item: 'j"' },
    ]);
    expect(refused.map(({ line, rule, field }) => [line, rule, field])).toEqual([
      [3, 'fields_disagree', 'event_time'],
      [4, 'fields_disagree', 'item_id'],
    ]);
  });
});

const COLUMNS: readonly FieldName[] = FIELDS;

/** Values that are mostly good, at times absent, wrong, or in need of quotes. */
const values: Readonly<Partial<Record<FieldName, fc.Arbitrary<string>>>> = {
  // Never a good one: duplicates are told of elsewhere.
  event_id: fc.constantFrom('', 'a\u0000b', 'x'.repeat(257)),
  event_type: fc.constantFrom('view', 'cart', 'purchase', 'click', 'rating', 'remove_from_cart', 'view', 'View', ''),
  event_time: fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .integer({ min: 0, max: 1_572_566_399 })
        .map((s) => `${new Date(s * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`),
    },
    fc.constantFrom(
      '2019-10-01T00:00:00.5+02:00',
      '1569888000',
      '2019-02-29',
      '2020-01-01T00:00:00Z',
      '1969-01-01',
      'soon',
      '',
    ),
  ),
  user_id: fc.oneof(
    { weight: 6, arbitrary: fc.nat().map(String) },
    fc.constantFrom('', 'é', '"', 'a,b', 'a\tb', 'x'.repeat(256), 'x'.repeat(257)),
  ),
  item_id: fc.oneof(
    { weight: 8, arbitrary: fc.nat().map(String) },
    fc.constantFrom('', ' ', 'two\nlines', 'ü'.repeat(128), 'ü'.repeat(129)),
  ),
  price: fc.constantFrom('', '0', '12.5', '-0', '-1', '1e2', 'free', '1e999', '0.1'),
  rating: fc.constantFrom('', '', '0.5', '5', '5.5', '0', 'x'),
  review_text: fc.constantFrom('', 'good', 'a "b", c', 'é'.repeat(5000), 'é'.repeat(5001)),
};
const VALUE = fc.constantFrom('', '', 'a', 'a.b', 'é', 'x,y', '"', 'a\u0085');

const given = fc.record(Object.fromEntries(COLUMNS.map((name) => [name, values[name] ?? VALUE]))) as fc.Arbitrary<
  Record<FieldName, string>
>;

const quote = (text: string, always: boolean): string =>
  always || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

/** What a piece of a file should become, record by record. */
function expected(header: readonly string[], text: string): { rows: PlainRow[]; refused: string[] } {
  const rows: PlainRow[] = [];
  const refused: string[] = [];
  for (const { fields, line, text: record } of plainCsv(text, 2)) {
    const short = fields !== undefined && fields.length < header.length;
    const rule =
      fields === undefined
        ? 'csv_broken_quote'
        : short
          ? 'csv_too_few_columns'
          : fields.length > header.length
            ? 'csv_too_many_columns'
            : undefined;
    const judged =
      rule === undefined
        ? judge(Object.fromEntries(header.map((name, i) => [name, fields![i]!])), STORED_AT_MS)
        : { rule, field: undefined };
    if ('row' in judged) rows.push(judged.row);
    else refused.push(`${line} ${judged.rule} ${judged.field ?? ''} ${record}`);
  }
  return { rows, refused };
}

function expectAsPlain(header: readonly string[], text: string): void {
  const { rows, refused, events } = read(header.join(','), text);
  const plain = expected(header, text);
  expect(rows).toEqual(plain.rows);
  expect(
    refused.map(({ line, rule, field, original }) => `${line} ${rule} ${field ?? ''} ${textOf(original)}`),
  ).toEqual(plain.refused);
  expect(events).toBe(plain.rows.length + plain.refused.length);
}

describe('CSV of any kind', () => {
  it('becomes what a plain reader makes of it', () => {
    const file = fc.record({
      header: fc.shuffledSubarray([...COLUMNS], { minLength: COLUMNS.length }),
      events: fc.array(fc.tuple(given, fc.boolean()), { maxLength: 12 }),
      lineEnd: fc.constantFrom('\n', '\r\n', '\n\n'),
      last: fc.boolean(),
    });
    fc.assert(
      fc.property(file, ({ header, events, lineEnd, last }) => {
        const lines = events.map(([event, always]) => header.map((name) => quote(event[name], always)).join(','));
        expectAsPlain(header, lines.join(lineEnd) + (last ? lineEnd : ''));
      }),
      { numRuns: 100 },
    );
  });

  it('is cut into records as RFC 4180 says, with quotes anywhere', () => {
    const header = ['event_type', 'event_time', 'user_id', 'item_id', 'brand'];
    const piece = fc.constantFrom(
      '"',
      '""',
      ',',
      '\n',
      '\r\n',
      'a',
      '"a"',
      '"a,"',
      '"\n"',
      'view,1569888000,u,i,b',
      'view,1569888000,u,"i",',
      '\r',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        expectAsPlain(header, pieces.join(''));
      }),
      { numRuns: 1000 },
    );
  });
});
