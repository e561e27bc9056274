/** The rows of a CSV file as strings, one by one: for tables and for publishing, where ease counts for more than speed. */
import { CHUNK_BYTES } from './folder-source.js';
import { type FileChunk, fileChunks, type FileFormat } from './file-chunks.js';
import { contentEnd, lineEnd, recordEnd } from './record-boundary.js';

export interface TextRecord {
  /** 1-based number of its first line. */
  readonly line: number;
  /** Without its line end. */
  readonly text: string;
}

/** The records of a file, blank lines left out; CSV: the header first, as line 1. */
export async function* textRecords(path: string, format: FileFormat): AsyncGenerator<TextRecord, void, undefined> {
  const endOf = format === 'csv' ? recordEnd : lineEnd;
  let isFirst = true;
  for await (const chunk of fileChunks(path, { format, chunkBytes: CHUNK_BYTES })) {
    if (isFirst && chunk.header.length > 0) yield { line: 1, text: Buffer.from(chunk.header).toString() };
    isFirst = false;
    yield* recordsIn(chunk, endOf);
  }
}

function* recordsIn(
  { data, line: firstLine }: FileChunk,
  endOf: typeof recordEnd,
): Generator<TextRecord, void, undefined> {
  let line = firstLine;
  for (let at = 0; at < data.length;) {
    // A chunk ends where a record does.
    const next = endOf(data, at, true);
    const text = data.toString('utf8', at, contentEnd(data, at, next));
    if (text !== '') yield { line, text };
    for (let i = at; i < next; i++) if (data[i] === 0x0a) line++;
    at = next;
  }
}

export const BROKEN_QUOTE =
  'a quote is not closed or stands inside an unquoted value: quote the whole value and double the quotes in it';

/** The fields of a record; `undefined` when a quote in it breaks it (./record-boundary). */
export function fieldsOf(text: string): string[] | undefined {
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
      const comma = text.indexOf(',', at);
      end = comma < 0 ? text.length : comma;
      const field = text.slice(at, end);
      if (field.includes('"')) return undefined;
      fields.push(field);
    }
    if (end === text.length) return fields;
    if (text[end] !== ',') return undefined;
    at = end + 1;
  }
}
