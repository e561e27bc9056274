/**
 * listwise-logit: scores of candidates from their features, with weights that follow what users choose.
 *
 *   s(x) = (W(all) + W(c)) · f(x)                                    c  the context of the question
 *   p = softmax(s)      g = f(y) − Σ_x p(x) f(x)                     y  the candidate that the user chose
 *   A ← A + g²          W ← (1 − 10⁻⁶) W + 0.1 g / √A                for W(all) and for W(c); A starts at 10⁻⁸, W(all) at what is given, W(c) at 0
 *
 * The loss −log p(y) is convex in W, and steps are those of AdaGrad (Duchi, Hazan and Singer 2011), so the regret against the best fixed weights grows with
 * the square root of the number of steps. Every feature has a step size of its own: its unit does not matter.
 */
const RATE = 0.1;
const SHRINK = 1 - 1e-6;
const SQUARES_FROM = 1e-8;

/** Weights and their sums of squares: of all contexts together, then of each; `features` numbers for each. */
export interface Weights {
  readonly values: Float64Array;
  readonly squares: Float64Array;
}

/** `first`: W(all), a number for each feature. */
export function newWeights(first: readonly number[], contexts: number): Weights {
  const values = new Float64Array(first.length * (contexts + 1));
  values.set(first);
  return { values, squares: new Float64Array(values.length).fill(SQUARES_FROM) };
}

/** Features of candidates, candidate after candidate; `values` may be longer. */
export interface FeatureRows {
  readonly features: number;
  readonly count: number;
  readonly values: Float64Array;
}

/** W(all) + W(c) */
export function weightsIn({ values }: Weights, features: number, context: number): Float64Array {
  return Float64Array.from({ length: features }, (_, k) => values[k]! + values[features * (context + 1) + k]!);
}

/** s(x) of each candidate. */
export function scored(weights: Weights, { features, count, values }: FeatureRows, context: number): Float64Array {
  const sums = weightsIn(weights, features, context);
  const scores = new Float64Array(count);
  for (let x = 0, at = 0; x < count; x++) {
    let score = 0;
    for (let k = 0; k < features; k++) score += sums[k]! * values[at++]!;
    scores[x] = score;
  }
  return scores;
}

/** One step towards the candidate `chosen`. `scores` are those of these weights. */
export function learn(
  weights: Weights,
  rows: FeatureRows,
  context: number,
  scores: Float64Array,
  chosen: number,
): void {
  const { features, count, values } = rows;
  const gradient = values.slice(chosen * features, (chosen + 1) * features);
  const p = softmax(scores);
  for (let x = 0, at = 0; x < count; x++) {
    for (let k = 0; k < features; k++) gradient[k]! -= p[x]! * values[at++]!;
  }
  for (const from of [0, features * (context + 1)]) {
    for (let k = 0; k < features; k++) {
      const g = gradient[k]!;
      weights.squares[from + k]! += g * g;
      weights.values[from + k] =
        weights.values[from + k]! * SHRINK + (RATE * g) / Math.sqrt(weights.squares[from + k]!);
    }
  }
}

function softmax(scores: Float64Array): Float64Array {
  let highest = -Infinity;
  for (const score of scores) highest = Math.max(highest, score);
  let sum = 0;
  const p = scores.map((score) => {
    const one = Math.exp(score - highest);
    sum += one;
    return one;
  });
  return p.map((one) => one / sum);
}
