import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Factors, type Team, trainAls } from '../../../../actors/maths/als/als.js';
import { FoldIn } from '../../../../actors/maths/als/fold-in.js';
import { lossOf } from '../../../../actors/maths/als/loss.js';
import { type AlsOptions, type Solver, SOLVERS } from '../../../../actors/maths/als/options.js';
import { RowSystem } from '../../../../actors/maths/als/row-system.js';
import { type Sparse, sparse, transposed } from '../../../../actors/maths/als/sparse.js';
import { AlsThread, type AlsProblem, BLOCKS } from '../../../../actors/maths/als/training.js';
import { gaussian, seededRandom } from '../../../../actors/maths/random.js';
import { dot, type Matrix, product, solved, transpose, withDiagonal } from './plain.js';

const [USERS, ITEMS] = [7, 5];
/** A matrix of ratings; NaN for none. */
const ratings = fc.array(
  fc.array(fc.oneof(fc.constant(NaN), fc.integer({ min: 1, max: 5 })), { minLength: ITEMS, maxLength: ITEMS }),
  { minLength: USERS, maxLength: USERS },
);

function sparseOf(dense: Matrix): Sparse {
  const entries = dense.flatMap((row, user) => row.map((value, item) => ({ user, item, value })));
  const given = entries.filter(({ value }) => !Number.isNaN(value));
  return sparse({
    ...{ rows: dense.length, columns: dense[0]!.length },
    row: given.map(({ user }) => user),
    column: given.map(({ item }) => item),
    value: given.map(({ value }) => value),
  });
}

const rowsOf = (vectors: Float64Array, rank: number): Matrix =>
  Array.from({ length: vectors.length / rank }, (_, row) => [...vectors.subarray(row * rank, (row + 1) * rank)]);

/** The vectors of the rows by the formulas, given those of the columns. */
function rowsGiven(dense: Matrix, fixed: Matrix, { alpha, regularisation }: AlsOptions): Matrix {
  return dense.map((row) => {
    const known = [...row.keys()].filter((column) => !Number.isNaN(row[column]!));
    if (known.length === 0) return fixed[0]!.map(() => 0);
    const columns = alpha === undefined ? known : [...row.keys()];
    const confidence = (column: number): number =>
      alpha === undefined ? 1 : 1 + (known.includes(column) ? alpha * row[column]! : 0);
    const target = (column: number): number =>
      alpha === undefined ? row[column]! : known.includes(column) ? confidence(column) : 0;
    const own = columns.map((column) => fixed[column]!);
    const weighted = columns.map((column) => fixed[column]!.map((one) => one * confidence(column)));
    const a = withDiagonal(
      product(transpose(weighted), own),
      regularisation * (alpha === undefined ? known.length : 1),
    );
    return solved(
      a,
      transpose(own).map((ys) => dot(ys, columns.map(target))),
    );
  });
}

/** What is minimised, entry by entry. */
function plainLoss(dense: Matrix, { users, items, rank }: Factors, { alpha, regularisation }: AlsOptions): number {
  const [x, y] = [rowsOf(users, rank), rowsOf(items, rank)];
  const errors = dense.flatMap((row, u) =>
    row.map((r, i) => {
      const score = dot(x[u]!, y[i]!);
      if (Number.isNaN(r)) return alpha === undefined ? 0 : score ** 2;
      return alpha === undefined ? (r - score) ** 2 : (1 + alpha * r) * (1 - score) ** 2;
    }),
  );
  const sizes = (rows: Matrix, vectors: Matrix): number[] =>
    vectors.map((one, row) => dot(one, one) * (alpha === undefined ? rows[row]!.filter((r) => r > 0).length : 1));
  const all = [...sizes(dense, x), ...sizes(transpose(dense), y)].map((one) => regularisation * one);
  return [...errors, ...all].reduce((sum, one) => sum + one, 0);
}

/** A third of all ratings, by tastes of three numbers. */
function tastes(users: number, items: number): Sparse {
  const random = seededRandom(9);
  const vectors = (count: number): Matrix => Array.from({ length: count }, () => [1, 2, 3].map(() => gaussian(random)));
  const y = vectors(items);
  const rating = (x: readonly number[], of: readonly number[]): number =>
    random() < 2 / 3 ? NaN : Math.min(5, Math.max(1, Math.round(3 + dot(x, of))));
  return sparseOf(vectors(users).map((x) => y.map((of) => rating(x, of))));
}

/** Three threads, each of which does every third block, the last first. */
function inTurns(problem: AlsProblem): Team {
  const threads = [0, 1, 2].map((thread) => new AlsThread(problem, thread));
  return {
    run: (phase) => {
      for (const thread of threads) thread.prepare(phase);
      for (let block = BLOCKS - 1; block >= 0; block--) threads[block % 3]!.perform(phase, block);
    },
    end: () => undefined,
  };
}

const OPTIONS: AlsOptions = { rank: 3, iterations: 4, regularisation: 0.1, seed: 3 };

describe.each([
  ['explicit', OPTIONS],
  ['implicit', { ...OPTIONS, alpha: 2 }],
])('%s factors', (_, options) => {
  it('of items are those of the formula, given those of users', () => {
    fc.assert(
      fc.property(ratings, (dense) => {
        const { users, items, rank } = trainAls(sparseOf(dense), options);
        const expected = rowsGiven(transpose(dense), rowsOf(users, rank), options);
        expected.flat().forEach((one, i) => expect(items[i]).toBeCloseTo(one, 6));
      }),
    );
  });

  it('of a user folded in are those of the formula, given those of items', () => {
    fc.assert(
      fc.property(ratings, (dense) => {
        const known = sparseOf(dense);
        const { items, rank } = trainAls(known, options);
        const system = new RowSystem(items, options);
        rowsGiven(dense, rowsOf(items, rank), options).forEach((expected, user) => {
          const [from, to] = [known.start[user]!, known.start[user + 1]!];
          const x = new Float64Array(rank);
          system.solve(known.column.subarray(from, to), known.value.subarray(from, to), x);
          expected.forEach((one, k) => expect(x[k]).toBeCloseTo(one, 6));
        });
      }),
    );
  });

  it('of a user folded in by conjugate gradients are these to 1e-4', () => {
    fc.assert(
      fc.property(ratings, (dense) => {
        const known = sparseOf(dense);
        const { items } = trainAls(known, options);
        const foldIn = new FoldIn(items, options);
        rowsGiven(dense, rowsOf(items, options.rank), options).forEach((expected, user) => {
          const [from, to] = [known.start[user]!, known.start[user + 1]!];
          const x = foldIn.vector(known.column.subarray(from, to), known.value.subarray(from, to));
          expected.forEach((one, k) => expect(x[k]).toBeCloseTo(one, 4));
        });
      }),
    );
  });

  it('by conjugate gradients lose at most 1 % more than exact ones after ten iterations', () => {
    const known = tastes(200, 120);
    const lossBy = (solver: Solver): number => {
      const of = { ...options, rank: 8, iterations: 10, solver };
      return lossOf(known, trainAls(known, of), of);
    };
    expect(lossBy('conjugate-gradient') / lossBy('exact')).toBeLessThan(1.01);
  });

  it.each(SOLVERS)('are the same to the bit, by any threads and in any order of blocks (%s)', (solver) => {
    const known = tastes(300, 150);
    const of = { ...options, rank: 6, solver };
    expect(trainAls(known, of, { team: inTurns })).toEqual(trainAls(known, of));
  });

  it.each(SOLVERS)('that start from factors go on where these ended (%s)', (solver) => {
    const known = tastes(50, 30);
    const of = { ...options, solver };
    const start = trainAls(known, { ...of, iterations: 3 });
    expect(trainAls(known, { ...of, iterations: 2 }, { start })).toEqual(trainAls(known, { ...of, iterations: 5 }));
  });

  it('that start from factors of fewer rows find those of the new ones too', () => {
    const known = tastes(50, 30);
    const { users, items } = trainAls(known, { ...options, iterations: 10 });
    const start = { rank: options.rank, users: users.slice(0, 120), items: items.slice(0, 75) };
    const warm = trainAls(known, { ...options, iterations: 1 }, { start });
    const cold = trainAls(known, { ...options, iterations: 1 });
    const loss = (factors: Factors): number => lossOf(known, factors, options);
    expect(loss(warm)).toBeLessThan(loss(cold));
    expect(() => trainAls(known, { ...options, rank: 4 }, { start })).toThrow('cannot start');
  });

  it('are those of the iteration that says stop', () => {
    const known = tastes(50, 30);
    const stopped = trainAls(known, options, { onIteration: (done) => (done === 2 ? 'stop' : undefined) });
    expect(stopped).toEqual(trainAls(known, { ...options, iterations: 2 }));
  });

  it('lose what the formula says', () => {
    fc.assert(
      fc.property(ratings, (dense) => {
        const factors = trainAls(sparseOf(dense), options);
        expect(lossOf(sparseOf(dense), factors, options)).toBeCloseTo(plainLoss(dense, factors, options), 8);
      }),
    );
  });

  it('are the same for a seed, and others for another', () => {
    const known = sparseOf([
      [5, 3, NaN],
      [NaN, 4, 1],
      [2, NaN, 5],
    ]);
    expect(trainAls(known, options)).toEqual(trainAls(known, options));
    expect(trainAls(known, { ...options, seed: 4 })).not.toEqual(trainAls(known, options));
  });

  it('of users and items without ratings are zeros', () => {
    const { users, items, rank } = trainAls(
      sparseOf([
        [5, NaN],
        [NaN, NaN],
      ]),
      options,
    );
    expect([...users.subarray(rank), ...items.subarray(rank)]).toEqual(Array(2 * rank).fill(0));
  });

  it('reports each iteration', () => {
    const done: number[] = [];
    trainAls(sparseOf([[1, 2]]), options, { onIteration: (iteration) => void done.push(iteration) });
    expect(done).toEqual([1, 2, 3, 4]);
  });
});

it('explicit factors find ratings that are products of one number of each', () => {
  const dense = [1, 2, 3, 4].map((x) => [0.5, 1, 1.5].map((y) => x * y));
  const hidden = dense.map((row, user) => row.map((value, item) => (user === 3 && item === 2 ? NaN : value)));
  const { users, items, rank } = trainAls(sparseOf(hidden), { rank: 1, iterations: 50, regularisation: 1e-9, seed: 1 });
  expect(users[3 * rank]! * items[2 * rank]!).toBeCloseTo(6, 3);
});

it('every iteration lowers what implicit factors minimise', () => {
  fc.assert(
    fc.property(ratings, (dense) => {
      const alpha = 2;
      const losses = [1, 2, 3, 8].map((iterations) =>
        plainLoss(dense, trainAls(sparseOf(dense), { ...OPTIONS, alpha, iterations }), { ...OPTIONS, alpha }),
      );
      for (let i = 1; i < losses.length; i++) expect(losses[i]).toBeLessThanOrEqual(losses[i - 1]! + 1e-9);
    }),
  );
});

it('a sparse matrix has the entries of its transpose, ascending', () => {
  fc.assert(
    fc.property(ratings, (dense) => {
      const known = sparseOf(dense);
      expect(transposed(transposed(known))).toEqual(known);
      expect(transposed(known)).toEqual(sparseOf(transpose(dense)));
    }),
  );
});
