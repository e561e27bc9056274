/**
 * row-system: the vector of one row, exactly: the linear systems of als.ts, by Cholesky. One row alone is fold-in: the vector of a user who came after the training.
 *
 *   A = G + Σ over entries e of w(e) y(e) y(e)ᵀ + λ m E        A x = Σ t(e) y(e)
 *   explicit   G = 0       w = 1      t = r          m = n, the number of entries
 *   implicit   G = Yᵀ Y    w = α r    t = 1 + α r    m = 1
 *
 * Entries go in four at a time, so that A is read and written once for four.
 */
import { factorise, solve } from './cholesky.js';
import type { Coefficients } from './kernel.js';
import { coefficientsOf, type SystemOptions } from './options.js';

const AT_ONCE = 4;

export class RowSystem {
  private readonly a: Float64Array;
  private readonly rows: Float64Array;
  private readonly coefficients: Coefficients;

  /** `gram`: the lower triangle of G, of implicit factors. */
  constructor(
    private readonly fixed: Float64Array,
    private readonly options: SystemOptions,
    private readonly gram = gramOf(
      fixed,
      [0, options.alpha === undefined ? 0 : fixed.length / options.rank],
      options.rank,
    ),
  ) {
    this.a = new Float64Array(options.rank ** 2);
    this.rows = new Float64Array(options.rank * AT_ONCE);
    this.coefficients = coefficientsOf(options);
  }

  /** Zeros for a row without entries. */
  solve(columns: Uint32Array, values: Float64Array, x: Float64Array): void {
    const { a } = this;
    const { rank, alpha, regularisation } = this.options;
    x.fill(0);
    if (columns.length === 0) return;
    a.set(this.gram);
    for (let first = 0; first < columns.length; first += AT_ONCE) this.add(columns, values, first, x);
    const diagonal = regularisation * (alpha === undefined ? columns.length : 1);
    for (let j = 0; j < rank; j++) a[j * rank + j]! += diagonal;
    factorise(a, rank);
    solve(a, x, rank);
  }

  private add(columns: Uint32Array, values: Float64Array, first: number, x: Float64Array): void {
    const { rows, fixed } = this;
    const { rank } = this.options;
    const [t0, t1, w0, w1] = this.coefficients;
    const weights: Weights = [0, 0, 0, 0];
    rows.fill(0);
    for (let i = 0; i < AT_ONCE && first + i < columns.length; i++) {
      const at = columns[first + i]! * rank;
      const value = values[first + i]!;
      weights[i] = w0 + w1 * value;
      for (let j = 0; j < rank; j++) {
        rows[i * rank + j] = fixed[at + j]!;
        x[j]! += (t0 + t1 * value) * fixed[at + j]!;
      }
    }
    addProducts(this.a, rows, rank, weights);
  }
}

type Weights = [number, number, number, number];

/** Adds Σ w y yᵀ of four rows: the lower triangle. */
function addProducts(a: Float64Array, rows: Float64Array, rank: number, [v, w, y, z]: Weights): void {
  const [second, third, fourth] = [rank, 2 * rank, 3 * rank];
  for (let j = 0; j < rank; j++) {
    const p = v * rows[j]!;
    const q = w * rows[second + j]!;
    const r = y * rows[third + j]!;
    const s = z * rows[fourth + j]!;
    for (let k = 0, at = j * rank; k <= j; k++, at++) {
      a[at]! += p * rows[k]! + q * rows[second + k]! + (r * rows[third + k]! + s * rows[fourth + k]!);
    }
  }
}

/** Yᵀ Y of the rows from one to before another, `stride` numbers apart: the lower triangle. */
export function gramOf(
  vectors: Float64Array | Float32Array,
  [from, to]: readonly [number, number],
  rank: number,
  stride = rank,
): Float64Array {
  const gram = new Float64Array(rank * rank);
  const rows = new Float64Array(rank * AT_ONCE);
  for (let first = from; first < to; first += AT_ONCE) {
    rows.fill(0);
    for (let i = 0; i < AT_ONCE && first + i < to; i++) {
      const at = (first + i) * stride;
      for (let j = 0; j < rank; j++) rows[i * rank + j] = vectors[at + j]!;
    }
    addProducts(gram, rows, rank, [1, 1, 1, 1]);
  }
  return gram;
}
