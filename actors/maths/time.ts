/**
 * Timestamps: bytes → epoch milliseconds, without a string.
 *
 *   t = date + 3 600 000 · h + 60 000 · min + 1 000 · s + ms − offset
 *
 *   2019-10-01T00:00:00.123+02:00      ISO-8601: T or a space; seconds and fraction are optional; Z, ±hh:mm, ±hhmm or ±hh; none is UTC
 *   2019-10-01 00:00:00 UTC            REES46
 *   2019-10-01                         midnight UTC
 *   1569888000, 1569888000.5, 1569888000123      epoch seconds below 10^11 (the year 5138), epoch milliseconds from there on
 *
 * Milliseconds before March 1973 would thus be read as seconds, land in the far future, and be refused there; `2019` is not a year.
 */
import { COLON, COMMA, MINUS, NINE, PLUS, POINT, SPACE, ZERO } from './ascii.js';
import { decimalOf } from './decimal.js';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const MILLISECONDS_FROM = 1e11;

const T = 0x54;
const Z = 0x5a;
const UTC = 0x555443;
/** The bit that distinguishes lower case from upper case. */
const SMALL = 0x20;

const DATE_LENGTH = 10;
const MINUTES_LENGTH = 16;
const SECONDS_LENGTH = 19;

/** Epoch seconds or milliseconds, distinguished by magnitude, as whole milliseconds. */
export function epochMs(number: number): number {
  return Math.round(Math.abs(number) < MILLISECONDS_FROM ? number * 1000 : number);
}

/** Milliseconds of midnight UTC; NaN for a day that does not exist. */
export function dateMs(year: number, month: number, day: number): number {
  if (month < 1 || month > 12 || day < 1 || year < 100) return NaN;
  const ms = Date.UTC(year, month - 1, day);
  return new Date(ms).getUTCDate() === day ? ms : NaN;
}

/** Whether bytes [start, end), which are a time, are ISO-8601 with date, T and time: 2019-10-01T00:00:00Z. */
export function isIsoTime(bytes: Uint8Array, start: number, end: number): boolean {
  const isUtc = bytes[end - 4] === SPACE;
  return end - start >= MINUTES_LENGTH && (bytes[start + DATE_LENGTH]! & ~SMALL) === T && !isUtc;
}

/** Parses times; caches the day of the last one, since the next is usually on the same day. */
export class TimeParser {
  private day = 0;
  private dayMs = NaN;

  /** Epoch milliseconds, truncated; NaN when bytes [start, end) are not a time. */
  parse(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length < DATE_LENGTH || bytes[start + 4] !== MINUS) return epochMs(decimalOf(bytes, start, end));
    const date = this.date(bytes, start);
    if (length === DATE_LENGTH) return date;
    const separator = bytes[start + 10]!;
    if (length < MINUTES_LENGTH || (separator !== SPACE && (separator & ~SMALL) !== T)) return NaN;
    const hour = twoDigits(bytes, start + 11);
    const minute = twoDigits(bytes, start + 14);
    if (bytes[start + 13] !== COLON || hour < 0 || hour > 23 || minute < 0 || minute > 59) return NaN;
    let ms = date + hour * HOUR_MS + minute * MINUTE_MS;
    let at = start + MINUTES_LENGTH;
    if (at < end && bytes[at] === COLON) {
      if (length < SECONDS_LENGTH) return NaN;
      const second = twoDigits(bytes, at + 1);
      if (second < 0 || second > 59) return NaN;
      ms += second * 1000;
      at = start + SECONDS_LENGTH;
      if (at < end && (bytes[at] === POINT || bytes[at] === COMMA)) {
        const fraction = fractionEnd(bytes, at + 1, end);
        if (fraction === at + 1) return NaN;
        ms += milliseconds(bytes, at + 1, fraction);
        at = fraction;
      }
    }
    return at === end ? ms : ms - offsetMs(bytes, at, end);
  }

  private date(bytes: Uint8Array, at: number): number {
    const century = twoDigits(bytes, at);
    const year = twoDigits(bytes, at + 2);
    const month = twoDigits(bytes, at + 5);
    const day = twoDigits(bytes, at + 8);
    if ((century | year | month | day) < 0 || bytes[at + 7] !== MINUS) return NaN;
    const key = ((century * 100 + year) * 100 + month) * 100 + day;
    if (key !== this.day) {
      this.day = key;
      this.dayMs = dateMs(century * 100 + year, month, day);
    }
    return this.dayMs;
  }
}

/** The number of two digits, negative when they are not both digits. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >>> 0 <= 9 && ones >>> 0 <= 9 ? tens * 10 + ones : -1;
}

function fractionEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE) at++;
  return at;
}

function milliseconds(bytes: Uint8Array, start: number, end: number): number {
  let ms = 0;
  for (let place = 0; place < 3; place++) ms = ms * 10 + (start + place < end ? bytes[start + place]! - ZERO : 0);
  return ms;
}

/** The offset from UTC at the end of a time; NaN when it is not a zone. */
function offsetMs(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  const length = end - at;
  if (length === 1) return (first & ~SMALL) === Z ? 0 : NaN;
  if (first === SPACE) {
    const name = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    return length === 4 && name === UTC ? 0 : NaN;
  }
  if ((first !== PLUS && first !== MINUS) || length < 3) return NaN;
  const hours = twoDigits(bytes, at + 1);
  const colon = length === 6 && bytes[at + 3] === COLON ? 1 : 0;
  const minutes = length === 3 ? 0 : length === 5 + colon ? twoDigits(bytes, at + 3 + colon) : -1;
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return NaN;
  return (first === PLUS ? 1 : -1) * (hours * HOUR_MS + minutes * MINUTE_MS);
}
