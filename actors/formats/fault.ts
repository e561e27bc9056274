/** Why the parse or parse-items stage refuses an input: a stable rule to count and match by, the field, and a message with the remedy. */
import { textOf } from '../../runtime/contract/stage.js';
import type { ItemFieldName } from './item-fields.js';
import { EVENT_ID, EVENT_TIME, EVENT_TYPE, type FieldName, FIELDS, POSITION, PRICE, RATING_VALUE } from './fields.js';
import { EVENT_TYPES } from '../model.js';
import { type EventRules, POSITION_MAX } from './limits.js';

export type Rule =
  // The whole message or chunk.
  | 'empty_message'
  | 'message_too_large'
  | 'too_many_events'
  | 'too_many_items'
  | 'unknown_format'
  // Its form.
  | 'json_invalid'
  | 'json_not_object'
  | 'protobuf_invalid'
  | 'csv_missing_columns'
  | 'csv_duplicate_columns'
  | 'csv_too_few_columns'
  | 'csv_too_many_columns'
  | 'csv_broken_quote'
  // The event.
  | 'missing_field'
  | 'wrong_type'
  | 'fields_disagree'
  | 'unknown_event_type'
  | 'time_invalid'
  | 'time_before_1970'
  | 'time_in_future'
  | 'number_invalid'
  | 'price_negative'
  | 'rating_out_of_range'
  | 'position_out_of_range'
  | 'uuid_invalid'
  | 'id_invalid'
  | 'text_too_long'
  | 'control_characters'
  | 'invalid_utf8';

export interface Fault {
  readonly rule: Rule;
  readonly reason: string;
  /** Absent when the error concerns the whole input. */
  readonly field?: FieldName | ItemFieldName;
}

const SHOWN_BYTES_MAX = 40;

const NUMBER = /^-?\d+(\.\d*)?(e[+-]?\d+)?$/i;

/** The beginning of a value for a reason, quoted unless it is a number. */
export const shown = (bytes: Uint8Array, start: number, end: number): string =>
  beginning(bytes, start, end, (text) => (NUMBER.test(text) ? text : JSON.stringify(text)));

/** The same for a value that includes its own quotes: JSON. */
export const shownAsItIs = (bytes: Uint8Array, start: number, end: number): string =>
  beginning(bytes, start, end, (text) => text);

function beginning(bytes: Uint8Array, start: number, end: number, show: (text: string) => string): string {
  const text = show(textOf(bytes, start, Math.min(end, start + SHOWN_BYTES_MAX)));
  return end - start > SHOWN_BYTES_MAX ? `${text}…` : text;
}

const fault = (rule: Rule, field: number, reason: string): Fault => ({ rule, field: FIELDS[field]!, reason });

/** All missing fields; `names`: of each field. */
export function missing(fields: readonly number[], names: readonly (readonly string[])[]): Fault {
  const [first = EVENT_TYPE, ...others] = fields;
  if (others.length === 0)
    return fault(
      'missing_field',
      first,
      `${FIELDS[first]!} is missing or empty: send it as ${names[first]!.join(' or ')}`,
    );
  const all = fields.map((field) => FIELDS[field]!);
  const last = all.pop()!;
  return fault('missing_field', first, `${all.join(', ')} and ${last} are missing or empty: send each of them`);
}

export const wrongType = (field: number, is: string, wanted: string): Fault =>
  fault('wrong_type', field, `${FIELDS[field]!} is ${is}: send ${wanted}`);

export const fieldsDisagree = (field: number, names: readonly string[]): Fault =>
  fault(
    'fields_disagree',
    field,
    `${FIELDS[field]!} is given more than once (${names.join(', ')}), differently: send one`,
  );

export const unknownEventType = (is: string): Fault =>
  fault('unknown_event_type', EVENT_TYPE, `event_type is ${is}: send one of ${EVENT_TYPES.join(', ')}`);

export const invalidTime = (is: string): Fault =>
  fault(
    'time_invalid',
    EVENT_TIME,
    `event_time is ${is}: send an existing time as 2019-10-01T00:00:00Z or epoch seconds or milliseconds`,
  );

export const notIsoTime = (is: string): Fault =>
  fault('time_invalid', EVENT_TIME, `event_time is ${is}: send ISO-8601 text as 2019-10-01T00:00:00Z`);

export const timeOutOfRange = (timeMs: number, timeMaxMs: number): Fault =>
  timeMs < 0
    ? fault('time_before_1970', EVENT_TIME, `event_time is ${timeText(timeMs)}: send a time from 1970 on`)
    : fault(
        'time_in_future',
        EVENT_TIME,
        `event_time is ${timeText(timeMs)}: send a time that is not after ${timeText(timeMaxMs)}, or check the clock and the unit`,
      );

export const invalidNumber = (field: number, is: string): Fault =>
  fault('number_invalid', field, `${FIELDS[field]!} is ${is}: send a finite decimal number, as 12.5`);

export const negativePrice = (price: number): Fault =>
  fault('price_negative', PRICE, `price is ${price}: send 0 or more`);

export type RatingRange = Pick<EventRules, 'ratingMin' | 'ratingMax'>;

export const ratingOutOfRange = (rating: number, { ratingMin, ratingMax }: RatingRange): Fault =>
  fault('rating_out_of_range', RATING_VALUE, `rating is ${rating}: send ${ratingMin} to ${ratingMax}`);

export const positionOutOfRange = (is: string): Fault =>
  fault('position_out_of_range', POSITION, `position is ${is}: send a whole number from 1 to ${POSITION_MAX}`);

export const notUuid = (is: string): Fault =>
  fault('uuid_invalid', EVENT_ID, `event_id is ${is}: send a UUID as 123e4567-e89b-12d3-a456-426614174000`);

export const notPositiveId = (field: number, is: string): Fault =>
  fault('id_invalid', field, `${FIELDS[field]!} is ${is}: send a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`);

export const tooLong = (field: number, max: string): Fault =>
  fault('text_too_long', field, `${FIELDS[field]!} is longer than ${max}: shorten it`);

export const hasControlCharacters = (field: number): Fault =>
  fault(
    'control_characters',
    field,
    `${FIELDS[field]!} holds control characters (a line end, a tab, a NUL): remove them`,
  );

export const invalidUtf8 = (field: number): Fault =>
  fault('invalid_utf8', field, `${FIELDS[field]!} is not valid UTF-8: send text as UTF-8`);

export const notJson = (at: number): Fault => ({
  rule: 'json_invalid',
  reason: `not JSON from byte ${at} on: check quotes, commas and brackets there, and that it was not cut off`,
});

export const EMPTY_MESSAGE: Fault = { rule: 'empty_message', reason: 'the message holds nothing: send an event' };

export const tooLarge = (bytes: number, bytesMax: number): Fault => ({
  rule: 'message_too_large',
  reason: `the message has ${bytes} bytes and may have ${bytesMax}: send its events in several messages`,
});

export const tooManyEvents = (eventsMax: number): Fault => ({
  rule: 'too_many_events',
  reason: `the message holds more than ${eventsMax} events: send them in several messages`,
});

function timeText(timeMs: number): string {
  const time = new Date(timeMs);
  return Number.isNaN(time.getTime()) ? `${timeMs} ms` : time.toISOString();
}
