/** Rules for texts and numbers in requests. */
import { NAME_BYTES_MAX } from '../../../actors/formats/limits.js';

export const LIMIT_MAX = 100;
export const LIMIT_DEFAULT = 10;

/** For names: short, without control characters (U+0000–U+001F, U+007F–U+009F). */
export function textProblem(text: string): string | undefined {
  // A UTF-16 unit takes at most three bytes: most ids need not be measured.
  const bytes = text.length * 3 <= NAME_BYTES_MAX ? 0 : Buffer.byteLength(text);
  if (bytes > NAME_BYTES_MAX) return `has ${bytes} bytes, must have at most ${NAME_BYTES_MAX}`;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) {
      const hex = code.toString(16).padStart(2, '0');
      return `has a control character (0x${hex}) at position ${i}: take it out (is it a line end?)`;
    }
  }
  return undefined;
}
