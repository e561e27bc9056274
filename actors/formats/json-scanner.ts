/**
 * JSON's grammar (RFC 8259) over bytes: walks values without building them, so that their positions stay known. Numbers keep their digits (a 64-bit id is
 * not rounded), strings that need no decoding stay bytes, and refused parts are the publisher's own bytes.
 *
 * It accepts what `JSON.parse` accepts, except nesting deeper than DEPTH_MAX. Whether text is UTF-8 is checked by its reader.
 */
import {
  BACKSLASH,
  CARRIAGE_RETURN,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  LINE_FEED,
  MINUS,
  NINE,
  OPEN_BRACE,
  OPEN_BRACKET,
  PLUS,
  POINT,
  QUOTE,
  SPACE,
  ZERO,
} from '../maths/ascii.js';
import { utf8 } from '../../runtime/contract/stage.js';
import { isText } from './text.js';

export const DEPTH_MAX = 64;

const TAB = 0x09;
const SMALL = 0x20;
const E = 0x45;
const U = 0x75;
const WORDS = ['true', 'false', 'null'].map((word) => utf8(word));
const ESCAPES = utf8('"\\/bfnrt');

export class JsonScanner {
  at = 0;
  /** Whether any string since this was last set to false contained an escape, or anything but ASCII. */
  escaped = false;
  foreign = false;

  constructor(
    readonly bytes: Uint8Array,
    readonly end = bytes.length,
  ) {}

  /** The current byte, -1 at the end. */
  get byte(): number {
    return this.at < this.end ? this.bytes[this.at]! : -1;
  }

  skipSpace(): void {
    const { bytes, end } = this;
    let { at } = this;
    while (at < end && isSpace(bytes[at]!)) at++;
    this.at = at;
  }

  /** Skips one byte if it is this one. */
  skip(byte: number): boolean {
    if (this.byte !== byte) return false;
    this.at++;
    return true;
  }

  /** Skips one value; false when there is none: `at` is then the position of the error. */
  skipValue(depth = 0): boolean {
    const { byte } = this;
    if (byte === QUOTE) return this.skipString();
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return depth < DEPTH_MAX && this.skipNested(depth);
    if (byte === MINUS || isDigit(byte)) return this.skipNumber();
    return this.skipWord();
  }

  skipString(): boolean {
    const { bytes, end } = this;
    let at = this.at;
    if (at >= end || bytes[at] !== QUOTE) return false;
    for (at++; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.at = at + 1;
        return true;
      }
      if (byte === BACKSLASH) {
        this.escaped = true;
        this.at = at;
        if (!this.skipEscape()) return false;
        at = this.at - 1;
      } else if (byte < SPACE) break;
      else if (byte > 0x7e) this.foreign = true;
    }
    this.at = at;
    return false;
  }

  private skipEscape(): boolean {
    this.at++;
    if (this.skip(U)) {
      for (let i = 0; i < 4; i++) {
        const byte = this.byte;
        if (!isDigit(byte) && ((byte | SMALL) < 0x61 || (byte | SMALL) > 0x66)) return false;
        this.at++;
      }
      return true;
    }
    if (!ESCAPES.includes(this.byte)) return false;
    this.at++;
    return true;
  }

  private skipNumber(): boolean {
    this.skip(MINUS);
    if (!this.skip(ZERO) && !this.skipDigits()) return false;
    if (this.skip(POINT) && !this.skipDigits()) return false;
    if ((this.byte | SMALL) !== (E | SMALL)) return true;
    this.at++;
    if (!this.skip(PLUS)) this.skip(MINUS);
    return this.skipDigits();
  }

  private skipDigits(): boolean {
    const from = this.at;
    while (isDigit(this.byte)) this.at++;
    return this.at > from;
  }

  private skipWord(): boolean {
    for (const word of WORDS) {
      const after = this.at + word.length;
      if (after > this.end || !isText(this.bytes, this.at, after, word)) continue;
      this.at = after;
      return true;
    }
    return false;
  }

  private skipNested(depth: number): boolean {
    const isObject = this.byte === OPEN_BRACE;
    const close = isObject ? CLOSE_BRACE : CLOSE_BRACKET;
    this.at++;
    this.skipSpace();
    if (this.skip(close)) return true;
    for (;;) {
      if (isObject && !this.skipKey()) return false;
      if (!this.skipValue(depth + 1)) return false;
      this.skipSpace();
      if (this.skip(close)) return true;
      if (!this.skip(COMMA)) return false;
      this.skipSpace();
    }
  }

  /** Skips a key, the colon and the spaces around it. */
  skipKey(): boolean {
    if (!this.skipString()) return false;
    this.skipSpace();
    if (!this.skip(COLON)) return false;
    this.skipSpace();
    return true;
  }
}

export const isSpace = (byte: number): boolean =>
  byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB;

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;
