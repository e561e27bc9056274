/**
 * `rivulet import csv`: which columns of a file are which fields of an event, for files with names, words and times of their own.
 *
 * A field is a column, or the same value in all rows; other columns are ignored. Values are then checked as those of all events.
 */
import { wrongColumns } from '../../../actors/formats/csv-header.js';
import { BROKEN_ROW } from '../../../actors/formats/csv-quoted.js';
import type { EventWriter } from '../../../actors/formats/event-writer.js';
import type { Fault } from '../../../actors/formats/fault.js';
import { EVENT_TIME, EVENT_TYPE, type FieldName, FIELDS } from '../../../actors/formats/fields.js';
import { BROKEN_QUOTE, fieldsOf, NOT_UTF8, recordsIn, type TextRecord } from '../../../connectors/csv/csv-rows.js';
import type { FileChunk } from '../../../connectors/csv/file-chunks.js';
import { fatal } from '../../contract/errors.js';
import { utf8 } from '../../frames/bytes.js';
import { usage } from '../exit.js';
import { type CsvColumns, delimiterOf } from './csv-options.js';

const MS: Readonly<Record<string, number>> = { s: 1000, ms: 1 };
const NUMBER = /^-?\d+(\.\d+)?$/;
const SHOWN_MAX = 40;
const ROW_SHOWN_MAX = 1000;

export class CsvRows {
  private readonly delimiter: string;
  private readonly impliesRating: boolean;
  private columns = 0;
  /** Of each field: the index of its column. */
  private places: readonly (readonly [field: number, place: number])[] = [];
  private readonly constants: readonly (readonly [field: number, value: Uint8Array])[];

  constructor(
    private readonly given: CsvColumns,
    private readonly path: string,
    private readonly writer: EventWriter,
  ) {
    const has = (field: FieldName): boolean => given.map.has(field) || given.set.has(field);
    this.delimiter = delimiterOf(given, path);
    this.impliesRating = has('rating') && !has('event_type');
    this.constants = [...given.set].map(([field, value]) => [FIELDS.indexOf(field), utf8(value)]);
  }

  /** Fatal USAGE when the columns of the file are not those that are mapped, or too few are. `first`: the first line of the file. */
  readonly checkHeader = (first: Uint8Array): string[] => {
    const { given, path, impliesRating } = this;
    const fields = fieldsOf(new TextDecoder().decode(first), this.delimiter);
    if (fields === undefined)
      throw fatal('SOURCE_HEADER', `${path}, line 1: the columns cannot be read: ${BROKEN_QUOTE}`);
    const names = given.hasHeader ? fields.map((name) => name.trim()) : fields.map((_, i) => String(i + 1));
    const shown = given.hasHeader ? names : fields.map((value, i) => `${i + 1} (${JSON.stringify(value)})`);
    const has = `it has ${shown.join(', ').slice(0, ROW_SHOWN_MAX)}`;
    const required = [impliesRating ? 'rating' : 'event_type', 'event_time', 'user_id', 'item_id'] as const;
    const missing = required.filter((field) => !given.map.has(field) && !given.set.has(field));
    if (missing.length > 0) {
      throw usage(
        `no column of ${path} is mapped to ${missing.join(', ')}; ${has}`,
        `give each its column, as in --map ${missing[0]}=COLUMN, or a value for all rows, as in --set ${missing[0]}=VALUE`,
      );
    }
    for (const [field, name] of given.map) {
      if (given.set.has(field)) throw usage(`${field} is in --map and in --set`, 'give it in one of them');
      const found = names.filter((one) => one === name).length;
      if (found !== 1)
        throw usage(
          `${path} has ${found === 0 ? 'no' : 'more than one'} column ${name}, which is mapped to ${field}; ${has}`,
          found === 0 ? 'give the columns as they are called there' : 'rename them in the file',
        );
    }
    this.columns = fields.length;
    this.places = [...given.map].map(([field, name]) => [FIELDS.indexOf(field), names.indexOf(name)]);
    return [];
  };

  read(chunk: FileChunk, onRefused: (line: number, fault: Fault) => void): void {
    for (const record of recordsIn(chunk, 'csv', this.delimiter)) {
      const fault = this.readRow(record);
      if (fault !== undefined) onRefused(record.line, fault);
    }
  }

  private readRow({ line, text, isDamaged }: TextRecord): Fault | undefined {
    const { writer, delimiter, columns } = this;
    if (isDamaged === true) return { rule: 'invalid_utf8', reason: NOT_UTF8 };
    const values = fieldsOf(text, delimiter);
    if (values === undefined) return BROKEN_ROW;
    if (values.length !== columns) {
      const what = delimiter === ',' ? 'a comma' : delimiter === '\t' ? 'a tab' : JSON.stringify(delimiter);
      return wrongColumns(values.length, columns, what);
    }
    writer.line = line;
    writer.clear();
    for (const [field, value] of this.constants) writer.copy(field, value, 0, value.length);
    for (const [field, place] of this.places) {
      const value = this.valueOf(field, values[place]!);
      if (typeof value !== 'string') return value;
      const bytes = utf8(value);
      writer.copy(field, bytes, 0, bytes.length);
    }
    const fault = writer.writeText(writer.scratch, this.impliesRating, false);
    if (fault?.rule !== 'unknown_event_type') return fault;
    return { ...fault, reason: `${fault.reason}, or say with --type-map which of them it is` };
  }

  private valueOf(field: number, text: string): string | Fault {
    if (field === EVENT_TYPE) return this.given.types.get(text) ?? text;
    if (field !== EVENT_TIME || text === '') return text;
    const { time } = this.given;
    const refused = (wanted: string): Fault => ({
      rule: 'time_invalid',
      field: 'event_time',
      reason: `event_time is ${JSON.stringify(text.slice(0, SHOWN_MAX))}: --time ${time} wants ${wanted}`,
    });
    const unit = MS[time];
    if (unit === undefined) return time === 'auto' || text[4] === '-' ? text : refused('ISO 8601');
    const date = new Date(NUMBER.test(text) ? Math.round(Number(text) * unit) : NaN);
    return Number.isNaN(date.getTime())
      ? refused(`epoch ${time === 's' ? 'seconds' : 'milliseconds'}`)
      : date.toISOString();
  }
}
