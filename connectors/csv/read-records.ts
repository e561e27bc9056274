/** read-records: a CSV or JSONL file, plain or gzipped, as the objects that `rivulet publish` sends. */
import { fatal } from '../../runtime/contract/errors.js';
import { parseExact } from '../../runtime/contract/exact-json.js';
import { BROKEN_QUOTE, fieldsOf, NOT_UTF8, type TextRecord, textRecords } from './csv-rows.js';
import type { FileFormat } from './file-chunks.js';
import { formatOf } from './folder-source.js';

export interface GoodRecord {
  /** 1-based number of its first line. */
  readonly line: number;
  /** The unchanged text of the record. */
  readonly text: string;
  /** CSV: field by column name, all strings, absent ones empty. JSONL: the parsed value. */
  readonly record: unknown;
  readonly problem?: undefined;
}

/** An invalid record: its text and the error. The caller decides whether to stop or to send it unchanged. */
export interface BadRecord extends TextRecord {
  readonly record?: undefined;
  readonly problem: string;
}

export type FileRecord = GoodRecord | BadRecord;

/** The records of a file in order, without blank lines; the format follows from the name unless given. Fatal SOURCE_… as in folder-source. */
export async function* readRecords(
  path: string,
  format: FileFormat | undefined = formatOf(path),
): AsyncGenerator<FileRecord, void, undefined> {
  if (format === undefined) {
    throw fatal('SOURCE_FORMAT', `cannot tell from its name what ${path} holds`, {
      hint: 'say --format csv or --format jsonl',
    });
  }
  let toRecord = format === 'jsonl' ? fromJson : undefined;
  for await (const record of textRecords(path, format)) {
    if (toRecord === undefined) toRecord = fromRow(columnsOf(path, record));
    else yield record.isDamaged === true ? { ...record, problem: NOT_UTF8 } : toRecord(record);
  }
}

function fromJson({ line, text }: TextRecord): FileRecord {
  try {
    return { line, text, record: parseExact(text) };
  } catch (error) {
    return { line, text, problem: `not JSON: ${(error as Error).message}` };
  }
}

function fromRow(columns: readonly string[]): (row: TextRecord) => FileRecord {
  return ({ line, text }) => {
    const fields = fieldsOf(text);
    if (fields === undefined) return { line, text, problem: BROKEN_QUOTE };
    if (fields.length !== columns.length) {
      const why = fields.length < columns.length ? 'is an absent one left out?' : 'is a comma unquoted?';
      return { line, text, problem: `the row has ${fields.length} fields, the header has ${columns.length}: ${why}` };
    }
    const record: Record<string, string> = {};
    for (let c = 0; c < columns.length; c++) record[columns[c]!] = fields[c]!;
    return { line, text, record };
  };
}

/** The column names of a header row. */
export function columnsOf(path: string, { text, isDamaged }: TextRecord): string[] {
  const columns = fieldsOf(text)?.map((name) => name.trim());
  const twice = columns?.find((name, at) => columns.indexOf(name) < at);
  const named = twice === undefined ? undefined : `it names "${twice}" twice`;
  const problem = isDamaged === true ? NOT_UTF8 : columns === undefined ? BROKEN_QUOTE : named;
  if (problem !== undefined) throw fatal('SOURCE_HEADER', `${path}, line 1: the header cannot be read: ${problem}`);
  return columns!;
}
