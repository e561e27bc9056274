/** CSV files with names of their own: what a node is sent of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { EVENT_RULES, type EventRules } from '../../../actors/formats/limits.js';
import { type FileChunk, fileChunks } from '../../../connectors/csv/file-chunks.js';
import {
  columnsText,
  type CsvColumns,
  delimiter,
  delimiterOf,
  fieldPairs,
  typePairs,
} from '../../../runtime/cli/import/csv-options.js';
import { PastEvents } from '../../../runtime/cli/import/past-events.js';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-columns-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const NOW_MS = Date.parse('2026-11-01T00:00:00Z');
const ALL = fieldPairs('user=u,item=i,time=t,type=e');

interface Given extends Partial<CsvColumns> {
  readonly name?: string;
  readonly chunkBytes?: number;
  /** Each piece is read as by a command that goes on there. */
  readonly isInterrupted?: boolean;
  readonly rules?: Partial<EventRules>;
}

/** As `import csv` reads a file. */
async function read(content: string | Buffer, given: Given = {}) {
  const { name = 'f.csv', chunkBytes = 4096, isInterrupted = false, rules, ...more } = given;
  const path = join(directory, name);
  writeFileSync(path, content);
  const columns = { map: ALL, set: new Map(), types: new Map(), time: 'auto', hasHeader: true, ...more } as const;
  const delimiter = delimiterOf(columns, path);
  const refused: string[] = [];
  const events: Record<string, string>[] = [];
  for (let after: FileChunk | undefined; after?.endsFile !== true;) {
    const past = new PastEvents({
      ...{ rules: { ...EVENT_RULES, ...rules }, partitions: 1, messageBytesMax: 64 * 1024, file: path, format: 'csv' },
      ...{ columns, digest: 'a'.repeat(64), ratingScale: undefined },
      onRefused: (line, { rule, reason }) => refused.push(`${line}: ${reason} [${rule}]`),
    });
    const { checkHeader } = past;
    const options = { chunkBytes, checkHeader, delimiter, hasHeader: columns.hasHeader, after };
    for await (const chunk of fileChunks(path, { format: 'csv', ...options })) {
      for (const { data } of [...past.read(chunk, NOW_MS), ...past.rest()])
        for (const json of Buffer.from(data).toString().trimEnd().split('\n')) events.push(JSON.parse(json));
      after = chunk;
      if (isInterrupted) break;
    }
  }
  return { events, refused };
}

const T = '2026-01-01T00:00:00.000Z';
const T_MS = Date.parse(T);
const line = (n: number): string => `aaaaaaaa-aaaa-8aaa-8aaa-${n.toString(16).padStart(12, '0')}`;

describe('columns', () => {
  it('are fields of an event, by name or by number, or the same in all rows; others are ignored', async () => {
    const event = { event_type: 'purchase', event_time: T, user_id: 'a', item_id: 'x' };
    const header = await read(`x,i, t ,u\n1,x,${T},a\n`, {
      map: fieldPairs('user=u,item=i,time=t'),
      set: fieldPairs('type=purchase,brand=acme'),
    });
    expect(header).toEqual({ events: [{ ...event, brand: 'acme', event_id: line(2) }], refused: [] });
    const none = await read(`x\t${T}\ta\r\n\n"y"\t${T}\ta`, {
      ...{ name: 'f.tsv', map: fieldPairs('item_id=1,time=2,user_id=3'), set: fieldPairs('type=purchase') },
      hasHeader: false,
    });
    expect(none.events).toEqual([
      { ...event, event_id: line(1) },
      { ...event, item_id: 'y', event_id: line(3) },
    ]);
  });

  it('may be quoted as in RFC 4180, whatever is between them, and however the file is read', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', ',', ';', '|', '\t', '"', '\n', 'ü') });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(',', ';', '|', '\t', ' '),
        fc.array(text, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 16, max: 200 }),
        async (between, reviews, chunkBytes) => {
          const row = (review: string): string =>
            ['a', 'x', `"${review.replaceAll('"', '""')}"`, T_MS, 'view'].join(between);
          const content = [['u', 'i', 'r', 't', 'e'].join(between), ...reviews.map(row)].join('\n');
          const map = new Map([...ALL, ...fieldPairs('review_text=r')]);
          const { events, refused } = await read(content, { map, delimiter: between, chunkBytes });
          expect(refused).toEqual([]);
          expect(events.map(({ review_text: review = '' }) => review)).toEqual(reviews);
        },
      ),
      { numRuns: 100 },
    );
  });

  it.each([true, false])(
    'are the same for a command that goes on within the file; with a header: %s',
    async (hasHeader) => {
      const rows = Array.from({ length: 20 }, (_, n) => `u${n},"r\n${n}",${T_MS},${n === 9 ? 'look' : 'view'}\n`);
      const map = fieldPairs(hasHeader ? 'user=u,review_text=r,time=t,type=e' : 'user=1,review_text=2,time=3,type=4');
      const given = { map, set: fieldPairs('item=x'), hasHeader };
      const content = [...(hasHeader ? ['u,r,t,e\n'] : []), ...rows].join('');
      const whole = await read(content, given);
      expect([whole.events.length, whole.refused.length]).toEqual([19, 1]);
      expect(await read(content, { ...given, chunkBytes: 64, isInterrupted: true })).toEqual(whole);
    },
  );

  it('that are missing are named, with those that the file has', async () => {
    const csv = `timestamp,visitorid,event,itemid\n1,2,view,3\n`;
    await expect(read(csv, { map: fieldPairs('user=visitorid,type=event') })).rejects.toMatchObject({
      message: expect.stringMatching(
        /^no column of .*f\.csv is mapped to event_time, item_id; it has timestamp, visitorid, event, itemid$/,
      ),
      hint: 'give each its column, as in --map event_time=COLUMN, or a value for all rows, as in --set event_time=VALUE',
    });
    await expect(read(csv)).rejects.toThrow(
      /f\.csv has no column u, which is mapped to user_id; it has timestamp, visitorid, event, itemid$/,
    );
    await expect(read('u,u,i,t,e\n')).rejects.toThrow('has more than one column u');
    await expect(read('a,b\n', { map: fieldPairs('user=1'), hasHeader: false })).rejects.toThrow(
      'is mapped to event_type, event_time, item_id; it has 1 ("a"), 2 ("b")',
    );
    await expect(read('u,i,t,e\n', { set: fieldPairs('user=1') })).rejects.toThrow('user_id is in --map and in --set');
    await expect(read('u,"i\n')).rejects.toMatchObject({ code: 'SOURCE_HEADER' });
  });

  it('with ratings need no type', async () => {
    const { events } = await read(`u,i,t,r\n1,2,${T},4.5\n`, { map: fieldPairs('user=u,item=i,time=t,rating=r') });
    expect(events).toEqual([{ event_type: 'rating', event_time: T, user_id: '1', item_id: '2', rating: 4.5 }]);
  });
});

describe('values', () => {
  it.each([
    ['auto', T, T],
    ['auto', '1767225600', '1767225600'],
    ['auto', '1767225600000', '1767225600000'],
    ['s', '1767225600', T],
    ['s', '1767225600.25', '2026-01-01T00:00:00.250Z'],
    // As any number below 10¹¹, they would be taken for seconds.
    ['ms', '86400000', '1970-01-02T00:00:00.000Z'],
    ['iso', '2026-01-01 00:00:00 UTC', '2026-01-01 00:00:00 UTC'],
  ] as const)('of time are as --time %s says: %s', async (time, given, expected) => {
    const { events, refused } = await read(`u,i,t,e\n1,2,${given},view\n`, { time });
    expect([events.map(({ event_time: at }) => at), refused]).toEqual([[expected], []]);
  });

  it('of time are ISO 8601 for a strict schema', async () => {
    const rules = { schema: 'rivulet-strict' } as const;
    const csv = 'u,i,t,e\n1,2,1767225600000,view\n';
    expect((await read(csv, { rules, time: 'ms' })).events).toHaveLength(1);
    expect((await read(csv, { rules })).refused).toEqual([expect.stringContaining('[time_invalid]')]);
  });

  it('of the type are mapped, word by word', async () => {
    const { events, refused } = await read(
      `u,i,t,e\n${['view', 'addtocart', 'transaction', 'Cart'].map((word) => `1,2,${T},${word}\n`).join('')}`,
      { types: typePairs('addtocart=cart,transaction=purchase') },
    );
    expect(events.map(({ event_type: type }) => type)).toEqual(['view', 'cart', 'purchase']);
    expect(refused).toEqual([
      expect.stringMatching(
        /^5: event_type is "Cart": send one of view, .*, or say with --type-map which of them it is/,
      ),
    ]);
  });
});

it('bad rows are refused by line and reason, and no others', async () => {
  const rows = [
    ...['u;i;t;e', `1;"2\n3";${T};view`, `1;2;${T}`, `1;2;${T};view;`, `1;2";${T};view`, ';2;5;view', '1;2;soon;view'],
    ...['1;2;1767225600;view'],
  ];
  const content = Buffer.concat([Buffer.from(`${rows.join('\n')}\n`), Buffer.from([0xff]), Buffer.from(';2;5;view\n')]);
  const { events, refused } = await read(content, { delimiter: ';', time: 's' });
  expect(events).toHaveLength(1);
  expect(refused).toEqual([
    expect.stringMatching(
      /^2: event_time is "2026-01-01T00:00:00.000Z": --time s wants epoch seconds \[time_invalid\]$/,
    ),
    '4: the row has 3 columns and the header 4: write the absent ones as empty [csv_too_few_columns]',
    '5: the row has 5 columns and the header 4: quote a value that holds ";" [csv_too_many_columns]',
    expect.stringMatching(/^6: a quote is not closed .*\[csv_broken_quote\]$/),
    expect.stringMatching(/^7: user_id is missing or empty: .*\[missing_field\]$/),
    '8: event_time is "soon": --time s wants epoch seconds [time_invalid]',
    expect.stringMatching(/^10: it is not UTF-8: .*\[invalid_utf8\]$/),
  ]);
});

describe('options', () => {
  it('name fields, also in short, and types, over several flags', () => {
    const once = fieldPairs('user=a b,category=c=d');
    expect([...fieldPairs('price=p', once)]).toEqual([
      ['user_id', 'a b'],
      ['category_code', 'c=d'],
      ['price', 'p'],
    ]);
    expect([delimiter('tab'), delimiter(';')]).toEqual(['\t', ';']);
  });

  it.each([
    [() => fieldPairs('user'), 'Give two names with = between them, not "user".'],
    [() => fieldPairs('user=,item=i'), 'not "user="'],
    [() => fieldPairs('customer=c'), 'There is no field "customer": event_id, event_type, '],
    [() => fieldPairs('user=a,user_id=b'), 'Give user_id once.'],
    [() => typePairs('buy=bought'), 'There is no type "bought": view, cart, '],
    [() => delimiter('::'), 'Give one ASCII character'],
    [() => delimiter('"'), 'Give one ASCII character'],
  ])('that say nothing are refused: %s', (parse, message) => {
    expect(parse).toThrow(message);
  });

  it('are written down in one way', () => {
    const columns = { types: typePairs('b=view,a=cart'), time: 'ms', hasHeader: false, delimiter: '\t' } as const;
    expect(columnsText({ ...columns, map: fieldPairs('user=u,item=i'), set: new Map() })).toBe(
      '--map item_id=i,user_id=u --type-map a=cart,b=view --time ms --delimiter tab --no-header',
    );
  });
});
