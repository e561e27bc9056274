/** Dictionaries (DICTIONARY-1, DICTIONARY-2). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fnv1a, fnv1aOf, textOf, utf8 } from '../../../runtime/frames/bytes.js';
import {
  ABSENT,
  CodeMap,
  DictionaryBuilder,
  entryStart,
  Excerpt,
  hashAt,
  textAt,
} from '../../../runtime/frames/dictionary.js';

const word = fc.oneof(fc.string({ maxLength: 6 }), fc.string({ unit: 'grapheme', maxLength: 40 }));

describe('a dictionary', () => {
  it('holds "absent" as code 0, the empty string too (DICTIONARY-1)', () => {
    const builder = new DictionaryBuilder();
    expect([builder.addText(undefined), builder.addText(''), builder.add(utf8('ab'), 1, 1)]).toEqual([0, 0, 0]);
    expect(builder.size).toBe(1);
    expect(textAt(builder.view(), ABSENT)).toBeUndefined();
  });

  it('hands out 1, 2, 3… in order of first sight (DICTIONARY-2)', () => {
    const builder = new DictionaryBuilder();
    const bytes = utf8('cart view cart');
    const codes = [builder.add(bytes, 0, 4), builder.add(bytes, 5, 9), builder.add(bytes, 10, 14)];
    expect(codes).toEqual([1, 2, 1]);
    expect([1, 2].map((code) => textAt(builder, code))).toEqual(['cart', 'view']);
  });

  it('knows the texts that it holds, by another dictionary, and no others', () => {
    const texts = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { maxLength: 200, size: 'max' });
    fc.assert(
      fc.property(texts, texts, (inside, asked) => {
        const own = new DictionaryBuilder();
        for (const text of inside) own.addText(text);
        const other = new DictionaryBuilder();
        for (const text of asked) expect(own.holds(other, other.addText(text))).toBe(inside.includes(text));
        expect(own.size).toBe(inside.length + 1);
      }),
    );
  });

  it('agrees with a map over any words, through growing and rehashing', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 1_500, size: 'max' }), (words) => {
        const builder = new DictionaryBuilder();
        const oracle = new Map<string, number>();
        for (const text of words) {
          if (text !== '' && !oracle.has(text)) oracle.set(text, oracle.size + 1);
          expect(builder.addText(text)).toBe(text === '' ? ABSENT : oracle.get(text));
        }
        const view = builder.view();
        expect(view.size).toBe(oracle.size + 1);
        for (const [text, code] of oracle) {
          expect(textAt(view, code)).toBe(text);
          expect(hashAt(view, code)).toBe(fnv1a(utf8(text)));
          expect(textOf(view.bytes, entryStart(view, code), view.ends[code])).toBe(text);
        }
      }),
      { numRuns: 10 },
    );
  });

  it('takes in at once what it has nothing of, as if word by word', () => {
    const some = fc.uniqueArray(word, { maxLength: 100, size: 'max' });
    fc.assert(
      fc.property(some, fc.nat(100), fc.array(word, { maxLength: 20 }), (words, at, more) => {
        const [own, other, oracle] = [new DictionaryBuilder(), new DictionaryBuilder(), new DictionaryBuilder()];
        for (const text of words) oracle.addText(text);
        for (const text of words.slice(0, at)) own.addText(text);
        for (const text of words.slice(at)) other.addText(text);
        const { size } = own;
        expect(own.append(other.view())).toBe(size);
        for (const text of [...more, ...words]) expect(own.addText(text)).toBe(oracle.addText(text));
        expect(own.view()).toEqual(oracle.view());
      }),
    );
  });

  it('gives views that later words do not show in, even after it has grown', () => {
    const builder = new DictionaryBuilder();
    builder.addText('first');
    const view = builder.view();
    for (let i = 0; i < 10_000; i++) builder.addText(`word ${i}`);
    expect(view.size).toBe(2);
    expect(view.ends).toHaveLength(2);
    expect(view.bytes).toHaveLength(5);
    expect(textAt(view, 1)).toBe('first');
    expect(textAt(builder, 10_001)).toBe('word 9999');
  });

  it('tells words of one hash apart', () => {
    // A known pair for FNV-1a, 32 bits.
    expect(fnv1a(utf8('costarring'))).toBe(fnv1a(utf8('liquid')));
    const builder = new DictionaryBuilder();
    expect([builder.addText('costarring'), builder.addText('liquid'), builder.addText('costarring')]).toEqual([
      1, 2, 1,
    ]);
  });
});

describe('a code map', () => {
  it('leads the codes of one dictionary to those of another', () => {
    fc.assert(
      fc.property(fc.array(word), fc.array(word), (theirs, ours) => {
        const from = new DictionaryBuilder();
        const codes = theirs.map((text) => from.addText(text));
        const to = new DictionaryBuilder();
        for (const text of ours) to.addText(text);
        const map = new CodeMap(from.view(), to);
        expect(map.get(ABSENT)).toBe(ABSENT);
        for (const code of [...codes, ...codes]) expect(textAt(to, map.get(code))).toBe(textAt(from, code));
      }),
    );
  });
});

describe('bytes', () => {
  it.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
  ])('FNV-1a of %j is the published one', (text, hash) => {
    expect(fnv1a(utf8(text))).toBe(hash);
  });

  it('FNV-1a of a text is that of its bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
        expect(fnv1aOf(text)).toBe(fnv1a(utf8(text)));
      }),
    );
  });

  it('text goes to bytes and back, whole or in part', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), word, (text, around) => {
        const bytes = utf8(around + text + around);
        const start = utf8(around).length;
        expect(textOf(bytes, start, start + utf8(text).length)).toBe(text);
      }),
    );
  });
});

describe('an excerpt', () => {
  it('holds what was asked for, in that order, of a small dictionary and of a large one', () => {
    const size = fc.constantFrom(3, 40, 5_000);
    const asked = fc.array(fc.nat(), { maxLength: 60, size: 'max' });
    fc.assert(
      fc.property(size, asked, (words, picks) => {
        const builder = new DictionaryBuilder();
        for (let n = 1; n <= words; n++) builder.addText(`word-${n}`);
        const excerpt = new Excerpt(builder, picks.length);
        const oracle = new DictionaryBuilder();
        for (const pick of picks) {
          const code = pick % (words + 1);
          expect(excerpt.get(code)).toBe(oracle.addFrom(builder, code));
        }
        const [view, expected] = [excerpt.view(), oracle.view()];
        expect(view.size).toBe(expected.size);
        expect([...view.ends]).toEqual([...expected.ends]);
        expect([...view.bytes]).toEqual([...expected.bytes]);
      }),
    );
  });
});
