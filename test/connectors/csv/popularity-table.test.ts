import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { popularityTable } from '../../../connectors/csv/popularity-table.js';
import { encodeFrame } from '../../../runtime/frames/codec.js';
import { rowsOf } from '../../../runtime/contract/stage.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'popularity-table-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const HEADER = 'product_id,total_purchases,main_category_code,main_brand,avg_price';

async function read(content: string): Promise<ReturnType<typeof rowsOf>[]> {
  const path = join(directory, 'popularity.csv');
  writeFileSync(path, content);
  const frames = [];
  for await (const frame of popularityTable(path)) frames.push(rowsOf(frame));
  return frames;
}

describe('popularityTable', () => {
  it('gives rows as frames', async () => {
    const table = `${HEADER}\r\n1004833,10,electronics,samsung,174.76\r\n7,10.0,,,\n8,1.0E7,"a,b",x,5`;
    expect(await read(table)).toEqual([
      [
        { item: '1004833', purchases: 10, category: 'electronics', brand: 'samsung', price: 174.76 },
        { item: '7', purchases: 10, category: undefined, brand: undefined, price: undefined },
        { item: '8', purchases: 1e7, category: 'a,b', brand: 'x', price: 5 },
      ],
    ]);
  });

  it('takes columns in any order, among others', async () => {
    expect(await read('avg_price,x,main_brand,total_purchases,product_id,main_category_code\n1.5,y,b,2,i,c\n')).toEqual(
      [[{ item: 'i', purchases: 2, category: 'c', brand: 'b', price: 1.5 }]],
    );
  });

  it('cuts frames at 8,192 rows, and has none without rows', async () => {
    const table = `${HEADER}\n${Array.from({ length: 8193 }, (_, i) => `${i},1,c,b,1\n`).join('')}`;
    expect((await read(table)).map(({ length }) => length)).toEqual([8192, 1]);
    expect(await read(`${HEADER}\n`)).toEqual([]);
  });

  it('cuts frames of long texts so that each fits a message', async () => {
    const long = 'x'.repeat(240);
    const table = `${HEADER}\n${Array.from({ length: 4000 }, (_, i) => `${long}${i},1,${long}${i},${long}${i},1\n`).join('')}`;
    writeFileSync(join(directory, 'popularity.csv'), table);
    let rows = 0;
    for await (const frame of popularityTable(join(directory, 'popularity.csv'))) {
      expect(encodeFrame(frame).length).toBeLessThan(512 * 1024);
      rows += frame.rows;
    }
    expect(rows).toBe(4000);
  });

  it.each([
    ['', /popularity\.csv is empty/, /product_id,total_purchases/],
    [
      'product_id,purchases\n1,2\n',
      /line 1: the header lacks total_purchases, main_category_code, .*; it has: product_id,purchases/,
      /add or rename/,
    ],
    [`${HEADER}\n1,2,c,b,3\n,2,c,b,3\n`, /line 3, column product_id: the value is empty/, /id/],
    [`${HEADER}\n1,many,c,b,3\n`, /line 2, column total_purchases: "many" is not a count/, /such as 10/],
    [`${HEADER}\n1,2.5,c,b,3\n`, /column total_purchases: "2\.5"/, /whole number/],
    [`${HEADER}\n1,-2,c,b,3\n`, /column total_purchases: "-2"/, /0 or more/],
    [`${HEADER}\n1,2,c,b,cheap\n`, /column avg_price: "cheap" is not a price/, /leave it empty/],
    [`${HEADER}\n${'é'.repeat(129)},2,c,b,3\n`, /line 2, column product_id: the value has 258 bytes/, /at most 256/],
    [`${HEADER}\n1,2,c,${'b'.repeat(257)},3\n`, /column main_brand: the value has 257 bytes/, /as in events/],
    [`${HEADER}\n1,2,c,b\n`, /line 2: the row has 4 columns and the header 5/, /quote a value/],
    [`${HEADER}\n1,2,"c,b,3\n`, /line 2: a quote breaks the row/, /quote the whole value/],
  ])('refuses %j, and says where and how to mend it', async (content, message, hint) => {
    await expect(read(content)).rejects.toMatchObject({
      ...{ reaction: 'fatal', code: 'POPULARITY_TABLE' },
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  it('names a file that is not there', async () => {
    await expect(popularityTable(join(directory, 'absent.csv')).next()).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: /absent\.csv/,
    });
  });
});
