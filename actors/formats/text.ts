/** Checks of text in the form of bytes. */

/** Whether bytes [start, end) are well-formed UTF-8: no stray or overlong bytes, no surrogates, nothing above U+10FFFF. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const lead = bytes[at++]!;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (at + more > end) return false;
    const second = bytes[at]!;
    if (lead === 0xe0 && second < 0xa0) return false;
    if (lead === 0xed && second > 0x9f) return false;
    if (lead === 0xf0 && second < 0x90) return false;
    if (lead === 0xf4 && second > 0x8f) return false;
    for (const last = at + more; at < last; at++) if ((bytes[at]! & 0xc0) !== 0x80) return false;
  }
  return true;
}

/** Whether well-formed UTF-8 contains a control character: U+0000–U+001F, U+007F–U+009F. */
export function hasControls(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < 0x20 || byte === 0x7f || (byte === 0xc2 && bytes[at + 1]! < 0xa0)) return true;
  }
  return false;
}

/** Characters (code points) in well-formed UTF-8. */
export function charactersIn(bytes: Uint8Array, start: number, end: number): number {
  let characters = 0;
  for (let at = start; at < end; at++) if ((bytes[at]! & 0xc0) !== 0x80) characters++;
  return characters;
}

/** Whether bytes [start, end) are exactly `expected`. */
export function isText(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}
