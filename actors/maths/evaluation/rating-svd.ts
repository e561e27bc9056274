/**
 * rating-svd: ratings by biases and factors, by stochastic gradient descent (Koren, Bell and Volinsky 2009).
 *
 *   r̂(u, i) = μ + b(u) + b(i) + x(u)·y(i)                minimise Σ (r − r̂)² + λ (b(u)² + b(i)² + |x(u)|² + |y(i)|²)
 *   for each rating, e = r − r̂:    b(u) += γ (e − λ b(u))    b(i) += γ (e − λ b(i))    x(u) += γ (e y(i) − λ x(u))    y(i) += γ (e x(u) − λ y(i))
 *
 * Ratings come in another order in each epoch. Factors begin at random, normal with deviation 0.1; the result follows from the seed.
 */
import { type Sparse } from '../als/sparse.js';
import { gaussian, seededRandom, shuffle } from '../random.js';

export interface SvdOptions {
  readonly rank: number;
  readonly epochs: number;
  /** γ */
  readonly rate: number;
  /** λ */
  readonly regularisation: number;
  readonly seed: number;
}

const DEVIATION = 0.1;

export function svd(ratings: Sparse, options: SvdOptions): (user: number, item: number) => number {
  const { rows, columns, start, column, value } = ratings;
  const { rank, epochs, rate, regularisation, seed } = options;
  const random = seededRandom(seed);
  const mean = value.reduce((sum, one) => sum + one, 0) / value.length;
  const [ofUsers, ofItems] = [new Float64Array(rows), new Float64Array(columns)];
  const [x, y] = [rows, columns].map((count) =>
    Float64Array.from({ length: count * rank }, () => DEVIATION * gaussian(random)),
  ) as [Float64Array, Float64Array];
  const predict = (user: number, item: number): number => {
    let sum = mean + ofUsers[user]! + ofItems[item]!;
    for (let k = 0; k < rank; k++) sum += x[user * rank + k]! * y[item * rank + k]!;
    return sum;
  };
  const users = new Uint32Array(value.length);
  for (let user = 0; user < rows; user++) users.fill(user, start[user], start[user + 1]);
  const order = Uint32Array.from(value.keys());
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random);
    for (const at of order) {
      const [user, item] = [users[at]!, column[at]!];
      const error = value[at]! - predict(user, item);
      ofUsers[user]! += rate * (error - regularisation * ofUsers[user]!);
      ofItems[item]! += rate * (error - regularisation * ofItems[item]!);
      for (let i = user * rank, j = item * rank, end = i + rank; i < end; i++, j++) {
        const [one, other] = [x[i]!, y[j]!];
        x[i] = one + rate * (error * other - regularisation * one);
        y[j] = other + rate * (error * one - regularisation * other);
      }
    }
  }
  return predict;
}
