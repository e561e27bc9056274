/** Frames: building, gathering, splitting. The oracle is arrays of plain rows. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fnv1a, utf8 } from '../../../runtime/frames/bytes.js';
import { FrameBuilder, frameOf, frameType, gather, partitionBy, rowsOf, slice } from '../../../runtime/frames/frame.js';
import { kinds, kindsFrame, type KindsRow, kindsRows, plainRows } from './random-frames.js';

const partitionOf = (name: string | undefined, n: number): number => (name === undefined ? 0 : fnv1a(utf8(name)) % n);

describe('a frame', () => {
  it('gives back the rows that it was made of', () => {
    fc.assert(
      fc.property(kindsRows(400), (rows) => {
        expect(rowsOf(kindsFrame(rows))).toEqual(rows);
      }),
    );
  });

  it('has NaN, 0 and code 0 where a row says nothing', () => {
    const frame = frameOf(kinds, [{}]);
    expect(frame.columns.amount[0]).toBeNaN();
    expect([frame.columns.count[0], frame.columns.flag[0], frame.columns.name.codes[0]]).toEqual([0, 0, 0]);
    expect(rowsOf(frame)).toEqual([{ name: undefined, tag: undefined, amount: undefined, count: 0, flag: 0 }]);
  });

  it('is the same by the fast path: reserve, write columns, count', () => {
    fc.assert(
      fc.property(kindsRows(700), fc.integer({ min: 1, max: 64 }), (rows, capacity) => {
        const builder = new FrameBuilder(kinds, capacity);
        for (const row of rows) {
          builder.reserve(1);
          const { columns, rows: at } = builder;
          columns.name.codes[at] = columns.name.dictionary.addText(row.name);
          columns.tag.codes[at] = columns.tag.dictionary.addText(row.tag);
          columns.amount[at] = row.amount ?? NaN;
          columns.count[at] = row.count ?? 0;
          columns.flag[at] = row.flag ?? 0;
          builder.rows++;
        }
        expect(rowsOf(builder.finish())).toEqual(rows);
      }),
      { numRuns: 50 },
    );
  });

  it('may have no rows and no columns', () => {
    expect(rowsOf(frameOf(kinds, []))).toEqual([]);
    expect(rowsOf(frameOf(frameType('none', {}), [{}, {}]))).toEqual([{}, {}]);
  });
});

describe('gather', () => {
  it('picks rows by number, in the given order, repeated where asked', () => {
    const picking = kindsRows(40)
      .filter((rows) => rows.length > 0)
      .chain((rows) => fc.tuple(fc.constant(rows), fc.array(fc.nat({ max: rows.length - 1 }))));
    fc.assert(
      fc.property(picking, ([rows, indexes]) => {
        const gathered = gather(kindsFrame(rows), Uint32Array.from(indexes));
        expect(rowsOf(gathered)).toEqual(indexes.map((at) => rows[at]));
      }),
    );
  });

  it('keeps of the dictionaries only what is used', () => {
    const frame = frameOf(kinds, [{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
    expect(gather(frame, Uint32Array.of(2)).columns.name.dictionary.size).toBe(2);
  });
});

describe('slice', () => {
  it('is the rows from start to before end', () => {
    fc.assert(
      fc.property(kindsRows(30), fc.nat(30), fc.nat(30), (rows, a, b) => {
        const [start, end] = [Math.min(a, b, rows.length), Math.min(Math.max(a, b), rows.length)];
        expect(rowsOf(slice(kindsFrame(rows), start, end))).toEqual(rows.slice(start, end));
      }),
    );
  });
});

describe('partitionBy', () => {
  it('is a naive split: each row to FNV-1a of its text mod n, absent to 0, order kept', () => {
    fc.assert(
      fc.property(kindsRows(120), fc.integer({ min: 1, max: 9 }), (rows, n) => {
        const naive: KindsRow[][] = Array.from({ length: n }, () => []);
        for (const row of rows) naive[partitionOf(row.name, n)]!.push(row);
        const split = partitionBy(kindsFrame(rows), 'name', n);
        expect(split.map(plainRows)).toEqual(naive);
        expect(split.map((part) => part === undefined)).toEqual(naive.map((part) => part.length === 0));
      }),
    );
  });

  it('does not depend on how rows were batched', () => {
    fc.assert(
      fc.property(kindsRows(), fc.nat(60), (rows, cut) => {
        const whole = partitionBy(kindsFrame(rows), 'name', 4).map(plainRows);
        const first = partitionBy(kindsFrame(rows.slice(0, cut)), 'name', 4).map(plainRows);
        const second = partitionBy(kindsFrame(rows.slice(cut)), 'name', 4).map(plainRows);
        expect(first.map((part, p) => [...part, ...second[p]!])).toEqual(whole);
      }),
    );
  });
});
