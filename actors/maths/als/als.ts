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
 * Vectors of items begin at random with positive numbers, as ratings are: with other signs ten iterations end with an error 2 % higher. A row without entries has zeros. The result depends on the entries, the options, the seed and the factors that it starts from, never on the number of threads.
 */
import { gaussian, seededRandom } from '../random.js';
import type { AlsOptions } from './options.js';
import type { Sparse } from './sparse.js';
import { AlsThread, type AlsProblem, BLOCKS, PHASES, type Phase, problemOf } from './training.js';

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

/** Threads that share the work of a training. */
export interface Team {
  /** Returns when all blocks of the phase are done. */
  run(phase: Phase): void;
  end(): void;
}

export interface Training {
  /** How many are done, and what they have found. */
  readonly onIteration?: (done: number, factors: () => Factors) => 'stop' | void;
  /** Vectors of the first users and items; those after them are new. */
  readonly start?: Factors;
  readonly team?: (problem: AlsProblem) => Team;
}

/** `ratings`: users by row, items by column. */
export function trainAls(ratings: Sparse, options: AlsOptions, training: Training = {}): Factors {
  const problem = problemOf(ratings, options);
  const thread = new AlsThread(problem, 0);
  const { users, items } = thread;
  thread.begin(training.start?.users ?? new Float64Array(), initialItems(ratings.columns, options, training.start));
  const factors = (): Factors => ({ rank: options.rank, users: users.vectors(), items: items.vectors() });
  const team = (training.team ?? alone)(problem);
  try {
    for (let done = 1; done <= options.iterations; done++) {
      for (const phase of PHASES) team.run(phase);
      if (training.onIteration?.(done, factors) === 'stop') break;
    }
  } finally {
    team.end();
  }
  return factors();
}

function initialItems(count: number, { rank, seed }: AlsOptions, start?: Factors): Float64Array {
  if (start !== undefined && start.rank !== rank) throw new RangeError(`rank ${rank} cannot start from ${start.rank}`);
  const random = seededRandom(seed);
  const known = start?.items ?? [];
  return Float64Array.from(
    { length: count * rank },
    (_, i) => known[i] ?? Math.abs(gaussian(random)) / Math.sqrt(rank),
  );
}

function alone(problem: AlsProblem): Team {
  const thread = new AlsThread(problem, 0);
  return {
    run: (phase) => {
      thread.prepare(phase);
      for (let block = 0; block < BLOCKS; block++) thread.perform(phase, block);
    },
    end: () => undefined,
  };
}
