/**
 * loss: what als.ts minimises.
 *
 *   implicit   Σ over all u, i of (x(u)·y(i))² = Σ_u x(u)ᵀ G x(u), G = Yᵀ Y; for entries c (1 − x·y)² instead of (x·y)²
 */
import { type Factors, scoreOf } from './als.js';
import type { SystemOptions } from './options.js';
import { gramOf } from './row-system.js';
import { type Sparse, transposed } from './sparse.js';

export function lossOf(ratings: Sparse, factors: Factors, { alpha, regularisation }: SystemOptions): number {
  const { rank, users, items } = factors;
  const { rows, start, column, value } = ratings;
  let sum = 0;
  for (let user = 0; user < rows; user++) {
    for (let at = start[user]!; at < start[user + 1]!; at++) {
      const score = scoreOf(factors, user, column[at]!);
      sum += alpha === undefined ? (value[at]! - score) ** 2 : (1 + alpha * value[at]!) * (1 - score) ** 2 - score ** 2;
    }
  }
  if (alpha !== undefined) {
    const [ofUsers, ofItems] = [users, items].map((all) => gramOf(all, [0, all.length / rank], rank));
    // Of symmetric matrices: the sum of squares of X Yᵀ is that of products of XᵀX and YᵀY; what is beside the diagonal counts twice.
    for (let j = 0; j < rank; j++) {
      for (let k = 0; k <= j; k++) sum += (j === k ? 1 : 2) * ofUsers![j * rank + k]! * ofItems![j * rank + k]!;
    }
  }
  const sizes = (side: Sparse, vectors: Float64Array): number =>
    vectors.reduce((total, one, i) => {
      const row = Math.floor(i / rank);
      return total + one * one * (alpha === undefined ? side.start[row + 1]! - side.start[row]! : 1);
    }, 0);
  return sum + regularisation * (sizes(ratings, users) + sizes(transposed(ratings), items));
}
