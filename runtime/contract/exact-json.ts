/** JSON whose whole numbers keep their digits. */

/** A string or a number. */
const TOKEN = /"(?:[^"\\]+|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** A double represents any number of fewer digits exactly. */
const MANY_DIGITS = /\d{16}/;

/**
 * As JSON.parse, but whole numbers that a double cannot represent become text, with all their digits. As an id, which may be either, the value is
 * unchanged. Throws SyntaxError.
 */
export function parseExact(text: string): unknown {
  const value = JSON.parse(text) as unknown;
  if (!MANY_DIGITS.test(text)) return value;
  return JSON.parse(text.replace(TOKEN, (token) => (isTooLarge(token) ? `"${token}"` : token)));
}

const isTooLarge = (token: string): boolean => /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token));
