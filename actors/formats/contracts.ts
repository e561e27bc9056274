/**
 * Contracts: the fields of an event of a strict schema, by its type, and the forms that they must have. What a strict schema accepts, the others accept, too.
 *
 *   event_id           a UUID: 123e4567-e89b-12d3-a456-426614174000
 *   user_id, item_id   positive whole numbers up to 2^53 − 1: numbers, or text without leading zeros, since 07 and 7 would be two users
 *   event_time         ISO-8601 with T, as text: 2019-10-01T00:00:00Z; without an offset it is UTC. In protobuf it is a Timestamp
 *
 * Fields of the schema that are not in the contract of a type may be given, too; they are read and checked as always. What the schema does not name is
 * ignored.
 */
import type { EventType } from '../model.js';
import { MINUS, NINE, ZERO } from '../maths/ascii.js';
import { decimalOf } from '../maths/decimal.js';
import type { FieldName } from './fields.js';

export interface Contract {
  readonly required: readonly FieldName[];
  readonly optional: readonly FieldName[];
}

const REQUIRED: readonly FieldName[] = ['event_id', 'event_type', 'event_time', 'user_id', 'item_id'];
const SHOPPING: readonly FieldName[] = ['session_id', 'category_code', 'brand', 'price', 'page_url', 'device_type'];

export const CONTRACTS: Readonly<Record<EventType, Contract>> = {
  view: { required: REQUIRED, optional: ['session_id', 'page_url', 'device_type'] },
  cart: { required: REQUIRED, optional: SHOPPING },
  purchase: { required: REQUIRED, optional: SHOPPING },
  remove_from_cart: { required: REQUIRED, optional: SHOPPING },
  click: { required: REQUIRED, optional: ['click_type', 'session_id', 'referrer'] },
  rating: { required: [...REQUIRED, 'rating'], optional: ['review_text'] },
  impression: { required: REQUIRED, optional: ['position', 'model', 'arm', 'session_id'] },
};

/** As `isUuid`, `isPositiveId` (but for 16 digits above 2^53 − 1) and `isIsoTime` (but for days that do not exist), as regular expressions. */
export const UUID = '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
export const POSITIVE_ID = '^[1-9][0-9]{0,15}$';
export const ISO_TIME =
  '^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])' +
  '[Tt]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?$';

const UUID_LENGTH = 36;
const UUID_DASHES = [8, 13, 18, 23];
const ID_DIGITS_MAX = 16;

/** Whether bytes [start, end) are a UUID of any version. */
export function isUuid(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== UUID_LENGTH) return false;
  for (let i = 0; i < UUID_LENGTH; i++) {
    const byte = bytes[start + i]!;
    if (UUID_DASHES.includes(i) ? byte !== MINUS : !isHexadecimal(byte)) return false;
  }
  return true;
}

/** Whether bytes [start, end) are a whole number from 1 to 2^53 − 1, without leading zeros. */
export function isPositiveId(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > ID_DIGITS_MAX || bytes[start] === ZERO) return false;
  for (let at = start; at < end; at++) if (!isDigit(bytes[at]!)) return false;
  return decimalOf(bytes, start, end) <= Number.MAX_SAFE_INTEGER;
}

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;

function isHexadecimal(byte: number): boolean {
  const letter = byte | 0x20;
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x66);
}
