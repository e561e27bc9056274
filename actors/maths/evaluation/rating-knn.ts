/**
 * rating-knn: ratings by those of similar rows: of users who rated the item, or of items that the user rated (Herlocker et al. 1999; Sarwar et al. 2001).
 *
 *   m(a) = (Σ r + 5 μ) / (n(a) + 5)                            mean of a row's ratings, drawn to that of all
 *   d(a, j) = r(a, j) − m(a)
 *   s(a, b) = |both| / (|both| + β) · Σ over both of d(a, j) d(b, j) / √(Σ d(a, j)² · Σ d(b, j)²)      both  columns that a and b have; sums of squares over all columns of each
 *   r̂(a, j) = m(a) + Σ s(a, b) d(b, j) / Σ s(a, b)             b  the k rows with column j that are most similar to a, s > 0; without any, m(a)
 */
import { columnsOf, type Sparse, transposed } from '../als/sparse.js';

const MEAN_SHRINKAGE = 5;

export interface KnnOptions {
  /** k */
  readonly neighbours: number;
  /** β */
  readonly shrinkage: number;
}

/** Similarities of the row that was last asked for are kept: ask row by row. */
export function knn(ratings: Sparse, { neighbours, shrinkage }: KnnOptions): (row: number, column: number) => number {
  const { rows, start, value } = ratings;
  const mean = value.reduce((sum, one) => sum + one, 0) / value.length;
  const ofRow = (row: number): Float64Array => value.subarray(start[row], start[row + 1]);
  const means = Float64Array.from({ length: rows }, (_, row) => {
    const own = ofRow(row);
    return (own.reduce((sum, one) => sum + one, 0) + MEAN_SHRINKAGE * mean) / (own.length + MEAN_SHRINKAGE);
  });
  const centred = { ...ratings, value: value.slice() };
  for (let row = 0; row < rows; row++) {
    for (let at = start[row]!; at < start[row + 1]!; at++) centred.value[at]! -= means[row]!;
  }
  const norms = means.map((_, row) =>
    Math.sqrt(centred.value.subarray(start[row], start[row + 1]).reduce((sum, one) => sum + one * one, 0)),
  );
  const byColumn = transposed(centred);
  const [similarity, both] = [new Float64Array(rows), new Uint32Array(rows)];
  let known = -1;
  const compare = (row: number): void => {
    similarity.fill(0);
    both.fill(0);
    for (let at = start[row]!; at < start[row + 1]!; at++) {
      const column = centred.column[at]!;
      for (let other = byColumn.start[column]!; other < byColumn.start[column + 1]!; other++) {
        const b = byColumn.column[other]!;
        similarity[b]! += centred.value[at]! * byColumn.value[other]!;
        both[b]!++;
      }
    }
    for (let b = 0; b < rows; b++) {
      if (both[b]! > 0) similarity[b]! *= both[b]! / ((both[b]! + shrinkage) * norms[row]! * norms[b]!);
    }
    known = row;
  };
  return (row, column) => {
    if (known !== row) compare(row);
    const from = byColumn.start[column]!;
    const nearest = [...columnsOf(byColumn, column)]
      .map((b, i) => ({ s: similarity[b]!, d: byColumn.value[from + i]! }))
      .filter(({ s }) => s > 0)
      .sort((one, other) => other.s - one.s)
      .slice(0, neighbours);
    const weight = nearest.reduce((sum, { s }) => sum + s, 0);
    return means[row]! + (weight === 0 ? 0 : nearest.reduce((sum, { s, d }) => sum + s * d, 0) / weight);
  };
}
