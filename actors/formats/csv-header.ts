/** The header line of a CSV file: maps columns to fields, and checks that files with this header can be read. */
import { textOf, utf8 } from '../../runtime/contract/stage.js';
import type { EventWriter } from './event-writer.js';
import { type Fault, fieldsDisagree } from './fault.js';
import { IGNORED } from './fields.js';
import type { Alias, Schema } from './schema.js';

export interface CsvHeader {
  readonly columns: number;
  /** The writer's slot for each column, and one more for columns that are ignored. */
  readonly slots: Uint8Array;
  /** Columns with an alternative name of a field: [slot, field]. */
  readonly seconds: readonly (readonly [slot: number, field: number])[];
  readonly impliesRating: boolean;
  /** An error of the header, which makes every row invalid. */
  readonly fault: Fault | undefined;
  /** Neither a fault nor alternative names: a row of the right length needs no further checks. */
  readonly plain: boolean;
}

export function readHeader(header: Uint8Array, schema: Schema): CsvHeader {
  const names = columnNames(header);
  const slots = new Uint8Array(names.length + 1).fill(IGNORED);
  const seconds: [slot: number, field: number][] = [];
  const known: Alias[] = [];
  let fault: Fault | undefined;
  for (const [column, alias] of aliases(names, schema).entries()) {
    if (alias === undefined) continue;
    const { field, name } = alias;
    if (known.includes(alias)) {
      fault ??= { rule: 'csv_duplicate_columns', reason: `the header names ${name} twice: name each column once` };
      continue;
    }
    if (known.some((other) => other.field === field)) {
      seconds.push([IGNORED + 1 + seconds.length, field]);
      slots[column] = IGNORED + seconds.length;
    } else slots[column] = field;
    known.push(alias);
  }
  const missing = schema.missing(known);
  if (missing.length > 0) {
    const reason = `the header lacks ${missing.join(', ')}: add the columns, or name the schema they are called by`;
    fault = { rule: 'csv_missing_columns', reason };
  }
  return {
    columns: names.length,
    slots,
    seconds,
    impliesRating: schema.impliesRating || known.some(({ impliesRating }) => impliesRating),
    fault,
    plain: fault === undefined && seconds.length === 0,
  };
}

/** Of a header line the required columns that it lacks, by their names in the schema; empty: the file can be read. */
export const missingColumns =
  (schema: Schema) =>
  (header: Uint8Array): string[] =>
    schema.missing(aliases(columnNames(header), schema).filter((alias) => alias !== undefined));

const aliases = (names: readonly string[], schema: Schema): (Alias | undefined)[] =>
  names.map((name) => {
    const bytes = utf8(name);
    return schema.find(bytes, 0, bytes.length);
  });

/** `what`: one delimiter. */
export function wrongColumns(columns: number, wanted: number, what = 'a comma'): Fault {
  const few = columns < wanted;
  const fix = few ? 'write the absent ones as empty' : `quote a value that holds ${what}`;
  return {
    rule: few ? 'csv_too_few_columns' : 'csv_too_many_columns',
    reason: `the row has ${columns} columns and the header ${wanted}: ${fix}`,
  };
}

/** The error of a row, found before its values are read. */
export function rowFault(
  header: CsvHeader,
  columns: number,
  bytes: Uint8Array,
  writer: EventWriter,
): Fault | undefined {
  if (header.fault !== undefined) return header.fault;
  if (columns !== header.columns) return wrongColumns(columns, header.columns);
  for (const [slot, field] of header.seconds) {
    if (!writer.takeSecond(slot, field, bytes)) return fieldsDisagree(field, writer.schema.names[field]!);
  }
  return undefined;
}

const NAME = /(?:"((?:[^"]|"")*)"|([^,]*))(,|$)/g;

/** The names in a header line, without quotes and surrounding spaces. */
function columnNames(header: Uint8Array): string[] {
  const line = textOf(header).replace(/\r?\n?$/, '');
  const names: string[] = [];
  for (const [, quoted, bare, delimiter] of line.matchAll(NAME)) {
    names.push((quoted?.replaceAll('""', '"') ?? bare ?? '').trim());
    if (delimiter === '') break;
  }
  return names;
}
