/**
 * als: factors of users and items by alternating least squares. With one side fixed, the best vector of each row of the other is a linear system.
 *
 *   explicit   minimise Σ over ratings (r(u, i) − x(u)·y(i))² + λ Σ_u n(u) |x(u)|² + λ Σ_i n(i) |y(i)|²          n  number of ratings
 *              x(u) = (Σ_i y(i) y(i)ᵀ + λ n(u) E)⁻¹ Σ_i r(u, i) y(i)
 *   implicit   minimise Σ over all u, i c(u, i) (p(u, i) − x(u)·y(i))² + λ (Σ_u |x(u)|² + Σ_i |y(i)|²)
 *              c = 1 + α r(u, i), p = 1 where there is an r; else c = 1, p = 0
 *              x(u) = (Yᵀ Y + Σ_i (c − 1) y(i) y(i)ᵀ + λ E)⁻¹ Σ_i c y(i)
 *
 * and the same for y. Sources: Zhou et al. 2008 (explicit, λ weighted by n, as in Spark MLlib); Hu, Koren and Volinsky 2008 (implicit).
 *
 * Vectors of items begin at random with positive numbers, as ratings are: with other signs ten iterations end with an error 2 % higher. A row without entries has zeros. The result depends on the entries, the options and the seed alone.
 */
import { gaussian, seededRandom } from '../random.js';
import { factorise, solve } from './cholesky.js';
import { type Sparse, transposed } from './sparse.js';

export interface AlsOptions {
  /** α of implicit factors; absent: explicit. */
  readonly alpha?: number;
  /** Numbers per vector. */
  readonly rank: number;
  readonly iterations: number;
  /** λ */
  readonly regularisation: number;
  readonly seed: number;
}

/** `rank` numbers per row, row after row. */
export interface Factors {
  readonly rank: number;
  readonly users: Float64Array;
  readonly items: Float64Array;
}

/** x(u) · y(i) */
export function scoreOf({ rank, users, items }: Factors, user: number, item: number): number {
  const [x, y] = [user * rank, item * rank];
  let sum = 0;
  for (let k = 0; k < rank; k++) sum += users[x + k]! * items[y + k]!;
  return sum;
}

/** `ratings`: users by row, items by column. `onIteration`: how many are done. */
export function trainAls(
  ratings: Sparse,
  options: AlsOptions,
  onIteration: (done: number) => void = () => undefined,
): Factors {
  const { rank, iterations, seed } = options;
  const byItem = transposed(ratings);
  const random = seededRandom(seed);
  const users = new Float64Array(ratings.rows * rank);
  const items = Float64Array.from(
    { length: ratings.columns * rank },
    () => Math.abs(gaussian(random)) / Math.sqrt(rank),
  );
  for (let done = 1; done <= iterations; done++) {
    solveRows(ratings, items, users, options);
    solveRows(byItem, users, items, options);
    onIteration(done);
  }
  return { rank, users, items };
}

/** Sets the vectors of all rows, given those of the columns. */
function solveRows(known: Sparse, fixed: Float64Array, solved: Float64Array, options: AlsOptions): void {
  const system = new RowSystem(fixed, known.columns, options);
  const { start, column, value } = known;
  for (let row = 0; row < known.rows; row++) {
    const [from, to] = [start[row]!, start[row + 1]!];
    const at = row * options.rank;
    system.solve(column.subarray(from, to), value.subarray(from, to), solved.subarray(at, at + options.rank));
  }
}

/** The linear systems of the rows of one side. Solving one alone is fold-in: the vector of a user who came after the training. */
export class RowSystem {
  private readonly gram: Float64Array;
  private readonly a: Float64Array;

  constructor(
    private readonly fixed: Float64Array,
    columns: number,
    private readonly options: AlsOptions,
  ) {
    const { rank, alpha } = options;
    this.gram = alpha === undefined ? new Float64Array(rank * rank) : gramOf(fixed, columns, rank);
    this.a = new Float64Array(rank * rank);
  }

  solve(columns: Uint32Array, values: Float64Array, x: Float64Array): void {
    const { fixed, a } = this;
    const { rank, alpha, regularisation } = this.options;
    x.fill(0);
    if (columns.length === 0) return;
    a.set(this.gram);
    for (let i = 0; i < columns.length; i++) {
      const at = columns[i]! * rank;
      const [more, target] = alpha === undefined ? [1, values[i]!] : [alpha * values[i]!, 1 + alpha * values[i]!];
      for (let j = 0; j < rank; j++) {
        const weighted = more * fixed[at + j]!;
        x[j]! += target * fixed[at + j]!;
        for (let k = 0; k <= j; k++) a[j * rank + k]! += weighted * fixed[at + k]!;
      }
    }
    const diagonal = regularisation * (alpha === undefined ? columns.length : 1);
    for (let j = 0; j < rank; j++) a[j * rank + j]! += diagonal;
    factorise(a, rank);
    solve(a, x, rank);
  }
}

/** Yᵀ Y: the lower triangle. */
function gramOf(vectors: Float64Array, rows: number, rank: number): Float64Array {
  const gram = new Float64Array(rank * rank);
  for (let row = 0, at = 0; row < rows; row++, at += rank) {
    for (let j = 0; j < rank; j++) {
      const one = vectors[at + j]!;
      for (let k = 0; k <= j; k++) gram[j * rank + k]! += one * vectors[at + k]!;
    }
  }
  return gram;
}
