/**
 * Finds the bytes with a meaning in CSV, four at a time.
 *
 * The bytes from `-` to `~` are ordinary: letters, digits, the punctuation of times and paths. Nearly all bytes are, so most steps process
 * over a whole word w:
 *
 *   special(w) = ((w − 0x2d2d2d2d) | (w + 0x01010101)) & 0x80808080
 *
 * sets the high bit of each byte below 0x2d or above 0x7e. A borrow or carry goes upward only, so the lowest bit set is always right.
 */
const BELOW = 0x2d2d2d2d;
const ABOVE = 0x01010101;
const HIGH_BITS = 0x80808080;

const ORDINARY_FIRST = 0x2d;
const ORDINARY_SPAN = 0x7e - ORDINARY_FIRST;

/** The position of the next byte of [from, end) outside `-`…`~`; `end` when there is none. `view` is over the same bytes. */
export function nextSpecial(view: DataView, bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (const last = end - 4; at <= last; at += 4) {
    const word = view.getInt32(at, true);
    const special = ((word - BELOW) | (word + ABOVE)) & HIGH_BITS;
    if (special !== 0) return at + ((31 - Math.clz32(special & -special)) >>> 3);
  }
  while (at < end && (bytes[at]! - ORDINARY_FIRST) >>> 0 <= ORDINARY_SPAN) at++;
  return at;
}
