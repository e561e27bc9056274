/**
 * CSV (RFC 4180): bytes directly to columns. A bounded job spends most of its time here.
 *
 * One scan finds commas and line ends and records whether it saw anything but printable ASCII; a row is then checked and written from the positions of its
 * fields, without strings or objects. A row with a quote in it is read again, by `csv-quoted.ts`.
 * A bad row is refused by itself; reading continues at the line after the one it starts on.
 */
import type { RawMessage } from '../../runtime/contract/stage.js';
import { CARRIAGE_RETURN, COMMA, LINE_FEED, QUOTE, SPACE } from '../maths/ascii.js';
import { readHeader, rowFault } from './csv-header.js';
import { readQuoted } from './csv-quoted.js';
import type { EventWriter } from './event-writer.js';
import type { Refusals } from './refusals.js';
import { nextSpecial } from './special-bytes.js';

/** Shorter than any valid row: a type, a time and two ids. */
const ROW_BYTES_MIN = 20;

/** Reads a piece of a CSV file; returns the number of events in it. */
export function readCsv(message: RawMessage, writer: EventWriter, refusals: Pick<Refusals, 'add'>): number {
  const { data } = message;
  const { header: headerBytes, line: firstLine } = message.chunk!;
  const header = readHeader(headerBytes, writer.schema);
  const { slots, columns, impliesRating } = header;
  const { starts, ends } = writer;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const end = data.length;
  let seen = 0;
  writer.clear();
  writer.reserve(rowsAbout(data));
  for (let from = 0, line = firstLine; from < end; line++) {
    writer.line = line;
    let plain = true;
    let column = 0;
    let field = from;
    let at = nextSpecial(view, data, from, end);
    let byte = LINE_FEED;
    for (; at < end; at = nextSpecial(view, data, at + 1, end)) {
      byte = data[at]!;
      if (byte === COMMA) {
        const slot = slots[column < columns ? column : columns]!;
        starts[slot] = field;
        ends[slot] = at;
        column++;
        field = at + 1;
      } else if (byte === LINE_FEED || byte === QUOTE) break;
      else if (byte < SPACE ? !endsLine(data, at) : byte > 0x7e) plain = false;
    }
    if (at < end && byte === QUOTE) {
      const row = readQuoted(data, from, header, writer);
      seen++;
      if (row.fault !== undefined) refusals.add(message, row.fault, { start: from, end: row.end, line });
      from = row.next;
      line += row.lines - 1;
      writer.clear();
      continue;
    }
    const last = at > from && data[at - 1] === CARRIAGE_RETURN ? at - 1 : at;
    if (last > from) {
      const slot = slots[column < columns ? column : columns]!;
      starts[slot] = field;
      ends[slot] = last;
      seen++;
      const sound = header.plain && column + 1 === columns;
      const fault =
        (sound ? undefined : rowFault(header, column + 1, data, writer)) ??
        writer.writeText(data, impliesRating, plain);
      if (fault !== undefined) refusals.add(message, fault, { start: from, end: last, line });
    }
    from = at + 1;
  }
  return seen;
}

/** An estimate of the number of rows, by the length of the first. */
function rowsAbout(data: Uint8Array): number {
  const first = data.indexOf(LINE_FEED) + 1;
  return Math.ceil(data.length / Math.max(first, ROW_BYTES_MIN));
}

/** Whether a carriage return is part of a line end, here or at the end of the data. */
function endsLine(data: Uint8Array, at: number): boolean {
  return data[at] === CARRIAGE_RETURN && (at + 1 === data.length || data[at + 1] === LINE_FEED);
}
