import {
  mkdtempSync,
  readFileSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  appendFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { folderSource, type FolderSourceOptions } from '../../../connectors/csv/folder-source.js';
import { StoredFileRecords } from '../../../runtime/jobs/file-records.js';
import type { SourceChunk, SourcePosition } from '../../../runtime/contract/ports.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'folder-source-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const put = (name: string, content: string | Uint8Array): void => {
  writeFileSync(join(directory, name), content);
};

/** The log and the record of files, as far as a source has to do with them. */
class Reading {
  readonly table = new MemoryKeyValue();
  readonly stored: SourceChunk[] = [];
  /** Of the next read. */
  toStore = Infinity;

  async read(options: Partial<FolderSourceOptions> = {}): Promise<SourceChunk[]> {
    const chunks: SourceChunk[] = [];
    const source = folderSource({ directory, records: new StoredFileRecords(this.table), ...options });
    for await (const chunk of source.chunks(this)) {
      if (chunks.length === this.toStore) break;
      chunks.push(chunk);
      this.stored.push(chunk);
    }
    return chunks;
  }

  async last(): Promise<SourcePosition | undefined> {
    const last = this.stored.at(-1);
    return last === undefined ? undefined : { ...last, number: this.stored.length };
  }

  async all(): Promise<number> {
    return this.stored.length;
  }
}

const read = (options: Partial<FolderSourceOptions> = {}): Promise<SourceChunk[]> => new Reading().read(options);

/** After so many chunks the reader was killed. */
async function killedAfter(count: number, options: Partial<FolderSourceOptions> = {}): Promise<Reading> {
  const reading = new Reading();
  reading.toStore = count;
  await reading.read(options);
  reading.toStore = Infinity;
  return reading;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const textOfAll = (chunks: readonly SourceChunk[]): string => text(Buffer.concat(chunks.map(({ data }) => data)));
const lineEnds = (value: string): number => value.split('\n').length - 1;
const plain = (chunk: SourceChunk): object => ({ ...chunk, header: text(chunk.header), data: text(chunk.data) });

/** The grammar of connectors/csv/record-boundary once more, as a regular expression over the whole text. */
const FIELD = String.raw`(?:"(?:[^"]|"")*"(?=\r?\n|\r?$|,)|[^",\n]*)`;
const RECORD = new RegExp(String.raw`${FIELD}(?:,${FIELD})*\r?(?:\n|$)`, 'y');

function recordsOf(all: string): string[] {
  const records: string[] = [];
  for (let at = 0; at < all.length;) {
    RECORD.lastIndex = at;
    const lineFeed = all.indexOf('\n', at);
    const record = RECORD.exec(all)?.[0] ?? all.slice(at, lineFeed < 0 ? all.length : lineFeed + 1);
    records.push(record);
    at += record.length;
  }
  return records;
}

const lines = fc
  .array(fc.constantFrom('a', 'é', '😀', '"', '""', '",', ',"', ',', '\n', '\r\n', '\r', '"x\ny"', 'bcd,ef\n'), {
    maxLength: 60,
  })
  .map((parts) => parts.join(''));
const chunkSizes = fc.integer({ min: 1, max: 50 });
const names = fc.constantFrom('f.csv', 'f.csv.gz');
const HEADER = 'h,ü';

const store = (name: string, content: string): void => {
  put(name, name.endsWith('.gz') ? gzipSync(content) : content);
};

describe('chunks', () => {
  it('are the file, in whole records and with exact positions, whatever the chunk size', async () => {
    await fc.assert(
      fc.asyncProperty(lines, chunkSizes, names, fc.boolean(), async (body, chunkBytes, name, marked) => {
        rmSync(directory, { recursive: true });
        mkdirSync(directory);
        store(name, `${marked ? '\ufeff' : ''}${HEADER}\r\n${body}`);
        const chunks = await read({ chunkBytes });
        expect(textOfAll(chunks)).toBe(body);
        // What a reader of each chunk sees by itself is what a reader of the whole sees.
        expect(chunks.flatMap(({ data }) => recordsOf(text(data)))).toEqual(recordsOf(body));
        let offset = Buffer.byteLength(HEADER) + 2 + (marked ? 3 : 0);
        let line = 2;
        for (const [i, chunk] of chunks.entries()) {
          const isLast = i === chunks.length - 1;
          expect(text(chunk.header)).toBe(HEADER);
          expect(chunk.line).toBe(line);
          offset += chunk.data.length;
          line += lineEnds(text(chunk.data));
          expect(chunk).toMatchObject({
            nextOffset: offset,
            nextLine: line,
            endsEpoch: isLast,
            endsInput: isLast,
            file: name,
          });
          expect(chunk.data.length <= chunkBytes || recordsOf(text(chunk.data)).length === 1).toBe(true);
          expect(isLast || chunk.data.length > 0).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('go on after any of them with the same rest', async () => {
    await fc.assert(
      fc.asyncProperty(lines, lines, chunkSizes, names, async (one, two, chunkBytes, name) => {
        rmSync(directory, { recursive: true });
        mkdirSync(directory);
        store(name, `${HEADER}\n${one}`);
        store('g.jsonl', two);
        const chunks = await read({ chunkBytes });
        for (const i of chunks.keys()) {
          const reading = await killedAfter(i + 1, { chunkBytes });
          expect((await reading.read({ chunkBytes })).map(plain)).toEqual(chunks.slice(i + 1).map(plain));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are one epoch per file, in name order; hidden and other files are left out', async () => {
    put('b.csv', 'h\n1\n');
    put('B.jsonl', '{}\n{}');
    put('a-10.csv.gz', gzipSync('h\n2\n'));
    put('a-2.CSV', 'h\n3\n');
    put('.hidden.csv', 'h\n4\n');
    put('notes.txt', 'h\n5\n');
    mkdirSync(join(directory, 'folder.csv'));
    const chunks = await read();
    expect(chunks.map(({ file, format, data }) => [file, format, text(data)])).toEqual([
      ['B.jsonl', 'jsonl', '{}\n{}'],
      ['a-10.csv.gz', 'csv', '2\n'],
      ['a-2.CSV', 'csv', '3\n'],
      ['b.csv', 'csv', '1\n'],
    ]);
    expect(chunks.map(({ endsEpoch, endsInput }) => [endsEpoch, endsInput])).toEqual([
      ...Array(3).fill([true, false]),
      [true, true],
    ]);
  });

  it.each([
    ['a header only', 'h,i\n', { header: 'h,i', nextOffset: 4, nextLine: 2 }],
    ['a header without line end', 'h,i', { header: 'h,i', nextOffset: 3, nextLine: 2 }],
    ['no byte', '', { header: '', nextOffset: 0, nextLine: 1 }],
    ['a byte order mark only', '\ufeff', { header: '', nextOffset: 3, nextLine: 1 }],
  ])('of a file with %s are one, empty', async (_, content, expected) => {
    put('f.csv', content);
    const chunks = await read({ checkHeader: () => [] });
    expect(chunks.map(plain)).toEqual([
      {
        format: 'csv',
        file: 'f.csv',
        line: expected.nextLine,
        data: '',
        endsEpoch: true,
        endsInput: true,
        ...expected,
      },
    ]);
  });

  it('of JSONL end at line ends, quotes or not', async () => {
    put('f.jsonl', '\ufeff{"a":"\n"}\n{"b":1}\r\n');
    const chunks = await read({ chunkBytes: 8 });
    expect(chunks.map(({ data, line, nextOffset }) => [text(data), line, nextOffset])).toEqual([
      ['{"a":"\n', 1, 10],
      ['"}\n', 2, 13],
      ['{"b":1}\r\n', 3, 22],
    ]);
  });

  it('hand over the line of a quote that swallows the rest of a long file, and go on', async () => {
    const rows = '1,"two",3\n'.repeat(10).replaceAll('"', '') + 'x,y,z\n'.repeat(1_000_000);
    put('f.csv', `h,i,j\na,"b""c,d\n${rows}`);
    const chunks = await read();
    expect(text(chunks[0]!.data)).toBe('a,"b""c,d\n');
    expect(textOfAll(chunks.slice(1))).toBe(rows);
    expect(chunks.at(-1)).toMatchObject({ nextLine: 1_000_010 + 3, endsInput: true });
    expect(Math.max(...chunks.map(({ data }) => data.length))).toBeLessThanOrEqual(512 * 1024);
  });

  it('refuse a record of more than 4 MiB, by file and line', async () => {
    put('f.csv', `h\n1\n2\n${'x'.repeat(2 ** 22)}\n`);
    await expect(read()).rejects.toMatchObject({
      ...{ reaction: 'fatal', code: 'SOURCE_RECORD_TOO_LONG' },
      message: `${join(directory, 'f.csv')}, line 4: the record is longer than 4 MiB`,
    });
    put('f.csv', `h\n${'x'.repeat(2 ** 22 - 1)}\n`);
    expect((await read()).map(({ data }) => data.length)).toEqual([2 ** 22]);
  });

  it('are read only as far as they are taken, and one more', async () => {
    put('a.csv', 'h\n1\n2\n');
    put('b.csv', 'wrong\n1\n');
    const checked: string[] = [];
    const checkHeader = (header: Uint8Array): string[] => {
      checked.push(text(header));
      return [];
    };
    const reading = new Reading();
    const source = folderSource({
      directory,
      records: new StoredFileRecords(reading.table),
      chunkBytes: 2,
      checkHeader,
    });
    for await (const chunk of source.chunks(reading)) {
      expect(text(chunk.data)).toBe('1\n');
      await new Promise((resolve) => setTimeout(resolve, 20));
      break;
    }
    expect(checked).toEqual(['h']);
  });
});

describe('errors', () => {
  const fails = async (
    code: string,
    message: RegExp,
    options: Partial<FolderSourceOptions> = {},
    reading = new Reading(),
  ) => {
    const error: Error = await reading.read(options).then(
      () => new Error('it did not fail'),
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ reaction: 'fatal', code, hint: expect.any(String) });
    expect(error.message).toMatch(message);
  };

  it('name a folder that is not there, is a file, or has nothing to read', async () => {
    await fails('SOURCE_FOLDER', /there is no folder .*absent/, { directory: join(directory, 'absent') });
    await fails('SOURCE_EMPTY', /no \.csv, \.csv\.gz, \.jsonl or \.jsonl\.gz file/);
    put('f.csv', 'h\n');
    await fails('SOURCE_FOLDER', /is a file, not a folder/, { directory: join(directory, 'f.csv') });
  });

  it('name a file that cannot be read', async () => {
    mkdirSync(join(directory, 'sub'));
    symlinkSync(join(directory, 'sub'), join(directory, 'f.csv'));
    await fails('SOURCE_UNREADABLE', /cannot read .*f\.csv/);
    symlinkSync(join(directory, 'nowhere'), join(directory, 'e.csv'));
    await fails('SOURCE_UNREADABLE', /cannot read .*e\.csv/);
  });

  const gzipped = gzipSync(Buffer.from('h\n' + Array.from({ length: 50_000 }, (_, i) => `${i * 7919}\n`).join('')));
  it.each([
    [
      'truncated',
      gzipped.subarray(0, gzipped.length / 2),
      /ends in the middle of its gzip data: \d+ uncompressed bytes/,
    ],
    ['empty', gzipped.subarray(0, 0), /ends in the middle of its gzip data: 0 uncompressed bytes/],
    [
      'corrupt',
      Buffer.concat([gzipped.subarray(0, -8), Buffer.alloc(8)]),
      /holds broken gzip data: \d+ uncompressed bytes/,
    ],
    ['plain', Buffer.from('h\n1\n'), /holds broken gzip data: 0 uncompressed bytes/],
  ])('name a %s gzip file and how far it got', async (_, bytes, message) => {
    put('f.csv.gz', bytes);
    await fails('SOURCE_GZIP', message);
  });

  it('name the columns that a header lacks, and those it has', async () => {
    put('f.csv', '\ufeffa,b\r\n1,2\n');
    const checkHeader = (header: Uint8Array): string[] =>
      ['a', 'user_id'].filter((name) => !text(header).split(',').includes(name));
    await fails('SOURCE_HEADER', /f\.csv, line 1: the header lacks user_id; it has: a,b$/, { checkHeader });
  });

  it.each(['f.csv', 'f.csv.gz'])(
    'name a file (%s) that is gone or shorter when reading must go on in it',
    async (name) => {
      store(name, 'h\n1\n2\n3\n');
      store('g.csv', 'h\n4\n');
      const reading = await killedAfter(1, { chunkBytes: 2 });
      store(name, 'h\n1\n');
      await fails('SOURCE_POSITION', /f\.csv.* went on after byte 4 /, {}, reading);
      store(name, 'h\n');
      await fails('SOURCE_POSITION', /f\.csv.* went on after byte 4 /, {}, reading);
      unlinkSync(join(directory, name));
      await fails('SOURCE_POSITION', /f\.csv.*, from which reading must go on, is no longer there/, {}, reading);
    },
  );

  it.each(['f.csv', 'f.csv.gz'])('name a finished file (%s) that is not as long as it was', async (name) => {
    store(name, 'h\n1\n');
    put('g.csv', 'h\n2\n');
    for (const killed of [1, 2]) {
      store(name, 'h\n1\n');
      const reading = await killedAfter(killed);
      const { length } = readFileSync(join(directory, name));
      appendFileSync(join(directory, name), '3\n');
      const [was, is] = [`${length} bytes`, `has ${length + 2} now`];
      await fails('SOURCE_POSITION', new RegExp(`was read to its end at ${was}, and ${is}`), {}, reading);
      truncateSync(join(directory, name), 2);
      await fails('SOURCE_POSITION', new RegExp(`was read to its end at ${was}, and has 2 now`), {}, reading);
    }
  });

  it('name the folder when files that were to come are gone', async () => {
    put('f.csv', 'h\n1\n');
    put('g.csv', 'h\n2\n');
    const reading = await killedAfter(1);
    unlinkSync(join(directory, 'g.csv'));
    await fails('SOURCE_POSITION', /that come after f\.csv are no longer there/, {}, reading);
  });

  it('name a record that was lost or written over: files would be read again', async () => {
    put('f.csv', 'h\n1\n');
    put('g.csv', 'h\n2\n');
    const reading = await killedAfter(1);
    const [entry] = await reading.table.entries();
    await reading.table.put(entry!.key, Buffer.from('nonsense'));
    await fails('FILE_RECORD', /was not written by rivulet/, {}, reading);
    await reading.table.delete(entry!.key);
    await fails('FILE_RECORD', /f\.csv was read, and the record of files lacks it/, {}, reading);
  });
});

describe('a folder that has grown', () => {
  it('goes on with what is new, whatever its name; files that are done may be gone', async () => {
    for (const name of ['b', 'd']) put(`${name}.csv`, `h\n${name}\n`);
    const reading = new Reading();
    await reading.read();
    expect(await reading.read({ doneBefore: 2 })).toEqual([]);
    for (const name of ['a', 'c', 'e']) put(`${name}.csv`, `h\n${name}\n`);
    // Without it, the input is over.
    expect(await reading.read()).toEqual([]);
    unlinkSync(join(directory, 'b.csv'));
    reading.toStore = 1;
    await reading.read({ doneBefore: 2 });
    reading.toStore = Infinity;
    await reading.read({ doneBefore: 2 });
    expect(textOfAll(reading.stored)).toBe('b\nd\na\nc\ne\n');
    expect(reading.stored.map(({ endsInput }) => endsInput)).toEqual([false, true, false, false, true]);
    expect(await reading.read({ doneBefore: 2 })).toEqual([]);
  });
});
