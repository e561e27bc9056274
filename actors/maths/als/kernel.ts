/**
 * kernel: the two loops over vectors that take nearly all of the time, as WebAssembly with SIMD: four floats at once. Assembled here, for a rank.
 *
 *   dots        out(e) = y(e) · p                                     e = 0 … n − 1, rows one after the other
 *   accumulate  out += Σ over e of (t₀ + t₁ v(e) − (w₀ + w₁ v(e)) (y(c(e)) · p)) y(c(e))      c  columns, v  values
 *
 * Addresses are bytes of the memory. A row takes `strideOf(rank)` floats, those beyond the rank zero; n is a multiple of four, and what fills an accumulation up has
 * a row of zeros. Four rows go through one pass, so that p and out are read once for four.
 */
type Code = readonly (number | Code)[];

/** In Node and browsers; the compiler's library knows it of browsers alone. */
declare const WebAssembly: {
  readonly Memory: new (of: { initial: number; maximum: number; shared: true }) => SharedMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** Threads may share it. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

export interface Kernel {
  readonly dots: (out: number, p: number, y: number, n: number) => void;
  readonly accumulate: (
    ...of: [out: number, p: number, y: number, columns: number, values: number, n: number, ...Coefficients]
  ) => void;
}

export type Coefficients = readonly [t0: number, t1: number, w0: number, w1: number];

/** Rows that go through one pass, and floats per vector of SIMD. */
export const LANES = 4;
const PAGE_BYTES = 65_536;
const PAGES_MAX = 65_535;

export const strideOf = (rank: number): number => Math.ceil(rank / LANES) * LANES;

export function sharedMemory(bytes: number): SharedMemory {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  if (pages > PAGES_MAX) throw new RangeError(`factors and entries take ${bytes} bytes; 4 GB is the most`);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

const modules = new Map<number, object>();

export function kernelOf(rank: number, memory: SharedMemory): Kernel {
  const stride = strideOf(rank);
  let module = modules.get(stride);
  if (module === undefined) modules.set(stride, (module = new WebAssembly.Module(bytesOf(stride / LANES))));
  return new WebAssembly.Instance(module, { m: { m: memory } }).exports as Kernel;
}

// Values and operations of WebAssembly, as in its specification.
const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
const unsigned = (n: number): Code => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, unsigned(n >>> 7)]);
const get = (local: number): Code => [0x20, unsigned(local)];
const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)];
/** Signed, so that bit 6 of the last byte is zero. */
const constant = (n: number): Code => [0x41, signed(n)];
const signed = (n: number): Code => (n < 0x40 ? [n] : [(n & 0x7f) | 0x80, signed(n >>> 7)]);
const [ADD_I32, SUBTRACT_I32, MULTIPLY_I32] = [0x6a, 0x6b, 0x6c];
const loadI32 = (address: Code, offset: number): Code => [address, 0x28, 2, unsigned(offset)];
const simd = (operation: number, ...operands: Code[]): Code => [...operands, 0xfd, unsigned(operation)];
const load = (address: Code, offset: number): Code => [simd(0x00, address), 0, unsigned(offset)];
const store = (address: Code, offset: number, value: Code): Code => [simd(0x0b, address, value), 0, unsigned(offset)];
const splat = (float: Code): Code => simd(0x13, float);
const zeros: Code = [simd(0x0c), Array<number>(16).fill(0)];
const add = (a: Code, b: Code): Code => simd(0xe4, a, b);
const subtract = (a: Code, b: Code): Code => simd(0xe5, a, b);
const multiply = (a: Code, b: Code): Code => simd(0xe6, a, b);
/** Lanes 0 to 3 are those of a, 4 to 7 those of b. */
const shuffle = (a: Code, b: Code, ...lanes: number[]): Code => [
  simd(0x0d, a, b),
  lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)),
];

const each = (count: number, code: (i: number) => Code): Code => Array.from({ length: count }, (_, i) => code(i));

/** While the local n is above zero; each pass takes four from it. */
const loop = (n: number, body: Code): Code => [
  ...[0x02, 0x40, get(n), 0x45, 0x0d, 0, 0x03, 0x40, body],
  ...[set(n, [get(n), constant(LANES), SUBTRACT_I32]), get(n), 0x0d, 0, 0x0b, 0x0b],
];

/** Bytes of a vector of SIMD. */
const VECTOR = 16;

/** Sets the first of the locals `sums` to p · y of four rows, of q vectors of SIMD each; the fifth is for a vector of p. */
const fourDots = (q: number, p: number, y: (row: number, k: number) => Code, sums: readonly number[]): Code => {
  const [a, b, c, d, part] = sums.map(get) as [Code, Code, Code, Code, Code];
  const halves = (one: Code, other: Code): Code =>
    add(shuffle(one, other, 0, 4, 1, 5), shuffle(one, other, 2, 6, 3, 7));
  return [
    each(LANES, (i) => set(sums[i]!, zeros)),
    each(q, (k) => [
      set(sums[4]!, load(get(p), VECTOR * k)),
      each(LANES, (i) => set(sums[i]!, add(get(sums[i]!), multiply(part, y(i, k))))),
    ]),
    ...[set(sums[0]!, halves(a, b)), set(sums[1]!, halves(c, d))],
    set(sums[0]!, add(shuffle(a, b, 0, 1, 4, 5), shuffle(a, b, 2, 3, 6, 7))),
  ];
};

const advance = (pointer: number, bytes: number): Code => set(pointer, [get(pointer), constant(bytes), ADD_I32]);

function dots(q: number): Code {
  const [out, p, y, n] = [0, 1, 2, 3] as const;
  const sums = [4, 5, 6, 7, 8];
  const body = [
    fourDots(q, p, (row, k) => load(get(y), VECTOR * (row * q + k)), sums),
    store(get(out), 0, get(sums[0]!)),
    ...[advance(y, VECTOR * LANES * q), advance(out, VECTOR)],
  ];
  return func(0, 5, loop(n, body));
}

function accumulate(q: number): Code {
  const [out, p, y, columns, values, n, t0, t1, w0, w1] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
  const rows = [10, 11, 12, 13];
  const [sums, factors] = [
    [14, 15, 16, 17, 18],
    [19, 20, 21, 22],
  ] as const;
  const v = load(get(values), 0);
  const line = (a: number, b: number): Code => add(splat(get(a)), multiply(splat(get(b)), v));
  const address = (i: number): Code => [
    loadI32(get(columns), 4 * i),
    constant(VECTOR * q),
    MULTIPLY_I32,
    get(y),
    ADD_I32,
  ];
  const one = (row: number, k: number): Code => load(get(rows[row]!), VECTOR * k);
  const term = (i: number, k: number): Code => multiply(get(factors[i]!), one(i, k));
  const body = [
    each(LANES, (i) => set(rows[i]!, address(i))),
    fourDots(q, p, one, sums),
    set(sums[0], subtract(line(t0, t1), multiply(line(w0, w1), get(sums[0])))),
    each(LANES, (i) => set(factors[i]!, shuffle(get(sums[0]), get(sums[0]), i, i, i, i))),
    each(q, (k) => {
      const more = add(add(term(0, k), term(1, k)), add(term(2, k), term(3, k)));
      return store(get(out), VECTOR * k, add(load(get(out), VECTOR * k), more));
    }),
    ...[advance(columns, VECTOR), advance(values, VECTOR)],
  ];
  return func(4, 9, loop(n, body));
}

/** A function with locals of i32 and of v128 after its parameters. */
const func = (ofI32: number, ofV128: number, body: Code): Code => sized([2, ofI32, I32, ofV128, V128, body, 0x0b]);

const flat = (code: Code): number[] => code.flatMap((one) => (typeof one === 'number' ? one : flat(one)));
const sized = (code: Code): Code => [unsigned(flat(code).length), code];
const named = (name: string): Code => sized([...name].map((letter) => letter.charCodeAt(0)));
const section = (id: number, ...parts: Code[]): Code => [id, sized([parts.length, ...parts])];
const typeOf = (...parameters: number[]): Code => [0x60, parameters.length, parameters, 0];

const bytesOf = (q: number): Uint8Array =>
  Uint8Array.from(
    flat([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, typeOf(I32, I32, I32, I32), typeOf(I32, I32, I32, I32, I32, I32, F32, F32, F32, F32)),
      // A shared memory of at most 65,535 pages.
      section(2, [named('m'), named('m'), 2, 3, 0, unsigned(PAGES_MAX)]),
      section(3, [0], [1]),
      section(7, [named('dots'), 0, 0], [named('accumulate'), 0, 1]),
      section(10, dots(q), accumulate(q)),
    ]),
  );
