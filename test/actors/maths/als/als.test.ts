import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Factors, trainAls } from '../../../../actors/maths/als/als.js';
import type { AlsOptions } from '../../../../actors/maths/als/options.js';
import { RowSystem } from '../../../../actors/maths/als/row-system.js';
import { type Sparse, sparse, transposed } from '../../../../actors/maths/als/sparse.js';
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
      const loss = ({ users, items, rank }: Factors): number => {
        const [x, y] = [rowsOf(users, rank), rowsOf(items, rank)];
        const errors = dense.flatMap((row, u) =>
          row.map((r, i) =>
            Number.isNaN(r) ? dot(x[u]!, y[i]!) ** 2 : (1 + alpha * r) * (1 - dot(x[u]!, y[i]!)) ** 2,
          ),
        );
        const sizes = [...users, ...items].map((one) => OPTIONS.regularisation * one * one);
        return [...errors, ...sizes].reduce((sum, one) => sum + one, 0);
      };
      const losses = [1, 2, 3, 8].map((iterations) =>
        loss(trainAls(sparseOf(dense), { ...OPTIONS, alpha, iterations })),
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
