/**
 * conjugate-gradient: the vector of one row, nearly: some steps towards the solution of the system of row-system.ts, from the vector that it had (Takács et al. 2011).
 *
 *   r = b − A x, p = r; then in each step      a = r·r / p·A p,  x += a p,  r′ = r − a A p,  p = r′ + (r′·r′ / r·r) p
 *
 * A is never made: A p = G p + Σ over entries e of w(e) (y(e)·p) y(e) + λ m p takes 4 n · rank operations, a step of Cholesky's way n · rank². In floats; rank² numbers of G and
 * three vectors are in memory of the thread's own.
 */
import { type Coefficients, type Kernel, strideOf } from './kernel.js';

/** What is left of r·r when floats have no more to gain. */
const SOLVED = 1e-12;

/** Where things are: in bytes, but for those named in floats. */
export interface GradientPlaces {
  /** rank × stride floats; undefined: zeros. */
  readonly gram: number | undefined;
  /** Three vectors, one after the other. */
  readonly scratch: number;
  readonly stride: number;
}

/** Entries of a row, filled up to a multiple of four by entries of zeros. */
export interface PackedRow {
  readonly columns: number;
  readonly values: number;
  readonly count: number;
}

export function conjugateGradient(
  floats: Float32Array,
  kernel: Kernel,
  { gram, scratch, stride }: GradientPlaces,
  y: number,
  [t0, t1, w0, w1]: Coefficients,
) {
  const bytes = stride * 4;
  const [r, p, ap] = [scratch, scratch + bytes, scratch + 2 * bytes] as const;
  const product = (a: number, b: number): number => {
    let sum = 0;
    for (let i = a / 4, j = b / 4, end = i + stride; i < end; i++, j++) sum += floats[i]! * floats[j]!;
    return sum;
  };
  const addTimes = (to: number, factor: number, from: number): void => {
    for (let i = to / 4, j = from / 4, end = i + stride; i < end; i++, j++) floats[i]! += factor * floats[j]!;
  };
  /** out = [b] − A v */
  const rest = (out: number, v: number, { columns, values, count }: PackedRow, diagonal: number, b: 0 | 1): void => {
    if (gram === undefined) floats.fill(0, out / 4, out / 4 + stride);
    else kernel.dots(out, v, gram, stride);
    for (let i = out / 4, j = v / 4, end = i + stride; i < end; i++, j++)
      floats[i] = -floats[i]! - diagonal * floats[j]!;
    kernel.accumulate(out, v, y, columns, values, count, b * t0, b * t1, w0, w1);
  };
  return (x: number, row: PackedRow, diagonal: number, steps: number): void => {
    rest(r, x, row, diagonal, 1);
    floats.copyWithin(p / 4, r / 4, r / 4 + stride);
    let length = product(r, r);
    const solved = SOLVED * length;
    for (let step = 0; step < steps && length > solved; step++) {
      rest(ap, p, row, diagonal, 0);
      const a = -length / product(p, ap);
      addTimes(x, a, p);
      addTimes(r, a, ap);
      const left = product(r, r);
      const turn = left / length;
      for (let i = r / 4, j = p / 4, end = i + stride; i < end; i++, j++) floats[j] = floats[i]! + turn * floats[j]!;
      length = left;
    }
  };
}

/** Of the lower triangle, at an address in bytes. */
export function setGram(floats: Float32Array, at: number, gram: Float64Array, rank: number): void {
  const stride = strideOf(rank);
  for (let j = 0; j < rank; j++) {
    for (let k = 0; k < rank; k++) floats[at / 4 + j * stride + k] = gram[j > k ? j * rank + k : k * rank + j]!;
  }
}
