/** Arbitrary rows of a type that has every kind of column. */
import fc from 'fast-check';
import { type Frame, frameOf, frameType, type Row, rowsOf } from '../../../runtime/frames/frame.js';

export const kinds = frameType('kinds', { name: 'text', tag: 'text', amount: 'f64', count: 'u32', flag: 'u8' });
export type KindsRow = Row<typeof kinds.columns>;

const text = fc.option(fc.oneof(fc.constantFrom('a', 'b', 'c', 'u1', 'u2'), fc.string({ minLength: 1 })), {
  nil: undefined,
});

/** What a row of `frameOf` reads back as: absent texts and numbers are undefined, counts are 0. */
export const kindsRow: fc.Arbitrary<KindsRow> = fc.record({
  name: text,
  tag: text,
  amount: fc.option(fc.oneof(fc.double({ noNaN: true }), fc.integer()), { nil: undefined }),
  count: fc.nat({ max: 0xffffffff }),
  flag: fc.nat({ max: 255 }),
});

export const kindsRows = (maxLength = 60): fc.Arbitrary<KindsRow[]> => fc.array(kindsRow, { maxLength });

export const kindsFrame = (rows: readonly KindsRow[]): Frame<typeof kinds.columns> => frameOf(kinds, rows);

export const plainRows = (frame: Frame | undefined): unknown[] => (frame === undefined ? [] : rowsOf(frame));
