/**
 * The events of a request body, one after the other, each parsed only when it is its turn.
 *
 * No step takes long, whatever the bytes: the boundaries of events are found in pieces, and an event above the size limit is refused without being
 * parsed.
 */
import { EMPTY_MESSAGE, type Fault, notJson, tooManyEvents } from '../../../actors/formats/fault.js';
import { afterLastByte, firstByte } from '../../../actors/formats/json.js';
import { JsonScanner } from '../../../actors/formats/json-scanner.js';
import type { EventReader, ReadEvent } from '../../../actors/formats/event-reader.js';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  LINE_FEED,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from '../../../actors/maths/ascii.js';
import type { Scheduler } from '../../../runtime/shards/scheduler.js';

export interface EventBody {
  /** The number of events. */
  readonly count: number;
  readonly events: Iterable<ReadEvent>;
}

export interface BodyOptions {
  readonly reader: EventReader;
  readonly nowMs: number;
  readonly turn: Scheduler;
}

/** Bytes scanned before other work gets its turn. */
const PIECE_BYTES = 2 ** 16;

/** Offsets of an event: its first byte, and the byte after its last. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** One event, or an array of events; as in the parse stage, an invalid array is refused as one. The fault concerns the body. */
export async function jsonBody(bytes: Buffer, options: BodyOptions): Promise<EventBody | Fault> {
  const { reader, turn } = options;
  const { messageBytesMax: bytesMax, messageEventsMax: eventsMax } = reader.rules;
  const end = bytes.length;
  const start = await behindSpace(bytes, 0, end, turn);
  if (start === end) return EMPTY_MESSAGE;
  if (bytes[start] !== OPEN_BRACKET) {
    const place = spanOf(bytes, start, end, bytesMax);
    return wrongIn(bytes, place, 0, bytesMax) ?? bodyOf(bytes, [place], options);
  }
  const places: Span[] = [];
  const commas = new Commas(bytes, start + 1);
  for (let from = start + 1, isLast = false; !isLast; from = commas.at) {
    while (!commas.find(Math.min(end, commas.at + PIECE_BYTES))) {
      if (commas.at >= end) return notJson(end);
      await turn();
    }
    isLast = bytes[commas.at] !== COMMA;
    const place = spanOf(bytes, from, commas.at, bytesMax);
    if (!isLast || places.length > 0 || place.end > place.start) {
      if (places.length === eventsMax) return tooManyEvents(eventsMax);
      const wrong = wrongIn(bytes, place, 1, bytesMax);
      if (wrong !== undefined) return wrong;
      places.push(place);
    }
    if (isLast && bytes[commas.at] !== CLOSE_BRACKET) return notJson(commas.at);
    commas.at++;
    await turn();
  }
  const after = await behindSpace(bytes, commas.at, end, turn);
  return after === end ? bodyOf(bytes, places, options) : notJson(after);
}

/** One event per line; empty lines are ignored. A line that is not JSON is one bad event. */
export async function jsonLinesBody(bytes: Buffer, options: BodyOptions): Promise<EventBody | Fault> {
  const { reader, turn } = options;
  const { messageBytesMax: bytesMax, messageEventsMax: eventsMax } = reader.rules;
  const places: Span[] = [];
  for (let from = 0, checked = 0; from < bytes.length;) {
    const feed = bytes.indexOf(LINE_FEED, from);
    const next = feed < 0 ? bytes.length : feed;
    const start = next - from > PIECE_BYTES ? await behindSpace(bytes, from, next, turn) : firstByte(bytes, from, next);
    if (start < next) {
      if (places.length === eventsMax) return tooManyEvents(eventsMax);
      places.push(spanOf(bytes, start, next, bytesMax));
    }
    from = next + 1;
    if (from - checked < PIECE_BYTES) continue;
    checked = from;
    await turn();
  }
  return bodyOf(bytes, places, options);
}

/** Like `firstByte`, in pieces. */
async function behindSpace(bytes: Uint8Array, start: number, end: number, turn: Scheduler): Promise<number> {
  for (let at = start; ; await turn()) {
    const until = Math.min(end, at + PIECE_BYTES);
    at = firstByte(bytes, at, until);
    if (at < until || at === end) return at;
  }
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

/** Without surrounding white space, unless it is above the size limit. */
function spanOf(bytes: Uint8Array, from: number, to: number, bytesMax: number): Span {
  if (to - from > bytesMax) return { start: from, end: to };
  const start = firstByte(bytes, from, to);
  return { start, end: afterLastByte(bytes, start, to) };
}

/** Why it is not JSON; `undefined`: it is, or it is above the size limit and not checked. */
function wrongIn(bytes: Uint8Array, { start, end }: Span, depth: number, bytesMax: number): Fault | undefined {
  if (end - start > bytesMax) return undefined;
  const scanner = new JsonScanner(bytes, end);
  scanner.at = start;
  return scanner.skipValue(depth) && scanner.at === end ? undefined : notJson(scanner.at);
}

const bodyOf = (bytes: Buffer, places: readonly Span[], { reader, nowMs }: BodyOptions): EventBody => ({
  count: places.length,
  events: each(places, ({ start, end }) => reader.json(bytes.subarray(start, end), nowMs)),
});

function* each<T, U>(values: readonly T[], read: (value: T) => U): Iterable<U> {
  for (const value of values) yield read(value);
}
