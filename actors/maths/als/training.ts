/**
 * training: what threads share while factors are found, and what each of them does.
 *
 *   phase           block                                what it does
 *   gram of items   a sixteenth of the items             partial(block) = Σ y(i) y(i)ᵀ
 *   users           64 users                             their vectors, given those of items and G = Σ over blocks, in their order, of partial(block)
 *   gram of users   and so on, with sides exchanged
 *
 * Blocks are the same for any number of threads, and none reads what another one of its phase writes: so are the factors, to the bit.
 * A thread may do any blocks, in any order, once it has prepared for the phase; a phase begins when all blocks of the one before are done.
 *
 * All is in one memory. Rows of vectors are followed by some of zeros, up to a multiple of four and at least one: conjugate gradients take entries four at a time.
 */
import { conjugateGradient } from './conjugate-gradient.js';
import { kernelOf, LANES, sharedMemory, type SharedMemory, strideOf } from './kernel.js';
import { type AlsOptions, coefficientsOf } from './options.js';
import { gramOf, RowSystem } from './row-system.js';
import { type Sparse, transposed } from './sparse.js';

export const PHASES = ['gram of items', 'users', 'gram of users', 'items'] as const;
export type Phase = (typeof PHASES)[number];

const GRAM_BLOCKS = 16;
const ROWS_PER_BLOCK = 64;
export const THREADS_MAX = 64;

/** A value that can be sent to a thread. */
export interface AlsProblem {
  readonly options: AlsOptions;
  readonly users: SideSize;
  readonly items: SideSize;
  readonly memory: SharedMemory;
}

interface SideSize {
  readonly rows: number;
  /** With those that fill rows up. */
  readonly entries: number;
}

type Numbers = Float32Array | Float64Array;

const filled = (count: number): number => Math.ceil(count / LANES) * LANES;

export function problemOf(ratings: Sparse, options: AlsOptions): AlsProblem {
  const sides = [ratings, transposed(ratings)];
  const [users, items] = sides.map(({ rows, start }) => {
    let entries = 0;
    for (let row = 0; row < rows; row++) entries += filled(start[row + 1]! - start[row]!);
    return { rows, entries };
  }) as [SideSize, SideSize];
  const sizes = { options, users, items };
  const problem = { ...sizes, memory: sharedMemory(new Layout(sizes).bytes) };
  const layout = new Layout(sizes, problem.memory.buffer);
  layout.users.setEntries(sides[0]!);
  layout.items.setEntries(sides[1]!);
  return problem;
}

/** Where everything is: the same for all who know the sizes. */
class Layout {
  bytes = 0;
  readonly stride: number;
  readonly users: Side;
  readonly items: Side;
  /** Partial sums of a Gram matrix. */
  readonly partial: Float64Array[];
  /** Of each thread: G, and three vectors. */
  private readonly scratch: number;
  private readonly scratchFloats: number;

  constructor({ options, users, items }: Omit<AlsProblem, 'memory'>, buffer = new SharedArrayBuffer(0)) {
    const isExact = options.solver !== 'conjugate-gradient';
    this.stride = isExact ? options.rank : strideOf(options.rank);
    // Nothing has a place yet where the size is asked for.
    const view = <T>(
      type: new (of: SharedArrayBuffer, at: number, length: number) => T,
      bytes: number,
      length: number,
    ): T => {
      const at = this.take(length * bytes);
      return buffer.byteLength === 0 ? new type(buffer, 0, 0) : new type(buffer, at, length);
    };
    const numbers = (length: number): Numbers =>
      isExact ? view(Float64Array, 8, length) : view(Float32Array, 4, length);
    const side = ({ rows, entries }: SideSize, others: number): Side =>
      new Side(
        ...([rows, others, options.rank, this.stride] as const),
        ...([view(Uint32Array, 4, rows + 1), view(Uint32Array, 4, rows), view(Uint32Array, 4, entries)] as const),
        ...([numbers(entries), numbers(filled(rows + 1) * this.stride)] as const),
      );
    this.users = side(users, items.rows);
    this.items = side(items, users.rows);
    this.partial = Array.from({ length: GRAM_BLOCKS }, () => view(Float64Array, 8, options.rank ** 2));
    this.scratchFloats = (this.stride + 3) * this.stride;
    this.scratch = this.take(isExact ? 0 : this.scratchFloats * 4 * THREADS_MAX);
  }

  scratchOf(thread: number): number {
    return this.scratch + thread * this.scratchFloats * 4;
  }

  /** Vectors of SIMD are aligned. */
  private take(bytes: number): number {
    const at = this.bytes;
    this.bytes += Math.ceil(bytes / 16) * 16;
    return at;
  }
}

/** Users or items: their entries and their vectors. */
class Side {
  constructor(
    readonly rows: number,
    private readonly others: number,
    private readonly rank: number,
    private readonly stride: number,
    readonly start: Uint32Array,
    readonly count: Uint32Array,
    readonly column: Uint32Array,
    readonly value: Numbers,
    readonly vector: Numbers,
  ) {}

  setEntries({ start, column, value }: Sparse): void {
    this.column.fill(this.others);
    for (let row = 0, at = 0; row < this.rows; row++) {
      const [from, to] = [start[row]!, start[row + 1]!];
      this.column.set(column.subarray(from, to), at);
      this.value.set(value.subarray(from, to), at);
      this.count[row] = to - from;
      this.start[row + 1] = at += filled(to - from);
    }
  }

  /** Of the first rows. */
  take(vectors: Float64Array): void {
    const { rank, stride } = this;
    for (let row = 0; row * rank < vectors.length; row++) {
      this.vector.set(vectors.subarray(row * rank, (row + 1) * rank), row * stride);
    }
  }

  vectors(): Float64Array {
    const { rank, stride } = this;
    const all = new Float64Array(this.rows * rank);
    for (let row = 0; row < this.rows; row++) {
      all.set(this.vector.subarray(row * stride, row * stride + rank), row * rank);
    }
    return all;
  }
}

type SolveRow = (row: number) => void;

export class AlsThread {
  readonly users: Side;
  readonly items: Side;
  private readonly layout: Layout;
  private solveRow: SolveRow | undefined;

  /** Threads have numbers of their own, from 0 to before THREADS_MAX. */
  constructor(
    private readonly problem: AlsProblem,
    private readonly thread: number,
  ) {
    this.layout = new Layout(problem, problem.memory.buffer);
    ({ users: this.users, items: this.items } = this.layout);
  }

  blocksOf(phase: Phase): number {
    if (phase.startsWith('gram')) return this.problem.options.alpha === undefined ? 0 : GRAM_BLOCKS;
    return Math.ceil(this.sides(phase)[0].rows / ROWS_PER_BLOCK);
  }

  prepare(phase: Phase): void {
    if (phase.startsWith('gram')) return;
    const sides = this.sides(phase);
    this.solveRow =
      this.problem.options.solver === 'conjugate-gradient' ? this.nearly(...sides) : this.exactly(...sides);
  }

  perform(phase: Phase, block: number): void {
    const [side] = this.sides(phase);
    if (phase.startsWith('gram')) {
      const [from, to] = [block, block + 1].map((part) => Math.floor((side.rows * part) / GRAM_BLOCKS)) as [
        number,
        number,
      ];
      this.layout.partial[block]!.set(gramOf(side.vector, from, to, this.problem.options.rank, this.layout.stride));
      return;
    }
    const end = Math.min(side.rows, (block + 1) * ROWS_PER_BLOCK);
    for (let row = block * ROWS_PER_BLOCK; row < end; row++) this.solveRow!(row);
  }

  /** The one that a phase is about, and the other. */
  private sides(phase: Phase): [Side, Side] {
    return phase.endsWith('users') ? [this.users, this.items] : [this.items, this.users];
  }

  /** The lower triangle of G. */
  private gram(): Float64Array {
    const sum = new Float64Array(this.problem.options.rank ** 2);
    if (this.problem.options.alpha === undefined) return sum;
    for (const part of this.layout.partial) for (let i = 0; i < sum.length; i++) sum[i]! += part[i]!;
    return sum;
  }

  private exactly(side: Side, other: Side): SolveRow {
    const { rank } = this.problem.options;
    const system = new RowSystem(other.vector as Float64Array, this.problem.options, this.gram());
    const { start, count, column } = side;
    const [value, vector] = [side.value, side.vector] as [Float64Array, Float64Array];
    return (row) => {
      const [from, to] = [start[row]!, start[row]! + count[row]!];
      system.solve(column.subarray(from, to), value.subarray(from, to), vector.subarray(row * rank, (row + 1) * rank));
    };
  }

  private nearly(side: Side, other: Side): SolveRow {
    const { problem, layout } = this;
    const { rank, alpha, regularisation } = problem.options;
    const { stride } = layout;
    const floats = new Float32Array(problem.memory.buffer);
    const place = layout.scratchOf(this.thread);
    const gram = this.gram();
    for (let j = 0; j < rank; j++) {
      for (let k = 0; k < rank; k++) {
        floats[place / 4 + j * stride + k] = gram[j > k ? j * rank + k : k * rank + j]!;
      }
    }
    const solve = conjugateGradient(
      ...([floats, kernelOf(rank, problem.memory)] as const),
      { gram: alpha === undefined ? undefined : place, scratch: place + stride * stride * 4, stride },
      ...([other.vector.byteOffset, coefficientsOf(problem.options)] as const),
    );
    const { start, count, column, value, vector } = side;
    return (row) => {
      const n = count[row]!;
      const x = row * stride;
      if (n === 0) {
        vector.fill(0, x, x + stride);
        return;
      }
      const at = start[row]! * 4;
      const entries = { columns: column.byteOffset + at, values: value.byteOffset + at, count: filled(n) };
      solve(vector.byteOffset + x * 4, entries, regularisation * (alpha === undefined ? n : 1));
    };
  }
}
