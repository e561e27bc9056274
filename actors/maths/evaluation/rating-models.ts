/**
 * rating-models: predicted ratings, from those of the training part.
 *
 *   bias   r̂(u, i) = μ + b(i) + b(u)           μ  their mean        b(i) = Σ (r − μ) / (25 + n(i))        b(u) = Σ (r − μ − b(i)) / (10 + n(u))        Koren 2010
 *   als    r̂(u, i) = x(u) · y(i), explicit (als/als.ts)
 *   svd    biases and factors by gradient descent (rating-svd.ts): rank 50, 40 epochs, γ = 0.01, λ = 0.1
 *   user-knn, item-knn    by the 30 most similar users or items (rating-knn.ts): β = 10 and 100
 */
import { scoreOf, trainAls, type Training as AlsTraining } from '../als/als.js';
import type { AlsOptions } from '../als/options.js';
import { type Sparse, transposed } from '../als/sparse.js';
import { knn } from './rating-knn.js';
import { svd as svdOf } from './rating-svd.js';

export const RATING_MODELS = ['bias', 'user-knn', 'item-knn', 'svd', 'als'] as const;
export type RatingModelName = (typeof RATING_MODELS)[number];

export type Predictor = (user: number, item: number) => number;

const [ITEM_SHRINKAGE, USER_SHRINKAGE] = [25, 10];

export function bias(ratings: Sparse): Predictor {
  const { value } = ratings;
  const mean = value.reduce((sum, one) => sum + one, 0) / value.length;
  const ofItems = deviations(transposed(ratings), () => mean, ITEM_SHRINKAGE);
  const ofUsers = deviations(ratings, (item) => mean + ofItems[item]!, USER_SHRINKAGE);
  return (user, item) => mean + ofItems[item]! + ofUsers[user]!;
}

/** Of each row: how far its values are above what is expected of their columns, less for rows of few. */
function deviations({ rows, start, column, value }: Sparse, expected: (column: number) => number, shrinkage: number) {
  return Float64Array.from({ length: rows }, (_, row) => {
    const [from, to] = [start[row]!, start[row + 1]!];
    let sum = 0;
    for (let at = from; at < to; at++) sum += value[at]! - expected(column[at]!);
    return sum / (shrinkage + to - from);
  });
}

export function als(ratings: Sparse, options: AlsOptions, training: AlsTraining = {}): Predictor {
  const factors = trainAls(ratings, options, training);
  return (user, item) => scoreOf(factors, user, item);
}

/** Ask user by user. */
export const userKnn = (ratings: Sparse): Predictor => knn(ratings, { neighbours: 30, shrinkage: 10 });

/** Ask item by item. */
export function itemKnn(ratings: Sparse): Predictor {
  const predict = knn(transposed(ratings), { neighbours: 30, shrinkage: 100 });
  return (user, item) => predict(item, user);
}

export const svd = (ratings: Sparse, seed: number): Predictor =>
  svdOf(ratings, { rank: 50, epochs: 40, rate: 0.01, regularisation: 0.1, seed });
