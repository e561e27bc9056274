/**
 * training: what threads share while factors are found, and what each of them does.
 *
 *   A phase finds the vectors of one side, given those of the other and G = Σ over its blocks, in their order, of partial(block).
 *   A block is some rows of a side with a sixty-fourth of its work. Once it has their vectors, partial(block) = Σ y yᵀ of them.
 *
 * Blocks are the same for any number of threads, and none reads what another one of its phase writes: so are the factors, to the bit.
 * A thread may do any blocks, in any order, once it has prepared for the phase; a phase begins when all blocks of the one before are done.
 *
 * All is in one memory. Rows of vectors are followed by some of zeros, up to a multiple of four and at least one: conjugate gradients take entries four at a time.
 */
import { conjugateGradient, setGram } from './conjugate-gradient.js';
import { kernelOf, LANES, sharedMemory, type SharedMemory, strideOf } from './kernel.js';
import { type AlsOptions, coefficientsOf } from './options.js';
import { gramOf, RowSystem } from './row-system.js';
import { type Sparse, transposed } from './sparse.js';

/** Of an iteration: whose vectors are found. */
export const PHASES = ['users', 'items'] as const;
export type Phase = (typeof PHASES)[number];

export const BLOCKS = 64;
/** Of conjugate gradients, each from the vector of the iteration before. */
const STEPS = 3;
/** What a row costs, in entries. */
const ROW_COST = 32;
export const THREADS_MAX = 32;

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
        Array.from({ length: options.alpha === undefined ? 0 : BLOCKS }, () =>
          view(Float64Array, 8, options.rank ** 2),
        ),
      );
    this.users = side(users, items.rows);
    this.items = side(items, users.rows);
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
    /** Of implicit factors. */
    private readonly partial: readonly Float64Array[],
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

  /** The first row of each block, and the end of the last. */
  bounds(): number[] {
    const { rows, start } = this;
    const costBefore = (row: number): number => start[row]! + row * ROW_COST;
    const bounds = [0];
    for (let row = 0; bounds.length < BLOCKS; row++) {
      while (row === rows || costBefore(row) * BLOCKS >= costBefore(rows) * bounds.length) {
        if (bounds.push(row) === BLOCKS) break;
      }
    }
    return [...bounds, rows];
  }

  /** Sets the partial sum of a block. */
  sum(block: number, rows: readonly [number, number]): void {
    this.partial[block]?.set(gramOf(this.vector, rows, this.rank, this.stride));
  }

  /** The lower triangle of G. */
  gram(): Float64Array {
    const gram = new Float64Array(this.rank ** 2);
    for (const part of this.partial) for (let i = 0; i < gram.length; i++) gram[i]! += part[i]!;
    return gram;
  }
}

type SolveRow = (row: number) => void;

export class AlsThread {
  readonly users: Side;
  readonly items: Side;
  private readonly layout: Layout;
  private readonly bounds: Readonly<Record<Phase, readonly number[]>>;
  private solveRow: SolveRow | undefined;

  /** Threads have numbers of their own, from 0 to before THREADS_MAX. */
  constructor(
    private readonly problem: AlsProblem,
    private readonly thread: number,
  ) {
    this.layout = new Layout(problem, problem.memory.buffer);
    ({ users: this.users, items: this.items } = this.layout);
    this.bounds = { users: this.users.bounds(), items: this.items.bounds() };
  }

  /** Before the first phase, by one thread. */
  begin(users: Float64Array, items: Float64Array): void {
    this.users.take(users);
    this.items.take(items);
    for (let block = 0; block < BLOCKS; block++) this.items.sum(block, this.rowsOf('items', block));
  }

  prepare(phase: Phase): void {
    const sides = phase === 'users' ? ([this.users, this.items] as const) : ([this.items, this.users] as const);
    this.solveRow =
      this.problem.options.solver === 'conjugate-gradient' ? this.nearly(...sides) : this.exactly(...sides);
  }

  perform(phase: Phase, block: number): void {
    const [from, to] = this.rowsOf(phase, block);
    for (let row = from; row < to; row++) this.solveRow!(row);
    this[phase].sum(block, [from, to]);
  }

  private rowsOf(phase: Phase, block: number): readonly [number, number] {
    return [this.bounds[phase][block]!, this.bounds[phase][block + 1]!];
  }

  private exactly(side: Side, other: Side): SolveRow {
    const { rank } = this.problem.options;
    const system = new RowSystem(other.vector as Float64Array, this.problem.options, other.gram());
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
    setGram(floats, place, other.gram(), rank);
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
      solve(vector.byteOffset + x * 4, entries, regularisation * (alpha === undefined ? n : 1), STEPS);
    };
  }
}
