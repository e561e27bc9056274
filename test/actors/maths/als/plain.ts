/** Linear algebra as in a textbook, to compare with. */
export type Matrix = number[][];

/** A x = b by Gauss and Jordan, with pivots. */
export function solved(a: Matrix, b: readonly number[]): number[] {
  const rows = a.map((row, i) => [...row, b[i]!]);
  const n = rows.length;
  for (let column = 0; column < n; column++) {
    const pivot = [...rows.keys()]
      .slice(column)
      .reduce((best, row) => (Math.abs(rows[row]![column]!) > Math.abs(rows[best]![column]!) ? row : best));
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let row = 0; row < n; row++) {
      if (row === column) continue;
      const factor = rows[row]![column]! / rows[column]![column]!;
      for (let c = column; c <= n; c++) rows[row]![c]! -= factor * rows[column]![c]!;
    }
  }
  return rows.map((row, i) => row[n]! / row[i]!);
}

export const transpose = (a: Matrix): Matrix => a[0]!.map((_, c) => a.map((row) => row[c]!));
export const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, one, i) => sum + one * b[i]!, 0);
export const product = (a: Matrix, b: Matrix): Matrix => a.map((row) => transpose(b).map((column) => dot(row, column)));
export const withDiagonal = (a: Matrix, more: number): Matrix =>
  a.map((row, i) => row.map((one, j) => (i === j ? one + more : one)));
