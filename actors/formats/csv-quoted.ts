/**
 * CSV rows that contain a quote, by RFC 4180: a quoted field is enclosed in quotes, `""` in it is one quote, commas and line ends in it are text.
 *
 * A quote that is not closed, or that is inside an unquoted field, makes the row malformed. Then only the line on which the row starts is discarded: an
 * unclosed quote must not consume the rows after it. (A line that opens a quote closes one for a reader that comes from before; so however many quotes
 * are malformed, no byte is read more than twice.)
 */
import { CARRIAGE_RETURN, COMMA, LINE_FEED, QUOTE } from '../maths/ascii.js';
import { type CsvHeader, rowFault } from './csv-header.js';
import type { EventWriter } from './event-writer.js';
import type { Fault } from './fault.js';
import { IGNORED } from './fields.js';

export interface QuotedRow {
  readonly fault: Fault | undefined;
  /** The end of the row without its line end, the start of the next row, and the number of lines between. */
  readonly end: number;
  readonly next: number;
  readonly lines: number;
}

/** Reads and writes the row that starts at `from`. */
export function readQuoted(data: Uint8Array, from: number, header: CsvHeader, writer: EventWriter): QuotedRow {
  writer.clear();
  let column = 0;
  let lines = 1;
  let at = from;
  for (;;) {
    const slot = header.slots[Math.min(column, header.columns)]!;
    const quoted = data[at] === QUOTE;
    const start = quoted ? at + 1 : at;
    const end = quoted ? closingQuote(data, start) : fieldEnd(data, start);
    if (end < 0) return brokenRow(data, from);
    if (slot !== IGNORED) copyField(writer, slot, data, start, end, quoted);
    if (quoted) lines += linesIn(data, start, end);
    at = quoted ? end + 1 : end;
    column++;
    if (at < data.length && data[at] === COMMA) at++;
    else break;
  }
  const next = lineEnd(data, at);
  if (next < 0) return brokenRow(data, from);
  const bytes = writer.scratch;
  const fault = rowFault(header, column, bytes, writer) ?? writer.writeText(bytes, header.impliesRating, false);
  return { fault, end: at, next, lines };
}

export const BROKEN_ROW: Fault = {
  rule: 'csv_broken_quote',
  reason: 'a quote is not closed or stands inside an unquoted value: quote the whole value and double the quotes in it',
};

function brokenRow(data: Uint8Array, from: number): QuotedRow {
  const found = data.indexOf(LINE_FEED, from);
  const at = found < 0 ? data.length : found;
  const end = at > from && data[at - 1] === CARRIAGE_RETURN ? at - 1 : at;
  return { fault: BROKEN_ROW, end, next: at + 1, lines: 1 };
}

/** The position of the quote that closes a field; negative when there is none. */
function closingQuote(data: Uint8Array, start: number): number {
  for (let at = data.indexOf(QUOTE, start); at >= 0; at = data.indexOf(QUOTE, at + 2)) {
    if (data[at + 1] !== QUOTE) return at;
  }
  return -1;
}

/** The end of an unquoted field, without the line end; negative when it contains a quote. */
function fieldEnd(data: Uint8Array, start: number): number {
  let at = start;
  while (at < data.length && data[at] !== COMMA && data[at] !== LINE_FEED) {
    if (data[at] === QUOTE) return -1;
    at++;
  }
  const beforeLineEnd = at > start && data[at] !== COMMA && data[at - 1] === CARRIAGE_RETURN;
  return beforeLineEnd ? at - 1 : at;
}

/** The start of the next row when the line ends at `at`; negative when something else follows. */
function lineEnd(data: Uint8Array, at: number): number {
  const feed = data[at] === CARRIAGE_RETURN ? at + 1 : at;
  if (feed >= data.length) return data.length;
  return data[feed] === LINE_FEED ? feed + 1 : -1;
}

function copyField(
  writer: EventWriter,
  slot: number,
  data: Uint8Array,
  start: number,
  end: number,
  quoted: boolean,
): void {
  writer.copy(slot, data, start, quoted ? firstQuote(data, start, end) : end);
  if (!quoted) return;
  // Each further piece starts with the second quote of a pair.
  for (let at = firstQuote(data, start, end); at < end;) {
    const next = firstQuote(data, at + 2, end);
    writer.extend(slot, data, at + 1, next);
    at = next;
  }
}

function firstQuote(data: Uint8Array, start: number, end: number): number {
  const at = data.indexOf(QUOTE, start);
  return at < 0 || at > end ? end : at;
}

function linesIn(data: Uint8Array, start: number, end: number): number {
  let lines = 0;
  for (let at = data.indexOf(LINE_FEED, start); at >= 0 && at < end; at = data.indexOf(LINE_FEED, at + 1)) lines++;
  return lines;
}
