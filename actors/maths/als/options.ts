/** options: what factors shall be. */
import type { Coefficients } from './kernel.js';

export const SOLVERS = ['exact', 'conjugate-gradient'] as const;
/** Of the linear systems: Cholesky in doubles (row-system.ts), or a few steps from the vector before in floats (conjugate-gradient.ts). */
export type Solver = (typeof SOLVERS)[number];

export interface SystemOptions {
  /** Numbers per vector. */
  readonly rank: number;
  /** λ */
  readonly regularisation: number;
  /** α of implicit factors; absent: explicit. */
  readonly alpha?: number;
}

export interface AlsOptions extends SystemOptions {
  readonly iterations: number;
  readonly seed: number;
  /** Default: exact. */
  readonly solver?: Solver;
}

/** What an entry of value v adds: its target t₀ + t₁ v and its weight w₀ + w₁ v (row-system.ts). */
export const coefficientsOf = ({ alpha }: SystemOptions): Coefficients =>
  alpha === undefined ? [0, 1, 1, 0] : [1, alpha, 0, alpha];
