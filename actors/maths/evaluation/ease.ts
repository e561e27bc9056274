/**
 * ease: a linear model of items by items, in closed form (Steck 2019).
 *
 *   minimise |X − X B|² + λ |B|², with a diagonal of zeros in B          X  1 where a user has an item, else 0
 *   P = (XᵀX + λ E)⁻¹        B(j, i) = −P(j, i) / P(i, i)        s(u, i) = Σ over items j of u of B(j, i)
 *
 * Where there are fewer users than items, the matrix that is inverted is that of users, which gives the same scores (Woodbury): with
 * Q = (XXᵀ + λ E)⁻¹, x(i) the users of item i and w = Q X x(u),  s(u, i) = Σ over users v of i of w(v) / (1 − x(i)ᵀ Q x(i)).
 */
import { inverse } from '../als/cholesky.js';
import { columnsOf, type Sparse } from '../als/sparse.js';

/** The inverse takes time with the third power: half a minute at this number. */
export const SIDE_MAX = 2_000;

/** Writes the scores of all items that the user has not. */
export function ease(byUser: Sparse, byItem: Sparse, lambda: number): (user: number, scores: Float64Array) => void {
  const [users, items] = [byUser.rows, byItem.rows];
  if (items <= users) {
    const p = inverse(gram(byItem, byUser, lambda), items);
    return (user, scores) => {
      scores.fill(0);
      for (const j of columnsOf(byUser, user)) for (let i = 0; i < items; i++) scores[i]! -= p[j * items + i]!;
      for (let i = 0; i < items; i++) scores[i]! /= p[i * items + i]!;
    };
  }
  const q = inverse(gram(byUser, byItem, lambda), users);
  const rest = Float64Array.from({ length: items }, (_, i) => {
    const own = columnsOf(byItem, i);
    let sum = 0;
    for (const v of own) for (const w of own) sum += q[v * users + w]!;
    return 1 - sum;
  });
  const [shared, weights] = [new Float64Array(users), new Float64Array(users)];
  return (user, scores) => {
    shared.fill(0);
    for (const item of columnsOf(byUser, user)) for (const other of columnsOf(byItem, item)) shared[other]!++;
    for (let v = 0; v < users; v++) {
      let sum = 0;
      for (let w = 0; w < users; w++) sum += q[v * users + w]! * shared[w]!;
      weights[v] = sum;
    }
    for (let i = 0; i < items; i++) {
      let sum = 0;
      for (const v of columnsOf(byItem, i)) sum += weights[v]!;
      scores[i] = sum / rest[i]!;
    }
  };
}

/** M Mᵀ + λ E. */
function gram(rows: Sparse, columns: Sparse, lambda: number): Float64Array {
  const n = rows.rows;
  const product = new Float64Array(n * n);
  for (let row = 0; row < n; row++) {
    for (const column of columnsOf(rows, row))
      for (const other of columnsOf(columns, column)) product[row * n + other]!++;
    product[row * n + row]! += lambda;
  }
  return product;
}
