/** sparse: a matrix of users and items of which most entries are absent, by row (compressed sparse rows). */

/** One entry per row and column; `start[r]` to `start[r + 1]` are the places of row r, ascending by column. */
export interface Sparse {
  readonly rows: number;
  readonly columns: number;
  readonly start: Uint32Array;
  readonly column: Uint32Array;
  readonly value: Float64Array;
}

/** Entries in any order, at most one of a row and column. */
export interface Entries {
  readonly rows: number;
  readonly columns: number;
  readonly row: ArrayLike<number>;
  readonly column: ArrayLike<number>;
  readonly value: ArrayLike<number>;
}

export const columnsOf = ({ start, column }: Sparse, row: number): Uint32Array =>
  column.subarray(start[row], start[row + 1]);

export function sparse(entries: Entries): Sparse {
  // Sorted by column, then by row, which leaves the columns of a row in order.
  return transposed(transposed(byRow(entries)));
}

export function transposed({ rows, columns, start, column, value }: Sparse): Sparse {
  const row = new Uint32Array(column.length);
  for (let r = 0; r < rows; r++) row.fill(r, start[r], start[r + 1]);
  return byRow({ rows: columns, columns: rows, row: column, column: row, value });
}

/** The entries of a row are in the order in which they come. */
function byRow({ rows, columns, row, column, value }: Entries): Sparse {
  const start = new Uint32Array(rows + 1);
  for (let i = 0; i < row.length; i++) start[row[i]! + 1]!++;
  for (let r = 0; r < rows; r++) start[r + 1]! += start[r]!;
  const next = start.slice();
  const sorted = { column: new Uint32Array(row.length), value: new Float64Array(row.length) };
  for (let i = 0; i < row.length; i++) {
    const at = next[row[i]!]!++;
    sorted.column[at] = column[i]!;
    sorted.value[at] = value[i]!;
  }
  return { rows, columns, start, ...sorted };
}
