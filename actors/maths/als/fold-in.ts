/**
 * fold-in: the vector of a user who came after the training, or did something since: the system of row-system.ts by conjugate gradients from zeros, to what floats can tell.
 * And what it says of all items: x · y(i).
 *
 * G is made once, for all users; a step takes 4 n · rank operations for n items, so that long histories cost no more than they must.
 */
import { conjugateGradient, setGram } from './conjugate-gradient.js';
import { coefficientsOf, type SystemOptions } from './options.js';
import { type Kernel, kernelOf, LANES, sharedMemory, strideOf } from './kernel.js';
import { gramOf } from './row-system.js';

const FLOAT_BYTES = 4;

export class FoldIn {
  private readonly floats: Float32Array;
  private readonly columns: Uint32Array;
  private readonly values: Float32Array;
  private readonly x: Float32Array;
  private readonly solve: ReturnType<typeof conjugateGradient>;
  private readonly zeros: number;
  private readonly rows: number;
  private readonly out: Float32Array;
  private readonly kernel: Kernel;

  private readonly entriesMax: number;

  /** `entriesMax`: items per user. `newMax`: items that may come later. */
  constructor(
    items: Float64Array | Float32Array,
    private readonly options: SystemOptions,
    { entriesMax = 4_096, newMax = 0 }: { readonly entriesMax?: number; readonly newMax?: number } = {},
  ) {
    this.entriesMax = entriesMax;
    const { rank, alpha } = options;
    const stride = strideOf(rank);
    const given = items.length / rank;
    this.zeros = given + newMax;
    const filled = Math.ceil(entriesMax / LANES) * LANES;
    // After the items rows of zeros, at least one: for entries that fill up. Then G, three vectors, x, columns, values and scores.
    this.rows = Math.ceil((this.zeros + 1) / LANES) * LANES;
    const gram = this.rows * stride * FLOAT_BYTES;
    const scratch = gram + stride * stride * FLOAT_BYTES;
    const x = scratch + 3 * stride * FLOAT_BYTES;
    const columns = x + stride * FLOAT_BYTES;
    const out = columns + 2 * filled * FLOAT_BYTES;
    const memory = sharedMemory(out + this.rows * FLOAT_BYTES);
    this.floats = new Float32Array(memory.buffer);
    this.x = new Float32Array(memory.buffer, x, stride);
    this.columns = new Uint32Array(memory.buffer, columns, filled);
    this.values = new Float32Array(memory.buffer, columns + filled * FLOAT_BYTES, filled);
    this.out = new Float32Array(memory.buffer, out, this.zeros);
    this.kernel = kernelOf(rank, memory);
    for (let item = 0; item < given; item++) {
      this.floats.set(items.subarray(item * rank, (item + 1) * rank), item * stride);
    }
    if (alpha !== undefined) setGram(this.floats, gram, gramOf(items, [0, given], rank), rank);
    const places = { gram: alpha === undefined ? undefined : gram, scratch, stride };
    this.solve = conjugateGradient(this.floats, this.kernel, places, 0, coefficientsOf(options));
  }

  /** Of an item that came later. G stays that of those before: a few more change it little. */
  setItem(item: number, vector: Float64Array): void {
    this.floats.set(vector, item * strideOf(this.options.rank));
  }

  /** Zeros for a user without items. */
  vector(columns: ArrayLike<number>, values: ArrayLike<number>): Float64Array {
    this.fold(columns, values);
    return Float64Array.from(this.x.subarray(0, this.options.rank));
  }

  /** Of all items; overwritten by the next call. */
  scores(columns: ArrayLike<number>, values: ArrayLike<number>): Float32Array {
    this.fold(columns, values);
    this.kernel.dots(this.out.byteOffset, this.x.byteOffset, 0, this.rows);
    return this.out;
  }

  private fold(columns: ArrayLike<number>, values: ArrayLike<number>): void {
    const { rank, alpha, regularisation } = this.options;
    const n = columns.length;
    if (n > this.entriesMax) throw new RangeError(`${n} items of a user: at most ${this.entriesMax} are folded in`);
    this.x.fill(0);
    if (n === 0) return;
    const count = Math.ceil(n / LANES) * LANES;
    this.columns.fill(this.zeros, n, count);
    this.columns.set(columns);
    this.values.set(values);
    const row = { columns: this.columns.byteOffset, values: this.values.byteOffset, count };
    this.solve(this.x.byteOffset, row, regularisation * (alpha === undefined ? n : 1), 2 * rank);
  }
}
