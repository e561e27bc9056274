/** The rows of a CSV file as strings, one by one: for tables and for publishing, where simplicity matters more than speed. */
import { isUtf8 } from 'node:buffer';
import { CHUNK_BYTES } from './folder-source.js';
import { type FileChunk, fileChunks, type FileFormat } from './file-chunks.js';
import { contentEnd, lineEnd, recordEnd } from './record-boundary.js';

export interface TextRecord {
  /** 1-based number of its first line. */
  readonly line: number;
  /** Without its line ending. */
  readonly text: string;
  /** Its bytes are not valid UTF-8, so the text differs from them. */
  readonly isDamaged?: true;
}

/** The records of a file without blank lines; CSV: the header first, as line 1. */
export async function* textRecords(path: string, format: FileFormat): AsyncGenerator<TextRecord, void, undefined> {
  let isFirst = true;
  for await (const chunk of fileChunks(path, { format, chunkBytes: CHUNK_BYTES })) {
    if (isFirst && chunk.header.length > 0) yield textRecord(1, chunk.header);
    isFirst = false;
    yield* recordsIn(chunk, format);
  }
}

/** The records of a chunk without blank lines. */
export function* recordsIn(
  { data, line: firstLine }: FileChunk,
  format: FileFormat,
  delimiter?: string,
): Generator<TextRecord, void, undefined> {
  const endOf = format === 'csv' ? recordEnd : lineEnd;
  let line = firstLine;
  for (let at = 0; at < data.length;) {
    // A chunk ends at the end of a record.
    const next = endOf(data, at, true, delimiter?.charCodeAt(0));
    const end = contentEnd(data, at, next);
    if (end > at) yield textRecord(line, data.subarray(at, end));
    for (let i = at; i < next; i++) if (data[i] === 0x0a) line++;
    at = next;
  }
}

function textRecord(line: number, bytes: Uint8Array): TextRecord {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  return isUtf8(bytes) ? { line, text } : { line, text, isDamaged: true };
}

export const NOT_UTF8 = 'it is not UTF-8: convert the file, as in iconv -f WINDOWS-1252 -t UTF-8';

export const BROKEN_QUOTE =
  'a quote is not closed or stands inside an unquoted value: quote the whole value and double the quotes in it';

/** The fields of a record; `undefined` when its quotes are malformed (./record-boundary). */
export function fieldsOf(text: string, delimiter = ','): string[] | undefined {
  const fields: string[] = [];
  for (let at = 0; ;) {
    let end;
    if (text[at] === '"') {
      let close = text.indexOf('"', at + 1);
      while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
      if (close < 0) return undefined;
      fields.push(text.slice(at + 1, close).replaceAll('""', '"'));
      end = close + 1;
    } else {
      const next = text.indexOf(delimiter, at);
      end = next < 0 ? text.length : next;
      const field = text.slice(at, end);
      if (field.includes('"')) return undefined;
      fields.push(field);
    }
    if (end === text.length) return fields;
    if (text[end] !== delimiter) return undefined;
    at = end + 1;
  }
}
