/**
 * One file, CSV or JSONL, in chunks of complete records.
 *
 * Invariants
 *   FILE-CHUNKS-1  Chunks contain complete records, in order and without gaps: header, line ending and the data of all chunks, concatenated, are the
 *                  file (without a byte order mark).
 *   FILE-CHUNKS-2  A chunk is at most `chunkBytes` long unless it is a single record.
 *   FILE-CHUNKS-3  Memory: about one chunk; while searching for the end of a long record at most twice RECORD_BYTES_MAX.
 */
import { fatal } from '../../runtime/contract/errors.js';
import { type FileBytes, openBytes } from './file-bytes.js';
import {
  contentEnd,
  countLineEnds,
  lineEnd,
  RECORD_BYTES_MAX,
  recordEnd,
  UNDECIDED,
  wholeLinesEnd,
  wholeRecordsEnd,
} from './record-boundary.js';

export type FileFormat = 'csv' | 'jsonl';

export interface FileChunk {
  /** CSV: the first line, without its line ending and byte order mark; where that is a row: the first row. Empty in JSONL and for an empty file. */
  readonly header: Uint8Array;
  /** 1-based number of the first line in `data`. */
  readonly line: number;
  /** A view of a larger buffer; never overwritten. */
  readonly data: Buffer;
  /** Offset in the uncompressed file, and line number, of the next record. */
  readonly nextOffset: number;
  readonly nextLine: number;
  /** How much of the file, as it is stored, has been read: bytes. */
  readonly storedBytes: number;
  readonly endsFile: boolean;
}

export interface FileChunkOptions {
  readonly format: FileFormat;
  readonly chunkBytes: number;
  /** CSV: an ASCII character; default: the comma. */
  readonly delimiter?: string | undefined;
  /** CSV: false: the first line is a row like the others. */
  readonly hasHeader?: boolean | undefined;
  /** Returns the required columns that a CSV header lacks. */
  readonly checkHeader?: ((header: Uint8Array) => readonly string[]) | undefined;
  /** Resumes there: the values of the last chunk read. */
  readonly after?: { readonly nextOffset: number; readonly nextLine: number } | undefined;
}

/** The chunks of a file, at least one: an empty one when the file contains no record. */
export async function* fileChunks(path: string, options: FileChunkOptions): AsyncGenerator<FileChunk, void, undefined> {
  const bytes = await openBytes(path);
  try {
    const reader = new RecordReader(path, bytes, options);
    await reader.begin();
    for (;;) {
      const chunk = await reader.next();
      yield chunk;
      if (chunk.endsFile) return;
    }
  } finally {
    await bytes.close();
  }
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

class RecordReader {
  /** Data that was read but not returned is buffer[start, end); bytes before `start` are never overwritten. */
  private buffer: Buffer = Buffer.alloc(0);
  private start = 0;
  private end = 0;
  private atFileEnd = false;
  private header: Uint8Array = this.buffer;
  private offset = 0;
  private line = 1;

  constructor(
    private readonly path: string,
    private readonly bytes: FileBytes,
    private readonly options: FileChunkOptions,
  ) {}

  /** Reads the header, and moves to the position to resume from. */
  async begin(): Promise<void> {
    const { format, after } = this.options;
    await this.buffered(BYTE_ORDER_MARK.length);
    if (this.buffer.subarray(this.start, this.end).indexOf(BYTE_ORDER_MARK) === 0) this.drop(BYTE_ORDER_MARK.length);
    if (format === 'csv') await this.takeHeader();
    if (after !== undefined) await this.goTo(after.nextOffset, after.nextLine);
  }

  async next(): Promise<FileChunk> {
    const { chunkBytes, format, delimiter } = this.options;
    // One byte more than a chunk shows whether the chunk ends the file.
    await this.buffered(chunkBytes + 1);
    const limit = Math.min(this.end, this.start + chunkBytes);
    const wholeEnd = format === 'csv' ? wholeRecordsEnd : wholeLinesEnd;
    let length =
      wholeEnd(this.buffer, this.start, limit, this.atFileEnd && limit === this.end, delimiter?.charCodeAt(0)) -
      this.start;
    if (length === 0 && this.end > this.start) {
      length = await this.firstRecordLength();
      await this.buffered(length + 1);
    }
    const { line, header } = this;
    const data = this.buffer.subarray(this.start, this.start + length);
    this.drop(length);
    this.line += countLineEnds(data);
    const endsFile = this.atFileEnd && this.start === this.end;
    const { storedBytes } = this.bytes;
    return { header, line, data, nextOffset: this.offset, nextLine: this.line, storedBytes, endsFile };
  }

  /** Length of the record at `start`, when it is longer than a chunk or not complete in the buffer. */
  private async firstRecordLength(): Promise<number> {
    const { format, delimiter } = this.options;
    for (;;) {
      const available = this.end - this.start;
      const window = this.buffer.subarray(this.start, Math.min(this.end, this.start + RECORD_BYTES_MAX));
      const isEnd = this.atFileEnd && available === window.length;
      const length = (format === 'csv' ? recordEnd : lineEnd)(window, 0, isEnd, delimiter?.charCodeAt(0));
      if (length >= 0) return length;
      if (available <= RECORD_BYTES_MAX) {
        await this.buffered(Math.min(available * 2, RECORD_BYTES_MAX + 1));
        continue;
      }
      // An open quote extends over the longest possible record: it is malformed. A single line of that length is not text.
      const firstLine = lineEnd(window, 0, false);
      if (firstLine < 0) throw this.recordTooLong();
      return firstLine;
    }
  }

  private async takeHeader(): Promise<void> {
    const { hasHeader = true, delimiter } = this.options;
    const endOf = hasHeader ? lineEnd : recordEnd;
    let lineLength = UNDECIDED;
    for (let wanted = this.options.chunkBytes; lineLength < 0; wanted *= 2) {
      await this.buffered(wanted);
      const read = this.buffer.subarray(this.start, this.end);
      lineLength = endOf(read, 0, this.atFileEnd, delimiter?.charCodeAt(0));
      if (lineLength < 0 && wanted > RECORD_BYTES_MAX) throw this.recordTooLong();
    }
    // An empty file has no rows, so it needs no header.
    if (lineLength === 0) return;
    const line = this.buffer.subarray(this.start, this.start + lineLength);
    this.header = line.subarray(0, contentEnd(line, 0, lineLength));
    const missing = this.options.checkHeader?.(this.header) ?? [];
    if (missing.length > 0) throw this.columnsMissing(missing);
    if (!hasHeader) return;
    this.drop(lineLength);
    this.line = 2;
  }

  private async goTo(offset: number, line: number): Promise<void> {
    const available = this.end - this.start;
    const ahead = offset - this.offset;
    if (ahead < 0) throw this.positionLost(`has a longer header now than when it was read up to byte ${offset}`);
    if (ahead <= available) this.drop(ahead);
    else {
      this.drop(available);
      this.atFileEnd = !(await this.bytes.skip(ahead - available));
      this.offset = offset;
    }
    this.line = line;
    // The previous chunk promised more data.
    if (!this.atFileEnd) await this.buffered(1);
    if (this.end === this.start)
      throw this.positionLost(`went on after byte ${offset} when it was read, and now does not`);
  }

  /** Reads until at least `count` bytes are buffered, or the file has ended. */
  private async buffered(count: number): Promise<void> {
    while (this.end - this.start < count && !this.atFileEnd) {
      if (this.buffer.length - this.start < count) this.makeRoom(Math.max(count, this.options.chunkBytes + 1));
      const read = await this.bytes.read(this.buffer, this.end, this.buffer.length);
      this.end += read;
      this.atFileEnd = read === 0;
    }
  }

  private makeRoom(count: number): void {
    const next = Buffer.allocUnsafe(count);
    this.end = this.buffer.copy(next, 0, this.start, this.end);
    this.start = 0;
    this.buffer = next;
  }

  private drop(count: number): void {
    this.start += count;
    this.offset += count;
  }

  private recordTooLong(): Error {
    const where = `${this.path}, line ${this.line}`;
    return fatal('SOURCE_RECORD_TOO_LONG', `${where}: the record is longer than ${RECORD_BYTES_MAX / 2 ** 20} MiB`, {
      hint: 'check that the file is text with a line end after each record',
    });
  }

  private columnsMissing(missing: readonly string[]): Error {
    const found = Buffer.from(this.header).toString();
    return fatal(
      'SOURCE_HEADER',
      `${this.path}, line 1: the header lacks ${missing.join(', ')}; it has: ${found.slice(0, 1000)}`,
      {
        hint: 'the first line must name the columns; add or rename the ones that are missing',
      },
    );
  }

  private positionLost(what: string): Error {
    return fatal('SOURCE_POSITION', `${this.path} ${what}`, {
      hint: 'put the file back as it was, or do the job anew (rivulet replay --restart)',
    });
  }
}
