/**
 * Where the records of a JSON message are: one object, an array of objects, or JSONL (one object per line).
 *
 * An array is valid or invalid JSON as a whole; each element of a valid one is checked by itself. In JSONL each line is parsed and checked by itself.
 *
 * The search yields often, so that a thread with other work can pause in a large message. A record above the size limit is found, but not parsed.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  LINE_FEED,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from '../maths/ascii.js';
import { type Fault, notJson } from './fault.js';
import { isSpace, JsonScanner } from './json-scanner.js';

/** Starts and ends of records, alternating. */
export type Places = readonly number[];

/** A search that yields between its steps. */
export type Search<T> = Generator<void, T, void>;

export interface PlaceLimits {
  /** The size of one record. */
  readonly bytesMax: number;
  readonly max: number;
  /** The fault of a message with more. */
  readonly tooMany: (max: number) => Fault;
}

/** Bytes searched before a pause. */
const PIECE_BYTES = 2 ** 16;

export function finish<T>(search: Search<T>): T {
  for (;;) {
    const step = search.next();
    if (step.done === true) return step.value;
  }
}

/** The records of a message that is not blank. */
export function* jsonPlaces(data: Uint8Array, limits: PlaceLimits): Search<Places | Fault> {
  const first = textStart(data);
  const start = isSpace(data[first]!) ? yield* skipSpace(data, first, data.length) : first;
  const end = data.length - start > limits.bytesMax ? data.length : afterLastByte(data, start, data.length);
  if (data[start] === OPEN_BRACKET) return yield* arrayPlaces(data, start, end, limits);
  const feed = data.indexOf(LINE_FEED, start);
  // The usual message, without another search.
  if (feed < 0 || feed > end) return [start, end];
  const areLines = yield* areSeveral(data, start, end, feed, limits.bytesMax);
  return areLines ? yield* linePlaces(data, limits) : [start, end];
}

/** The lines of a message, without blank ones. */
export function* linePlaces(data: Uint8Array, { bytesMax, max, tooMany }: PlaceLimits): Search<Places | Fault> {
  const places: number[] = [];
  for (let from = textStart(data), searched = 0; from < data.length;) {
    const feed = data.indexOf(LINE_FEED, from);
    const next = feed < 0 ? data.length : feed + 1;
    const start = yield* skipSpace(data, from, next);
    if (start < next) {
      if (places.length === 2 * max) return tooMany(max);
      places.push(...trimmed(data, start, next, bytesMax));
    }
    from = next;
    if (from - searched < PIECE_BYTES) continue;
    searched = from;
    yield;
  }
  return places;
}

function* arrayPlaces(
  data: Uint8Array,
  first: number,
  end: number,
  { bytesMax, max, tooMany }: PlaceLimits,
): Search<Places | Fault> {
  const places: number[] = [];
  const commas = new Commas(data, first + 1);
  for (let from = first + 1, isLast = false; !isLast; from = commas.at) {
    while (!commas.find(Math.min(end, commas.at + PIECE_BYTES))) {
      if (commas.at >= end) return notJson(end);
      yield;
    }
    isLast = data[commas.at] !== COMMA;
    const [start, after] = trimmed(data, from, commas.at, bytesMax);
    if (!isLast || places.length > 0 || after > start) {
      if (places.length === 2 * max) return tooMany(max);
      const error = after - start > bytesMax ? undefined : errorIn(data, start, after, 1);
      if (error !== undefined) return notJson(error);
      places.push(start, after);
    }
    if (isLast && data[commas.at] !== CLOSE_BRACKET) return notJson(commas.at);
    commas.at++;
    yield;
  }
  const after = yield* skipSpace(data, commas.at, end);
  return after === end ? places : notJson(after);
}

/** Whether it is JSONL rather than one object: the first line (up to `firstFeed`) is JSON, or the text is not and a later line starts an object. */
function* areSeveral(
  data: Uint8Array,
  start: number,
  end: number,
  firstFeed: number,
  bytesMax: number,
): Search<boolean> {
  const isJson = (until: number): boolean =>
    until - start <= bytesMax && errorIn(data, start, afterLastByte(data, start, until), 0) === undefined;
  if (isJson(firstFeed)) return true;
  if (isJson(end)) return false;
  for (let feed = firstFeed, searched = feed; feed >= 0 && feed < end;) {
    const next = yield* skipSpace(data, feed, end);
    if (data[next] === OPEN_BRACE) return true;
    feed = data.indexOf(LINE_FEED, next);
    if (feed - searched < PIECE_BYTES) continue;
    searched = feed;
    yield;
  }
  return false;
}

/** Steps from comma to comma of an array, by quotes and brackets only: it does not check that the parts are JSON. */
class Commas {
  private depth = 0;
  private isText = false;
  private isEscaped = false;

  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  /** True: at a comma of the array, or at its closing bracket. False: there is none before `until`. */
  find(until: number): boolean {
    const { bytes } = this;
    for (; this.at < until; this.at++) {
      const byte = bytes[this.at]!;
      if (this.isText) {
        if (this.isEscaped) this.isEscaped = false;
        else if (byte === BACKSLASH) this.isEscaped = true;
        else if (byte === QUOTE) this.isText = false;
      } else if (byte === QUOTE) this.isText = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.depth++;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.depth === 0) return true;
        this.depth--;
      } else if (byte === COMMA && this.depth === 0) return true;
    }
    return false;
  }
}

/** The position from which bytes [start, end) are not one JSON value; `undefined`: they are one. */
function errorIn(bytes: Uint8Array, start: number, end: number, depth: number): number | undefined {
  const scanner = new JsonScanner(bytes, end);
  scanner.at = start;
  return scanner.skipValue(depth) && scanner.at === end ? undefined : scanner.at;
}

/** Whether bytes [start, end) are one JSON value. */
export const isJsonValue = (bytes: Uint8Array, start: number, end: number): boolean =>
  errorIn(bytes, start, end, 0) === undefined;

/** Behind a byte order mark. */
export const textStart = (data: Uint8Array): number =>
  data[0] === 0xef && data[1] === 0xbb && data[2] === 0xbf ? 3 : 0;

/** The first byte of [start, end) that is not a space; `end` when all are. */
export function* skipSpace(data: Uint8Array, start: number, end: number): Search<number> {
  for (let at = start; ; yield) {
    const until = Math.min(end, at + PIECE_BYTES);
    at = firstByte(data, at, until);
    if (at < until || at === end) return at;
  }
}

/** Bytes [start, end) without surrounding spaces, unless they are too many for a record. */
function trimmed(data: Uint8Array, start: number, end: number, bytesMax: number): [start: number, end: number] {
  if (end - start > bytesMax) return [start, end];
  const first = firstByte(data, start, end);
  return [first, afterLastByte(data, first, end)];
}

/** The same at once. */
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
