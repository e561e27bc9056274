/** Frames as bytes. Narrow codes change width at 256 and 65536 dictionary entries. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { type Frame, FrameBuilder, frameOf, frameType, rowsOf, slice } from '../../../runtime/frames/frame.js';
import { decodeFrame, encodeFrame } from '../../../runtime/frames/codec.js';
import { kinds, kindsFrame, kindsRows } from './random-frames.js';

const names = frameType('names', { name: 'text' });

/** A frame whose dictionary has this many entries, "absent" included, each used by one row, the last code twice. */
function withEntries(size: number): Frame<typeof names.columns> {
  const builder = new FrameBuilder(names, size + 1);
  for (let code = 0; code < size; code++) builder.add(code === 0 ? {} : { name: `n${code}` });
  builder.add(size === 1 ? {} : { name: `n${size - 1}` });
  return builder.finish();
}

const messageOf = (frame: Frame) => fromBinary(FrameSchema, encodeFrame(frame));
const widthOf = (frame: Frame): number => messageOf(frame).columns[0]!.width;

describe('a frame as bytes', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(kindsRows(300), (rows) => {
        expect(rowsOf(decodeFrame(encodeFrame(kindsFrame(rows)), kinds))).toEqual(rows);
      }),
    );
  });

  it('is the same bytes each time: a replay says what was said', () => {
    fc.assert(
      fc.property(kindsRows(), (rows) => {
        expect(encodeFrame(kindsFrame(rows))).toEqual(encodeFrame(kindsFrame(rows)));
      }),
    );
  });

  it('is a protobuf message: what a generated reader makes of it has the same bytes', () => {
    fc.assert(
      fc.property(kindsRows(300), (rows) => {
        const bytes = encodeFrame(kindsFrame(rows));
        expect(toBinary(FrameSchema, fromBinary(FrameSchema, bytes))).toEqual(bytes);
      }),
    );
  });

  it('that is cut off is never read as if it were whole', () => {
    const bytes = encodeFrame(kindsFrame([{ name: 'a', tag: 'b', amount: 1, count: 1, flag: 1 }]));
    const whole = rowsOf(decodeFrame(bytes, kinds));
    for (let length = 0; length < bytes.length; length++) {
      const read = (): unknown => rowsOf(decodeFrame(bytes.subarray(0, length), kinds));
      // Between two columns the rest is as of an older writer.
      try {
        expect(read()).not.toEqual(whole);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
  });

  it('may lie anywhere in a larger buffer', () => {
    fc.assert(
      fc.property(kindsRows(20), fc.nat(9), (rows, offset) => {
        const bytes = encodeFrame(kindsFrame(rows));
        const buffer = new Uint8Array(bytes.length + 20).fill(0xee);
        buffer.set(bytes, offset);
        expect(rowsOf(decodeFrame(buffer.subarray(offset, offset + bytes.length), kinds))).toEqual(rows);
      }),
    );
  });

  it('may be a slice: rows of the middle, with codes of the whole dictionary', () => {
    fc.assert(
      fc.property(kindsRows(30), fc.nat(30), (rows, start) => {
        const from = Math.min(start, rows.length);
        const part = slice(kindsFrame(rows), from, rows.length);
        expect(rowsOf(decodeFrame(encodeFrame(part), kinds))).toEqual(rows.slice(from));
      }),
    );
  });

  it('keeps what numbers have at their edges', () => {
    const amounts = [0, -0, NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, 2 ** 53, -1.5];
    const frame = frameOf(
      kinds,
      amounts.map((amount) => ({ amount, count: 0xffffffff, flag: 255 })),
    );
    const decoded = decodeFrame(encodeFrame(frame), kinds);
    expect([...decoded.columns.amount]).toEqual(amounts);
    expect(new Set(decoded.columns.count)).toEqual(new Set([0xffffffff]));
    expect(new Set(decoded.columns.flag)).toEqual(new Set([255]));
  });

  it.each([
    [1, 0],
    [2, 1],
    [255, 1],
    [256, 1],
    [257, 2],
    [65_535, 2],
    [65_536, 2],
    [65_537, 4],
  ])('with %i dictionary entries has codes of %i bytes', (size, width) => {
    const frame = withEntries(size);
    expect(frame.columns.name.dictionary.size).toBe(size);
    expect(widthOf(frame)).toBe(width);
    expect(rowsOf(decodeFrame(encodeFrame(frame), names))).toEqual(rowsOf(frame));
  });

  it('does not spend bytes on columns that are absent everywhere', () => {
    const frame = frameOf(kinds, [{ count: 1 }, { count: 2 }]);
    const widths = Object.fromEntries(messageOf(frame).columns.map(({ name, width }) => [name, width]));
    expect(widths).toEqual({ name: 0, tag: 0, amount: 0, count: 4, flag: 1 });
    expect(rowsOf(decodeFrame(encodeFrame(frame), kinds))).toEqual(rowsOf(frame));
  });

  it('of an older writer: a column that it did not know is absent everywhere', () => {
    const older = frameType('kinds', { name: 'text', count: 'u32' });
    const decoded = decodeFrame(encodeFrame(frameOf(older, [{ name: 'a', count: 7 }])), kinds);
    expect(rowsOf(decoded)).toEqual([{ name: 'a', tag: undefined, amount: undefined, count: 7, flag: 0 }]);
  });

  it('of a newer writer: a column that we do not know is passed over', () => {
    const newer = frameType('names', { name: 'text', more: 'f64' });
    expect(rowsOf(decodeFrame(encodeFrame(frameOf(newer, [{ name: 'a', more: 1 }])), names))).toEqual([{ name: 'a' }]);
  });

  it('of another type is Fatal FRAME_TYPE', () => {
    expect(() => decodeFrame(encodeFrame(withEntries(3)), kinds)).toThrow(
      expect.objectContaining({ reaction: 'fatal', code: 'FRAME_TYPE' }),
    );
  });

  it('that is shorter than announced is Fatal FRAME_LENGTH, not wrong rows', () => {
    const wire = fromBinary(FrameSchema, encodeFrame(frameOf(kinds, [{ name: 'a', amount: 1, count: 1, flag: 1 }])));
    for (const column of wire.columns.filter(({ width }) => width > 0)) {
      const cut = fromBinary(FrameSchema, toBinary(FrameSchema, wire));
      const short = cut.columns.find(({ name }) => name === column.name)!;
      short.data = short.data.subarray(1);
      expect(() => decodeFrame(toBinary(FrameSchema, cut), kinds), column.name).toThrow(
        expect.objectContaining({ code: 'FRAME_LENGTH' }),
      );
    }
  });
});
