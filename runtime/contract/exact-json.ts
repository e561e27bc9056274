/** JSON whose whole numbers keep their digits. */

/** A text, or a number. */
const TOKEN = /"(?:[^"\\]+|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Fewer digits than a double may lose one of. */
const MANY_DIGITS = /\d{16}/;

/**
 * As JSON.parse, but for whole numbers that a double cannot hold: they are text, with all their digits. As an id, which may be either, it is
 * still the same one. Throws SyntaxError.
 */
export function parseExact(text: string): unknown {
  const value = JSON.parse(text) as unknown;
  if (!MANY_DIGITS.test(text)) return value;
  return JSON.parse(text.replace(TOKEN, (token) => (isTooLarge(token) ? `"${token}"` : token)));
}

const isTooLarge = (token: string): boolean => /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token));
