/** What is published when a dead letter is retried, and to which subject. */
import { type DeadLetter, originalText } from './record.js';
import { poison, type RivuletError } from '../contract/errors.js';
import { nearest } from '../config/nearest.js';
import { parseExact } from '../contract/exact-json.js';
import { EVENTS_SUBJECT, ITEMS_SUBJECT } from '../contract/streams.js';

/** The original as it is, with fields of its JSON object set, or replaced by other bytes. */
export type Change =
  | { readonly kind: 'none' }
  | { readonly kind: 'set'; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly kind: 'event'; readonly data: Uint8Array };

const SHOWN_CHARACTERS_MAX = 40;
const PREFIX = EVENTS_SUBJECT.slice(0, -1);
const ITEMS_PREFIX = ITEMS_SUBJECT.slice(0, -1);
/** The server's subject transform of the events subjects. */
const TRANSFORMED = /^rivulet\.[a-z-]+\.\d+\.events\./;
/** For records from files, which have no subject of their own. */
const RETRY_SUBJECT = `${PREFIX}retry`;

/** How the stage that refused a record would judge another one. */
export interface RetryRules {
  /** The names of all fields that it reads. */
  fieldsOf(stage: string): readonly string[];
  /** Why it would refuse an event that is published now; `undefined`: it would not. */
  faultOf(stage: string, data: Uint8Array, nowMs: number): string | undefined;
}

/** To set a field in more takes longer than others may wait; parse takes no such event. */
const SET_BYTES_MAX = 2 ** 18;

/** Poison DEAD_LETTER_CHANGE. */
export function eventOf(record: DeadLetter, change: Change, rules: RetryRules | undefined): Uint8Array {
  if (change.kind === 'event') return change.data;
  const { id, original, file } = record;
  const text = original.length > SET_BYTES_MAX ? undefined : originalText(record);
  const event = text === undefined ? undefined : jsonObject(text);
  if (change.kind === 'none') {
    if (file === undefined || event !== undefined) return original;
    throw unchangeable(`${id} is a row of ${file}, which cannot be read without its header`);
  }
  if (event === undefined)
    throw unchangeable(`${id} is no JSON object, of at most 256 KiB, in which a field could be set`);
  const known = rules === undefined ? undefined : new Set([...rules.fieldsOf(record.stage), ...Object.keys(event)]);
  const unknown = Object.keys(change.fields).filter((field) => known?.has(field) === false);
  if (unknown.length > 0) throw poison('DEAD_LETTER_CHANGE', unknown.map((field) => notRead(field, known!)).join('; '));
  for (const [field, value] of Object.entries(change.fields)) {
    if (Number.isInteger(value) && !Number.isSafeInteger(value))
      throw poison('DEAD_LETTER_CHANGE', `${field} is a number that is too large to be stored exactly`, {
        hint: 'give it as text',
      });
  }
  try {
    return Buffer.from(JSON.stringify({ ...event, ...change.fields }));
  } catch (error) {
    // Deeply nested JSON may be parsed and still be too deep to be written.
    if (!(error instanceof RangeError)) throw error;
    throw unchangeable(`${id} is nested too deeply for a field to be set in it`);
  }
}

/** Poison DEAD_LETTER_INTERNAL. */
export function subjectFor({ id, subject, file }: DeadLetter): string {
  if (file !== undefined) return RETRY_SUBJECT;
  const published = subject.replace(TRANSFORMED, PREFIX);
  if (published.startsWith(PREFIX) || published.startsWith(ITEMS_PREFIX)) return published;
  throw poison(
    'DEAD_LETTER_INTERNAL',
    `${id} is a message between stages (${subject}), not an event or an item that was published`,
    { hint: 'it shows a bug: report it, with the output of rivulet dlq show' },
  );
}

function notRead(field: string, known: Iterable<string>): string {
  const meant = nearest(field, known);
  return `${JSON.stringify(field.slice(0, SHOWN_CHARACTERS_MAX))} is no field that is read${meant === undefined ? '' : `: did you mean ${meant}?`}`;
}

const unchangeable = (message: string): RivuletError =>
  poison('DEAD_LETTER_CHANGE', message, { hint: 'send the complete corrected event' });

/** `undefined`: the text is none. */
function jsonObject(text: string): object | undefined {
  try {
    const value = parseExact(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
