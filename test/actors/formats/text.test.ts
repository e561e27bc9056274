import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextSpecial } from '../../../actors/formats/special-bytes.js';
import { charactersIn, hasControls, isUtf8 } from '../../../actors/formats/text.js';
import { utf8 } from '../../../runtime/contract/stage.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const decodes = (bytes: Uint8Array): boolean => {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
};

/** Bytes that are nearly UTF-8: pieces of good text, and lead and continuation bytes at their limits. */
const nearlyUtf8 = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3 }).map(utf8),
      fc
        .constantFrom(
          0x00,
          0x7f,
          0x80,
          0x8f,
          0x90,
          0x9f,
          0xa0,
          0xbf,
          0xc0,
          0xc2,
          0xdf,
          0xe0,
          0xed,
          0xef,
          0xf0,
          0xf4,
          0xf5,
          0xff,
        )
        .map((byte) => Uint8Array.of(byte)),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

describe('text as bytes', () => {
  it('is UTF-8 when a strict decoder takes it', () => {
    fc.assert(
      fc.property(nearlyUtf8, (bytes) => {
        expect(isUtf8(bytes, 0, bytes.length)).toBe(decodes(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong three-byte form', [0xe0, 0x9f, 0xbf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['cut off', [0xe2, 0x82]],
  ])('is not UTF-8: %s', (_, bytes) => {
    expect(isUtf8(Uint8Array.from(bytes), 0, bytes.length)).toBe(false);
  });

  it('has the control characters that Unicode says, and as many characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bytes = utf8(text);
        expect(hasControls(bytes, 0, bytes.length)).toBe(/\p{Cc}/u.test(text));
        expect(charactersIn(bytes, 0, bytes.length)).toBe([...text].length);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the next special byte', () => {
  it('is the first that is not - to ~, whatever stands around it', () => {
    const bytes = fc.array(
      fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0x2d, max: 0x7e }) }, fc.nat({ max: 255 })),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(bytes, fc.nat({ max: 3 }), (list, before) => {
        const all = Uint8Array.from([...Array<number>(before).fill(0x61), ...list]);
        const view = new DataView(all.buffer);
        const found = list.findIndex((byte) => byte < 0x2d || byte > 0x7e);
        expect(nextSpecial(view, all, before, all.length)).toBe(found < 0 ? all.length : before + found);
      }),
      { numRuns: 3000 },
    );
  });

  it('is right for every byte in every place of a word', () => {
    for (let place = 0; place < 8; place++) {
      for (let byte = 0; byte < 256; byte++) {
        const all = new Uint8Array(8).fill(0x7a);
        all[place] = byte;
        const isSpecial = byte < 0x2d || byte > 0x7e;
        expect(nextSpecial(new DataView(all.buffer), all, 0, 8)).toBe(isSpecial ? place : 8);
      }
    }
  });
});
