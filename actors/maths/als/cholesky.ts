/**
 * cholesky: linear systems A x = b with a symmetric positive definite A of n rows.
 *
 *   A = L Lᵀ      L lower triangular; then L y = b and Lᵀ x = y
 *
 * Matrices have n × n numbers by row, of which the lower triangle is read.
 */

/** Overwrites A by L. */
export function factorise(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      if (i !== j) a[i * n + j] = sum / a[j * n + j]!;
      // Rounding may leave nothing of a direction without weight.
      else a[i * n + i] = Math.sqrt(Math.max(sum, Number.MIN_VALUE));
    }
  }
}

/** Overwrites b by x. */
export function solve(l: Float64Array, b: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    let sum = b[i]!;
    for (let k = 0; k < i; k++) sum -= l[i * n + k]! * b[k]!;
    b[i] = sum / l[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    const x = b[i]! / l[i * n + i]!;
    b[i] = x;
    for (let k = 0; k < i; k++) b[k]! -= l[i * n + k]! * x;
  }
}

/** A⁻¹, all of it. Overwrites A by L. */
export function inverse(a: Float64Array, n: number): Float64Array {
  factorise(a, n);
  const inverted = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = inverted.subarray(i * n, (i + 1) * n);
    row[i] = 1;
    solve(a, row, n);
  }
  return inverted;
}
