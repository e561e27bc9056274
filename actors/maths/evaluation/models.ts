/**
 * models: what lists are made of offline, from the training part of the interactions, which all count 1.
 *
 *   popular   s(u, i) = n(i)                                                        n  users of the item
 *   item-knn  s(u, i) = Σ over items j of u of cos(i, j), for i among the m nearest of j      cos(i, j) = |users of both| / √(n(i) n(j)), m = 100
 *   als       s(u, i) = x(u) · y(i), implicit (als/als.ts)
 *   ease      s(u, i): ease.ts, λ = 200
 *   blend     s(u, i) = 0.3 of als and 0.7 of ease, each divided by its standard deviation over the items that u has not
 */
import { trainAls, type Training as AlsTraining } from '../als/als.js';
import type { AlsOptions } from '../als/options.js';
import { ease as easeOf } from './ease.js';
import { scorerOf } from '../als/scores.js';
import { columnsOf, type Sparse } from '../als/sparse.js';

export const MODELS = ['popular', 'item-knn', 'als', 'ease', 'blend'] as const;
export type ModelName = (typeof MODELS)[number];

/** Users by row, items by column; and items by row. */
export interface Training {
  readonly byUser: Sparse;
  readonly byItem: Sparse;
}

/** Writes the scores of all items for a user. */
export type Scorer = (user: number, scores: Float64Array) => void;

export function popular({ byItem: { rows, start } }: Training): Scorer {
  const counts = Float64Array.from({ length: rows }, (_, item) => start[item + 1]! - start[item]!);
  return (_, scores) => {
    scores.set(counts);
  };
}

const NEIGHBOURS = 100;
const EASE_LAMBDA = 200;

export function itemKnn({ byUser, byItem }: Training): Scorer {
  const items = byItem.rows;
  const degree = (item: number): number => byItem.start[item + 1]! - byItem.start[item]!;
  const neighbours: Uint32Array[] = [];
  const cosines: Float64Array[] = [];
  const common = new Float64Array(items);
  for (let item = 0; item < items; item++) {
    const found: number[] = [];
    for (const user of columnsOf(byItem, item)) {
      for (const other of columnsOf(byUser, user)) {
        if (common[other] === 0) found.push(other);
        common[other]!++;
      }
    }
    const cosine = (other: number): number => common[other]! / Math.sqrt(degree(item) * degree(other));
    const nearest = found
      .filter((other) => other !== item)
      .sort((a, b) => cosine(b) - cosine(a) || a - b)
      .slice(0, NEIGHBOURS);
    neighbours.push(Uint32Array.from(nearest));
    cosines.push(Float64Array.from(nearest, cosine));
    for (const other of found) common[other] = 0;
  }
  return (user, scores) => {
    scores.fill(0);
    for (const item of columnsOf(byUser, user)) {
      neighbours[item]!.forEach((other, i) => (scores[other]! += cosines[item]![i]!));
    }
  };
}

export const als = ({ byUser }: Training, options: AlsOptions, training: AlsTraining = {}): Scorer =>
  scorerOf(trainAls(byUser, options, training));

export const ease = ({ byUser, byItem }: Training): Scorer => easeOf(byUser, byItem, EASE_LAMBDA);

/** Scorers with their weights. */
export function blend({ byUser }: Training, parts: readonly (readonly [Scorer, number])[]): Scorer {
  return (user, scores) => {
    const own = columnsOf(byUser, user);
    const part = new Float64Array(scores.length);
    scores.fill(0);
    for (const [score, weight] of parts) {
      score(user, part);
      const scale = deviation(part, own);
      if (scale > 0) part.forEach((one, item) => (scores[item]! += (weight * one) / scale));
    }
  };
}

/** The standard deviation of all but some. */
function deviation(values: Float64Array, without: Uint32Array): number {
  const n = values.length - without.length;
  let [sum, squares] = [0, 0];
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  for (const item of without) {
    sum -= values[item]!;
    squares -= values[item]! ** 2;
  }
  return n < 2 ? 0 : Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2));
}
