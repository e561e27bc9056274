import { expect, it } from 'vitest';
import { kernelOf, sharedMemory, strideOf } from '../../../../actors/maths/als/kernel.js';
import { dot } from './plain.js';

const ROWS = 8;
/** Twice the same, and in no order. */
const COLUMNS = [3, 1, 7, 0, 2, 2, 5, 4];
const BYTES = 4;

/** A rank with floats to spare, one of one vector, and one whose unrolled loop needs addresses of three bytes. */
it.each([1, 4, 10, 64, 510])('dots and accumulate are their formulas, rank %i', (rank) => {
  const stride = strideOf(rank);
  const [y, p, out, columns, values, dots] = [0, ROWS, ROWS + 1, ROWS + 2, ROWS + 4, ROWS + 6].map(
    (row) => row * Math.max(stride, ROWS),
  ) as [number, number, number, number, number, number];
  const memory = sharedMemory((dots + ROWS) * BYTES);
  const floats = new Float32Array(memory.buffer);
  const vectors = Array.from({ length: ROWS }, (_, row) =>
    Array.from({ length: rank }, (__, k) => Math.fround(Math.cos(row * k + row))),
  );
  const one = Array.from({ length: rank }, (_, k) => Math.fround(Math.sin(k + 1)));
  vectors.forEach((vector, row) => floats.set(vector, y + row * stride));
  floats.set(one, p);
  floats.set(one, out);
  new Uint32Array(memory.buffer).set(COLUMNS, columns);
  COLUMNS.forEach((_, e) => (floats[values + e] = e));
  const kernel = kernelOf(rank, memory);
  const at = (place: number): number => place * BYTES;

  kernel.dots(at(dots), at(p), at(y), ROWS);
  vectors.forEach((vector, row) => expect(floats[dots + row]).toBeCloseTo(dot(vector, one), 3));

  kernel.accumulate(at(out), at(p), at(y), at(columns), at(values), ROWS, 0.1, 0.2, 0.3, 0.4);
  const expected = one.map(
    (before, k) =>
      before +
      COLUMNS.reduce((sum, column, v) => {
        const score = dot(vectors[column]!, one);
        return sum + (0.1 + 0.2 * v - (0.3 + 0.4 * v) * score) * vectors[column]![k]!;
      }, 0),
  );
  const size = Math.sqrt(dot(expected, expected));
  expected.forEach((value, k) => expect(Math.abs(floats[out + k]! - value)).toBeLessThan(1e-5 * size));
});

it('refuses what does not fit in the memory of WebAssembly', () => {
  expect(() => sharedMemory(2 ** 33)).toThrow('4 GB');
});
