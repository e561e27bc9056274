import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fieldsOf } from '../../../connectors/csv/csv-rows.js';
import { type FileRecord, readRecords } from '../../../connectors/csv/read-records.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'read-records-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function read(name: string, content: string | Uint8Array, format?: 'csv' | 'jsonl'): Promise<FileRecord[]> {
  const path = join(directory, name);
  writeFileSync(path, content);
  const records: FileRecord[] = [];
  for await (const record of readRecords(path, format)) records.push(record);
  return records;
}

const quote = (field: string): string => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);

describe('CSV', () => {
  it('is objects with their lines; blank lines are left out', async () => {
    expect(await read('f.csv', '\ufeffa,"b",c\r\n1,é,\r\n\r\n"x\ny","say ""hi""",3\n4,5,6')).toEqual([
      { line: 2, text: '1,é,', record: { a: '1', b: 'é', c: '' } },
      { line: 4, text: '"x\ny","say ""hi""",3', record: { a: 'x\ny', b: 'say "hi"', c: '3' } },
      { line: 6, text: '4,5,6', record: { a: '4', b: '5', c: '6' } },
    ]);
  });

  it('is read through gzip, and by another name when the format is given', async () => {
    expect(await read('f.csv.gz', gzipSync('a\n1\n'))).toEqual([{ line: 2, text: '1', record: { a: '1' } }]);
    expect(await read('f.txt', 'a\n1\n', 'csv')).toEqual([{ line: 2, text: '1', record: { a: '1' } }]);
    await expect(read('f.txt', 'a\n1\n')).rejects.toMatchObject({ code: 'SOURCE_FORMAT' });
  });

  it('says what is wrong with a row, and goes on', async () => {
    expect(await read('f.csv', 'a,b\n1,"2\n3,4\n5\n6,7,8\nx"y,9\n1,2\n')).toEqual([
      { line: 2, text: '1,"2', problem: expect.stringContaining('quote') },
      { line: 3, text: '3,4', record: { a: '3', b: '4' } },
      { line: 4, text: '5', problem: 'the row has 1 fields, the header has 2: is an absent one left out?' },
      { line: 5, text: '6,7,8', problem: 'the row has 3 fields, the header has 2: is a comma unquoted?' },
      { line: 6, text: 'x"y,9', problem: expect.stringContaining('quote') },
      { line: 7, text: '1,2', record: { a: '1', b: '2' } },
    ]);
  });

  it('is UTF-8, or has rows that say so', async () => {
    const problem = expect.stringContaining('it is not UTF-8');
    const latin = Buffer.from('a,b\nx,y\nAndr\xe9,1\nAndré,2\n', 'latin1');
    expect((await read('f.csv', latin)).map((one) => one.problem)).toEqual([undefined, problem, problem]);
    expect(await read('f.jsonl', Buffer.from('{"a":"\xe9"}\n{"a":"e"}\n', 'latin1'))).toMatchObject([
      { line: 1, problem },
      { line: 2, record: { a: 'e' } },
    ]);
    await expect(read('h.csv', Buffer.from('\xe9,b\n1,2\n', 'latin1'))).rejects.toMatchObject({
      code: 'SOURCE_HEADER',
    });
  });

  it('needs a header that can be read', async () => {
    await expect(read('f.csv', 'a,b"\n')).rejects.toMatchObject({ code: 'SOURCE_HEADER', message: /line 1.*quote/ });
    await expect(read('f.csv', 'a,b,a\n')).rejects.toMatchObject({ code: 'SOURCE_HEADER', message: /names "a" twice/ });
    expect(await read('f.csv', '')).toEqual([]);
  });

  it('gives back any fields that were quoted as they should be', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'ü', ' ') }), { minLength: 1 }),
        (fields) => {
          expect(fieldsOf(fields.map(quote).join(','))).toEqual(fields);
        },
      ),
    );
  });

  it('of many rows is read whole', async () => {
    const rows = 200_000;
    const records = await read('f.csv', `a,b,c,d\n${'2019-10-01 00:00:00 UTC,view,"5,0",x\n'.repeat(rows)}`);
    expect(records).toHaveLength(rows);
  });
});

describe('JSONL', () => {
  it('is parsed line by line; what is not JSON is said and passed over', async () => {
    expect(await read('f.jsonl', '{"a":"x\\n"}\n\n[1,"2"]\r\n{"b":\nnull\n5')).toEqual([
      { line: 1, text: '{"a":"x\\n"}', record: { a: 'x\n' } },
      { line: 3, text: '[1,"2"]', record: [1, '2'] },
      { line: 4, text: '{"b":', problem: expect.stringContaining('not JSON') },
      { line: 5, text: 'null', record: null },
      { line: 6, text: '5', record: 5 },
    ]);
  });
});
