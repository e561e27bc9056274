/** Reads the records of JSON messages, and JSONL files. */
import { CARRIAGE_RETURN, LINE_FEED } from '../maths/ascii.js';
import type { RawMessage } from '../../runtime/contract/stage.js';
import type { Fault } from './fault.js';
import { afterLastByte, firstByte, type Places } from './json-places.js';
import type { Refusals } from './refusals.js';

/** Reads bytes [start, end), expected to be one record; returns its error. `line`: of a file. */
export type ReadRecord = (bytes: Uint8Array, start: number, end: number, line?: number) => Fault | undefined;

/** Reads the records of a message; returns their number. */
export function readPlaces(message: RawMessage, places: Places | Fault, read: ReadRecord, refusals: Refusals): number {
  const { data } = message;
  if ('rule' in places) {
    refusals.add(message, places, { start: 0, end: data.length });
    return 1;
  }
  for (let at = 0; at < places.length; at += 2) {
    const place = { start: places[at]!, end: places[at + 1]!, index: at / 2 };
    const fault = read(data, place.start, place.end);
    if (fault !== undefined) refusals.add(message, fault, place);
  }
  return places.length / 2;
}

/** Reads the lines of a piece of a file; returns their number. Blank lines are ignored. */
export function readJsonLines(message: RawMessage, read: ReadRecord, refusals: Pick<Refusals, 'add'>): number {
  const { data } = message;
  let line = message.chunk!.line;
  let lines = 0;
  for (let from = 0; from < data.length; line++) {
    const feed = data.indexOf(LINE_FEED, from);
    const next = feed < 0 ? data.length : feed + 1;
    const start = firstByte(data, from, next);
    if (start < next) {
      const fault = read(data, start, afterLastByte(data, start, next), line);
      if (fault !== undefined)
        refusals.add(message, fault, { start: from, end: withoutLineEnd(data, from, next), line });
      lines++;
    }
    from = next;
  }
  return lines;
}

function withoutLineEnd(data: Uint8Array, start: number, end: number): number {
  const at = end > start && data[end - 1] === LINE_FEED ? end - 1 : end;
  return at > start && data[at - 1] === CARRIAGE_RETURN ? at - 1 : at;
}
