import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../actors/maths/packed-bytes.js';
import {
  appendToList,
  firstKind,
  packedList,
  packList,
  type RankedItem,
  unpackList,
} from '../../../actors/maths/ranked-list.js';
import { ranked } from '../../../actors/model.js';
import { frameOf } from '../../../runtime/contract/stage.js';

const item = fc.record({
  item: fc.string({ minLength: 1, maxLength: 40 }),
  // What rows of one category share is drawn together.
  group: fc.constantFrom(
    { category: 'kids', interest: 3.2, interestRank: 1, kind: 0 },
    { category: 'auto', interest: 0.1, interestRank: 2, kind: 0 },
    { category: 'auto', interest: NaN, interestRank: 0, kind: 1 },
    { category: undefined, interest: NaN, interestRank: 0, kind: 1 },
  ),
  score: fc.double({ noNaN: true }),
});
const lists = fc
  .array(item, { maxLength: 100 })
  .map((all) => all.map(({ group, ...rest }, i): RankedItem => ({ ...rest, ...group, rank: i + 1 })));
const frameFrom = (items: readonly RankedItem[]) =>
  frameOf(
    ranked,
    items.map((row) => ({ user: 'u', ...row })),
  );

describe('a packed list', () => {
  it('holds what the rows held', () => {
    fc.assert(
      fc.property(lists, (items) => {
        const packed = packList(frameFrom(items), 0, items.length);
        expect(unpackList(packedList.decode(packedList.encode(packed))).items).toEqual(items);
      }),
      { seed: 8 },
    );
  });

  it('may come in two parts', () => {
    fc.assert(
      fc.property(lists, fc.nat({ max: 100 }), (items, cut) => {
        const [first, rest] = [items.slice(0, cut), items.slice(cut)];
        const packed = appendToList(packList(frameFrom(first), 0, first.length), frameFrom(rest), 0, rest.length);
        expect(unpackList(packed).items).toEqual(items);
      }),
      { seed: 9 },
    );
  });

  it('tells the type of its first item without being unpacked', () => {
    fc.assert(
      fc.property(lists, (items) => {
        fc.pre(items.length > 0);
        expect(firstKind(packList(frameFrom(items), 0, items.length))).toBe(items[0]!.kind);
      }),
      { seed: 10 },
    );
  });

  it('of the row without an item is empty', () => {
    const frame = frameOf(ranked, [{ user: 'u', rank: 0 }]);
    expect(unpackList(packList(frame, 0, 1)).items).toEqual([]);
  });

  it('is small', () => {
    const items = Array.from({ length: 100 }, (_, i) => ({
      user: 'u',
      item: String(1_000_000 + i),
      category: 'kids',
      score: i,
      interest: 1,
    }));
    expect(packList(frameOf(ranked, items), 0, 100).length).toBeLessThan(1_800);
  });

  it('of an unknown version is refused', () => {
    expect(() => unpackList(Uint8Array.of(9))).toThrow(/version 9/);
  });
});

it('packed bytes come back as they were written', () => {
  const writer = new ByteWriter();
  const numbers = [0, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32 - 1];
  const text = new TextEncoder().encode('x'.repeat(5_000) + 'é');
  for (const number of numbers) writer.varint(number);
  writer.f64(-0.1);
  writer.byte(255);
  writer.text(text, 0, text.length);
  const reader = new ByteReader(writer.take());
  expect(numbers.map(() => reader.varint())).toEqual(numbers);
  expect([reader.f64(), reader.byte(), reader.text(), reader.atEnd]).toEqual([
    -0.1,
    255,
    'x'.repeat(5_000) + 'é',
    true,
  ]);
  expect(writer.take()).toHaveLength(0);
});
