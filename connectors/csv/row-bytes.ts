/**
 * Values as CSV bytes, without a string per value. Each `put…` writes at `at` and returns the next offset; the caller has made room.
 *
 * Numbers are formatted as in JavaScript: the shortest decimal that gives the same double, with at least one decimal place in f64 columns.
 */
import { entryStart, type TextColumn } from '../../runtime/contract/stage.js';

const COMMA = 0x2c;
const POINT = 0x2e;
const ZERO = 0x30;
const QUOTE = 0x22;
/** Comma, quote, LF, CR: a field with one of them is quoted. */
const SPECIAL = [COMMA, QUOTE, 0x0a, 0x0d];

/** The length of the longest number that `putNumber` or `putInteger` writes. */
export const NUMBER_BYTES_MAX = 32;

/** A text column whose dictionary entries are escaped already. Entry c is bytes[ends[c-1], ends[c]); entry 0, absent, is empty. */
export function csvColumn(column: TextColumn): TextColumn {
  const { dictionary } = column;
  const bytes = Buffer.from(dictionary.bytes.buffer, dictionary.bytes.byteOffset, dictionary.bytes.byteLength);
  if (!SPECIAL.some((byte) => bytes.includes(byte))) return column;
  const parts: Buffer[] = [];
  const ends = new Uint32Array(dictionary.size);
  let at = 0;
  for (let code = 0; code < dictionary.size; code++) {
    const entry = bytes.subarray(entryStart(dictionary, code), dictionary.ends[code]);
    const part = SPECIAL.some((byte) => entry.includes(byte)) ? quoted(entry) : entry;
    parts.push(part);
    ends[code] = at += part.length;
  }
  return { codes: column.codes, dictionary: { size: dictionary.size, bytes: Buffer.concat(parts), ends } };
}

/** Latin-1 maps bytes to characters one to one, so the text keeps its encoding, and bytes that are not text are preserved. */
function quoted(entry: Buffer): Buffer {
  return Buffer.from(`"${entry.toString('latin1').replaceAll('"', '""')}"`, 'latin1');
}

export function textLength({ codes, dictionary }: TextColumn, row: number): number {
  const code = codes[row]!;
  return dictionary.ends[code]! - entryStart(dictionary, code);
}

export function putText(out: Buffer, at: number, { codes, dictionary }: TextColumn, row: number): number {
  const code = codes[row]!;
  const { bytes } = dictionary;
  const end = dictionary.ends[code]!;
  for (let i = entryStart(dictionary, code); i < end; i++) out[at++] = bytes[i]!;
  return at;
}

export function putBytes(out: Buffer, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) out[at++] = bytes[i]!;
  return at;
}

export function putComma(out: Buffer, at: number): number {
  out[at] = COMMA;
  return at + 1;
}

/** A whole number, 0 ≤ value < 2³². */
export function putInteger(out: Buffer, at: number, value: number): number {
  let digits = 1;
  for (let bound = 10; bound <= value; bound *= 10) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    out[i] = ZERO + (rest - next * 10);
    rest = next;
  }
  return at + digits;
}

const HUNDREDTHS_MAX = 2 ** 31;

/** A double; absent (NaN) is the empty text. */
export function putNumber(out: Buffer, at: number, value: number): number {
  // n / 100 has at most 12 significant digits here, and no two such decimals are the same double: so this is the shortest one.
  const hundredths = Math.round(value * 100);
  if (!(hundredths >= 0 && hundredths < HUNDREDTHS_MAX && hundredths / 100 === value))
    return putOddNumber(out, at, value);
  const whole = Math.floor(hundredths / 100);
  const rest = hundredths - whole * 100;
  const tenths = Math.floor(rest / 10);
  at = putInteger(out, at, whole);
  out[at++] = POINT;
  out[at++] = ZERO + tenths;
  if (rest > tenths * 10) out[at++] = ZERO + rest - tenths * 10;
  return at;
}

function putOddNumber(out: Buffer, at: number, value: number): number {
  if (Number.isNaN(value)) return at;
  const shortest = String(value);
  const text = Number.isInteger(value) && !shortest.includes('e') ? `${shortest}.0` : shortest;
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i);
  return at;
}
