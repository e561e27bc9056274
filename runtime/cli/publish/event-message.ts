/**
 * A record of a file as the message that a publisher would send: JSON on rivulet.events.<type>.<user>.
 *
 * What has no type or user that can be recognised goes to rivulet.events.unknown as it is, so that the dead-letter queue explains it.
 */
import { type FieldName, FIELDS } from '../../../actors/formats/fields.js';
import { Schema } from '../../../actors/formats/schema.js';
import { EVENT_TYPES } from '../../../actors/model.js';
import type { FileRecord } from '../../../connectors/csv/read-records.js';
import { utf8 } from '../../frames/bytes.js';
import { eventSubject } from '../../node/publisher.js';
import { csvNumber } from './csv-number.js';

export interface EventMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** For pacing; `undefined` when it cannot be told. */
  readonly timeMs: number | undefined;
}

export const UNKNOWN_SUBJECT = 'rivulet.events.unknown';

const schema = new Schema('auto');
const namesOf = (field: FieldName): readonly string[] => schema.names[FIELDS.indexOf(field)]!;
const NAMES = { type: namesOf('event_type'), time: namesOf('event_time'), user: namesOf('user_id') };
/** Fields that are numbers in JSON and text in CSV. */
const NUMERIC = new Set([...namesOf('price'), ...namesOf('rating')]);
const TIMES = new Set(NAMES.time);
const TYPES: ReadonlySet<string> = new Set(EVENT_TYPES);

type Fields = Readonly<Record<string, unknown>>;

export function eventMessage(file: FileRecord, format: 'csv' | 'jsonl'): EventMessage {
  if (file.problem !== undefined) return unknown(utf8(file.text));
  const { record } = file;
  if (typeof record !== 'object' || record === null || Array.isArray(record))
    return unknown(utf8(JSON.stringify(record)));
  const fields = format === 'csv' ? fromCsv(record as Readonly<Record<string, string>>) : (record as Fields);
  const data = utf8(JSON.stringify(fields));
  const [type, user] = [typeOf(fields), first(fields, NAMES.user)];
  if (type === undefined || user === undefined) return unknown(data);
  return { subject: eventSubject(type, String(user)), data, timeMs: timeOf(first(fields, NAMES.time)) };
}

const unknown = (data: Uint8Array): EventMessage => ({ subject: UNKNOWN_SUBJECT, data, timeMs: undefined });

/** Absent where empty; numbers where the event has numbers. What should be one and is not stays text, and is refused with its name. */
function fromCsv(row: Readonly<Record<string, string>>): Fields {
  const fields: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(row)) {
    if (text === '') continue;
    const isNumber = NUMERIC.has(name) || (TIMES.has(name) && /^\d+(\.\d+)?$/.test(text));
    const value = isNumber ? csvNumber(text) : text;
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}

function first(fields: Fields, names: readonly string[]): string | number | undefined {
  const name = names.find(
    (candidate) => fields[candidate] !== undefined && fields[candidate] !== null && fields[candidate] !== '',
  );
  const value = name === undefined ? undefined : fields[name];
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}

function typeOf(fields: Fields): string | undefined {
  const said = first(fields, NAMES.type);
  if (said !== undefined) return TYPES.has(String(said)) ? String(said) : undefined;
  // MovieLens: every row is a rating.
  return 'movieId' in fields || 'movie_id' in fields ? 'rating' : undefined;
}

const MILLISECONDS_FROM = 1e11;

function timeOf(value: string | number | undefined): number | undefined {
  if (typeof value === 'number') return value < MILLISECONDS_FROM ? value * 1000 : value;
  const ms = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
