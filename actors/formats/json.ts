/**
 * JSON messages: one object, an array of objects, or JSONL (one object per line); and JSONL files.
 *
 * An array is valid or invalid JSON as a whole; each element of a valid one is checked by itself. In JSONL each line is parsed and checked by itself.
 */
import { CARRIAGE_RETURN, COMMA, CLOSE_BRACKET, LINE_FEED, OPEN_BRACE, OPEN_BRACKET } from '../maths/ascii.js';
import { type RawMessage, textOf } from '../../runtime/contract/stage.js';
import { type Fault, notJson } from './fault.js';
import { isSpace, JsonScanner } from './json-scanner.js';
import type { Refusals } from './refusals.js';

/** How to read the records of a message, and their limit. */
export interface Records {
  /** Reads bytes [start, end), expected to be one object; returns its error. */
  readonly read: (bytes: Uint8Array, start: number, end: number) => Fault | undefined;
  readonly max: number;
  /** The fault of a message with more. */
  readonly tooMany: (max: number) => Fault;
}

/** Reads a message of JSON or JSONL, which is not blank; returns the number of records in it. */
export function readJson(message: RawMessage, records: Records, refusals: Refusals): number {
  const { data } = message;
  const start = firstByte(data, 0, data.length);
  const end = afterLastByte(data, start, data.length);
  if (data[start] === OPEN_BRACKET) return readArray(message, start, end, records, refusals);
  const fault = records.read(data, start, end);
  if (fault?.rule === 'json_invalid' && startsSecondObject(data, start, end)) {
    return readJsonLines(message, records, refusals);
  }
  if (fault !== undefined) refusals.add(message, fault, { start: 0, end: data.length });
  return 1;
}

/** Reads lines of JSON: of a message, or of a piece of a file. Blank lines are ignored. */
export function readJsonLines(message: RawMessage, { read, max, tooMany }: Records, refusals: Refusals): number {
  const { data, chunk } = message;
  if (max < Infinity && linesOf(data) > max) return refuseWhole(message, tooMany(max), refusals);
  let index = 0;
  let line = chunk?.line;
  for (let from = 0; from < data.length;) {
    const feed = data.indexOf(LINE_FEED, from);
    const next = feed < 0 ? data.length : feed + 1;
    const start = firstByte(data, from, next);
    if (start < next) {
      const fault = read(data, start, afterLastByte(data, start, next));
      if (fault !== undefined) {
        const end = withoutLineEnd(data, from, next);
        refusals.add(message, fault, line === undefined ? { start: from, end, index } : { start: from, end, line });
      }
      index++;
    }
    if (line !== undefined) line++;
    from = next;
  }
  return index;
}

function readArray(
  message: RawMessage,
  start: number,
  end: number,
  { read, max, tooMany }: Records,
  refusals: Refusals,
): number {
  const { data } = message;
  const scanner = new JsonScanner(data, end);
  scanner.at = start;
  const places = elementsOf(scanner);
  if (places === undefined || scanner.at < end) return refuseWhole(message, notJson(scanner.at), refusals);
  const count = places.length / 2;
  if (count > max) return refuseWhole(message, tooMany(max), refusals);
  for (let index = 0; index < count; index++) {
    const place = { start: places[index * 2]!, end: places[index * 2 + 1]!, index };
    const fault = read(data, place.start, place.end);
    if (fault !== undefined) refusals.add(message, fault, place);
  }
  return count;
}

/** The starts and ends of an array's elements, alternating; `undefined` when it is not JSON: the scanner is then at the error. */
function elementsOf(scanner: JsonScanner): number[] | undefined {
  const places: number[] = [];
  scanner.at++;
  scanner.skipSpace();
  if (scanner.skip(CLOSE_BRACKET)) return places;
  for (;;) {
    places.push(scanner.at);
    if (!scanner.skipValue(1)) return undefined;
    places.push(scanner.at);
    scanner.skipSpace();
    if (scanner.skip(CLOSE_BRACKET)) return places;
    if (!scanner.skip(COMMA)) return undefined;
    scanner.skipSpace();
  }
}

function refuseWhole(message: RawMessage, fault: Fault, refusals: Refusals): number {
  refusals.add(message, fault, { start: 0, end: message.data.length });
  return 1;
}

/** Whether a later line starts an object of its own, or the first line is one: then it is JSONL with a malformed line, rather than one malformed object. */
function startsSecondObject(data: Uint8Array, start: number, end: number): boolean {
  const first = data.indexOf(LINE_FEED, start);
  if (first >= 0 && first < end && isJson(data, start, first)) return true;
  for (let feed = first; feed >= 0 && feed < end;) {
    const next = firstByte(data, feed, end);
    if (data[next] === OPEN_BRACE) return true;
    feed = data.indexOf(LINE_FEED, next);
  }
  return false;
}

function isJson(data: Uint8Array, start: number, end: number): boolean {
  try {
    JSON.parse(textOf(data, start, end));
    return true;
  } catch {
    return false;
  }
}

/** Lines that are not blank. */
function linesOf(data: Uint8Array): number {
  let lines = 0;
  for (let from = 0; from < data.length;) {
    const feed = data.indexOf(LINE_FEED, from);
    const next = feed < 0 ? data.length : feed + 1;
    if (firstByte(data, from, next) < next) lines++;
    from = next;
  }
  return lines;
}

/** The first byte of [start, end) that is not a space; `end` when all are. */
export function firstByte(data: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isSpace(data[at]!)) at++;
  return at;
}

export function afterLastByte(data: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isSpace(data[at - 1]!)) at--;
  return at;
}

function withoutLineEnd(data: Uint8Array, start: number, end: number): number {
  const at = end > start && data[end - 1] === LINE_FEED ? end - 1 : end;
  return at > start && data[at - 1] === CARRIAGE_RETURN ? at - 1 : at;
}
