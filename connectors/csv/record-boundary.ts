/**
 * Finds the ends of records in bytes.
 *
 *   record = field *("," field) line end          line end = LF, CR LF or the end of the file; instead of the comma it may be another delimiter
 *   field  = `"` … `"`  (a doubled quote within is one quote; line ends and commas within are text)  or bytes without quote, comma, line end
 *
 * Bytes that do not match this grammar (a quote that is never closed, text after a closing quote, a quote within an unquoted field) form a malformed
 * record: their first line. The next record begins with the next line.
 *
 * Invariants
 *   RECORD-BOUNDARY-1  The extent of a record depends on the bytes from its first one on, at most RECORD_BYTES_MAX of them, not on chunk boundaries.
 *   RECORD-BOUNDARY-2  A malformed record is still malformed when the bytes end at any later record's end: its quote is open then. So a reader of one
 *                      chunk sees the same records as a reader of the complete file.
 */
export const RECORD_BYTES_MAX = 4 * 1024 * 1024;

/** More bytes are needed to decide. */
export const UNDECIDED = -1;

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;

/** The end of the CSV record at `start` (after its line end), as far as `bytes` allow; `isEnd`: the file ends with them. */
export function recordEnd(bytes: Buffer, start: number, isEnd: boolean, delimiter = COMMA): number {
  const end = bytes.length;
  for (let i = start; i < end; i++) {
    if (bytes[i] === QUOTE) {
      i = afterQuoted(bytes, i + 1);
      if (i < 0) return isEnd ? lineEnd(bytes, start, isEnd) : UNDECIDED;
      const atLineEnd = i < end && bytes[i] === CR;
      if (atLineEnd) i++;
      if (i === end) break;
      if (bytes[i] !== LF && (atLineEnd || bytes[i] !== delimiter)) return lineEnd(bytes, start, isEnd);
    } else {
      while (i < end && bytes[i] !== delimiter && bytes[i] !== LF)
        if (bytes[i++] === QUOTE) return lineEnd(bytes, start, isEnd);
      if (i === end) break;
    }
    if (bytes[i] === LF) return i + 1;
  }
  return isEnd ? end : UNDECIDED;
}

/** The byte after the quote that closes the field whose text begins at `from`; negative when there is none. */
function afterQuoted(bytes: Buffer, from: number): number {
  for (let i = from; i < bytes.length; i++) {
    if (bytes[i] !== QUOTE) continue;
    // A quote as the last byte may be half of a doubled one: `recordEnd` cannot decide either, unless the file ends there.
    if (i + 1 === bytes.length || bytes[i + 1] !== QUOTE) return i + 1;
    i++;
  }
  return -1;
}

/** The end of the last record in [start, end) before which all records are complete and well-formed; `start` when there is none. */
export function wholeRecordsEnd(bytes: Buffer, start: number, end: number, isEnd: boolean, delimiter = COMMA): number {
  const window = bytes.subarray(0, end);
  for (let at = start; ;) {
    const quote = window.indexOf(QUOTE, at);
    if (quote < 0) return isEnd ? end : Math.max(at, lineStart(window, end));
    const record = Math.max(at, lineStart(window, quote));
    const next = recordEnd(window, record, isEnd, delimiter);
    if (next < 0) return record;
    if (next === end) return end;
    at = next;
  }
}

/** The same for JSONL, where every line end ends a record. */
export function wholeLinesEnd(bytes: Buffer, start: number, end: number, isEnd: boolean): number {
  return isEnd ? end : Math.max(start, lineStart(bytes, end));
}

/** The end of the line that begins at `start` (after its line end), as far as `bytes` allow. */
export function lineEnd(bytes: Buffer, start: number, isEnd: boolean): number {
  const at = bytes.indexOf(LF, start);
  if (at >= 0) return at + 1;
  return isEnd ? bytes.length : UNDECIDED;
}

/** Where the line end of the text [start, end) begins. */
export function contentEnd(bytes: Buffer, start: number, end: number): number {
  if (end > start && bytes[end - 1] === LF) end--;
  return end > start && bytes[end - 1] === CR ? end - 1 : end;
}

export function countLineEnds(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) count++;
  return count;
}

/** The start of the line that contains byte `at - 1` and continues at `at`: 0 or after the last line end before `at`. */
function lineStart(bytes: Buffer, at: number): number {
  return at === 0 ? 0 : bytes.lastIndexOf(LF, at - 1) + 1;
}
