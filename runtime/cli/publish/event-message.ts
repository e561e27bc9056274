/**
 * A record of a file as the message that a publisher would send: JSON on rivulet.events.<type>.<user>; a line of JSONL is unchanged.
 *
 * Records that a node would refuse go to rivulet.events.unknown, so that they reach the dead letters, where they can be fixed.
 */
import { type EventReader, isFault } from '../../../actors/formats/event-reader.js';
import type { Fault } from '../../../actors/formats/fault.js';
import { FIELDS } from '../../../actors/formats/fields.js';
import { afterLastByte, firstByte } from '../../../actors/formats/json.js';
import type { Schema } from '../../../actors/formats/schema.js';
import type { FileRecord } from '../../../connectors/csv/read-records.js';
import { utf8 } from '../../frames/bytes.js';
import { eventSubject } from '../../node/publisher.js';
import { csvNumber } from './csv-number.js';

export interface FileMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly contentType?: string;
  /** For pacing; `undefined` if unknown. */
  readonly timeMs?: number;
  /** Why a node will refuse it. */
  readonly fault?: Fault;
}

export const UNKNOWN_SUBJECT = 'rivulet.events.unknown';
/** Set for refused records: otherwise an array on a line would be read as several events. */
export const ONE_LINE = 'application/x-ndjson';

export function eventMessage(
  file: FileRecord,
  format: 'csv' | 'jsonl',
  reader: EventReader,
  nowMs: number,
): FileMessage {
  const data =
    format === 'csv'
      ? utf8(JSON.stringify(fromCsv(file.record as Readonly<Record<string, string>>, reader.schema)))
      : withoutSpace(utf8(file.text));
  const event = reader.json(data, nowMs);
  if (isFault(event)) return { subject: UNKNOWN_SUBJECT, data, contentType: ONE_LINE, fault: event };
  return { subject: eventSubject(event.type, event.userId), data, timeMs: event.timeMs };
}

const withoutSpace = (line: Uint8Array): Uint8Array => {
  const start = firstByte(line, 0, line.length);
  return line.subarray(start, afterLastByte(line, start, line.length));
};

/** Empty columns are absent; numeric fields become numbers. Text that is not a number stays text, and is refused with its name. */
function fromCsv(row: Readonly<Record<string, string>>, { names }: Schema): Readonly<Record<string, unknown>> {
  const isNumber = (name: string): boolean =>
    names[FIELDS.indexOf('price')]!.includes(name) || names[FIELDS.indexOf('rating')]!.includes(name);
  const fields: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(row)) {
    const value = isNumber(name) ? csvNumber(text) : text;
    if (value !== undefined && value !== '') fields[name] = value;
  }
  return fields;
}
