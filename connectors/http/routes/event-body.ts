/** The events of a request's body, one after the other, each read when it is its turn. */
import type { Event } from '../../../proto/gen/rivulet/v1/event_pb.js';
import type { FieldViolation } from '../../facade/errors/fault.js';
import { eventOf } from '../event-json.js';

export type ReadEvent = Event | FieldViolation;

export interface EventBody {
  /** How many there are. */
  readonly count: number;
  readonly events: Iterable<ReadEvent>;
}

const LINE_FEED = 0x0a;

/** One event, or an array of them. `undefined`: the bytes are not JSON, not UTF-8, or not whole. */
export function jsonBody(bytes: Uint8Array): EventBody | undefined {
  const parsed = parse(bytes);
  if (parsed === undefined) return undefined;
  const values: readonly unknown[] = Array.isArray(parsed.value) ? parsed.value : [parsed.value];
  return { count: values.length, events: map(values, eventOf) };
}

/** One event on each line; empty lines count for nothing. A line that is no JSON is one bad event. */
export function jsonLinesBody(bytes: Uint8Array): EventBody {
  let count = 0;
  for (const _ of lines(bytes)) count++;
  return { count, events: map(lines(bytes), lineOf) };
}

function lineOf(line: Uint8Array): ReadEvent {
  const parsed = parse(line);
  return parsed === undefined
    ? { field: '', description: 'the line is not JSON, or not UTF-8' }
    : eventOf(parsed.value);
}

function parse(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown };
  } catch {
    return undefined;
  }
}

function* map<T, U>(values: Iterable<T>, read: (value: T) => U): Iterable<U> {
  for (const value of values) yield read(value);
}

function* lines(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(LINE_FEED, start);
    const end = found < 0 ? bytes.length : found;
    if (!isBlank(bytes, start, end)) yield bytes.subarray(start, end);
    start = end + 1;
  }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}
