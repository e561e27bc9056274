/**
 * Decimal numbers from bytes, without a string.
 *
 *   x = n / 10^k      n  the digits as a whole number     k  digits after the point
 *
 * With at most 15 digits both are exact in a double, so that the one division rounds correctly: the result is what `Number` gives.
 */
import { POINT, ZERO } from './ascii.js';
import { textOf } from '../../runtime/contract/stage.js';

const DIGITS_EXACT = 15;
const POWERS_OF_TEN = Array.from({ length: DIGITS_EXACT + 1 }, (_, k) => 10 ** k);

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const LENGTH_MAX = 400;

/** The finite number in decimal notation in bytes [start, end), with or without an exponent; NaN for anything else. */
export function decimalOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > DIGITS_EXACT) return longDecimalOf(bytes, start, end);
  let digits = 0;
  let point = -1;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit;
    else if (bytes[at] === POINT && point < 0) point = at;
    else return longDecimalOf(bytes, start, end);
  }
  if (end - start - (point < 0 ? 0 : 1) === 0) return NaN;
  return point < 0 ? digits : digits / POWERS_OF_TEN[end - point - 1]!;
}

/** Signs, exponents, more digits than a double has: rare, so converted by way of a string. */
function longDecimalOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > LENGTH_MAX) return NaN;
  const text = textOf(bytes, start, end);
  const number = DECIMAL.test(text) ? Number(text) : NaN;
  return Number.isFinite(number) ? number : NaN;
}
