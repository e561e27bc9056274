/**
 * Rows found by their keys: so many words each, interleaved in one Uint32Array.
 *
 * Invariants
 *   ROW-INDEX-1  Rows are numbered 0, 1, 2… in order of first sight; their keys never change.
 *   ROW-INDEX-2  At most half of the slots of a hashed index are taken.
 */
import { grown } from './dictionary.js';

const ROWS_INITIAL = 2;

export interface RowIndex {
  /** Words per key. */
  readonly width: number;
  readonly rows: number;
  /** Rows that there is room for. */
  readonly capacity: number;
  /** Of row r, words [r · width, (r + 1) · width). Replaced as it grows. */
  readonly keys: Uint32Array;
  /** The row of the nth of these keys, added if new; there must be room. */
  findOrAdd(words: Uint32Array, n: number): number;
  /** Adds rows whose keys are all new; there must be room. */
  append(words: Uint32Array, count: number): void;
  /** Room for `more` rows. */
  reserve(more: number): void;
}

/** Of keys that are one code of a dictionary each: the code is the place, so that nothing is hashed twice. */
export class CodeIndex implements RowIndex {
  readonly width = 1;
  rows = 0;
  capacity = ROWS_INITIAL;
  keys = new Uint32Array(ROWS_INITIAL);
  /** By code, the row + 1. */
  private rowOf = new Uint32Array(ROWS_INITIAL);

  findOrAdd(words: Uint32Array, n: number): number {
    const code = words[n]!;
    this.reach(code);
    const known = this.rowOf[code]!;
    if (known !== 0) return known - 1;
    this.keys[this.rows] = code;
    return (this.rowOf[code] = ++this.rows) - 1;
  }

  append(words: Uint32Array, count: number): void {
    this.keys.set(words, this.rows);
    for (let i = 0; i < count; i++) {
      const code = words[i]!;
      this.reach(code);
      this.rowOf[code] = ++this.rows;
    }
  }

  reserve(more: number): void {
    const needed = this.rows + more;
    if (needed <= this.capacity) return;
    this.capacity = Math.max(needed, this.capacity * 2);
    this.keys = grown(this.keys, this.capacity);
    this.reach(this.capacity);
  }

  private reach(code: number): void {
    if (code >= this.rowOf.length) this.rowOf = grown(this.rowOf, code + 1);
  }
}

/** Of keys of whatever words: open addressing. */
export class HashedIndex implements RowIndex {
  rows = 0;
  capacity = ROWS_INITIAL;
  keys: Uint32Array;
  private slots = new Uint32Array(ROWS_INITIAL * 4);
  private mask = this.slots.length - 1;

  constructor(readonly width: number) {
    this.keys = new Uint32Array(ROWS_INITIAL * width);
  }

  findOrAdd(words: Uint32Array, n: number): number {
    const { keys, slots, mask, width } = this;
    const from = n * width;
    let slot = hashOf(words, from, width) & mask;
    for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
      const at = (entry - 1) * width;
      let w = 0;
      while (w < width && keys[at + w] === words[from + w]) w++;
      if (w === width) return entry - 1;
      slot = (slot + 1) & mask;
    }
    const row = this.rows++;
    for (let w = 0; w < width; w++) keys[row * width + w] = words[from + w]!;
    slots[slot] = row + 1;
    return row;
  }

  append(words: Uint32Array, count: number): void {
    this.keys.set(words, this.rows * this.width);
    const from = this.rows;
    this.rows += count;
    this.fillSlots(from);
  }

  reserve(more: number): void {
    const needed = this.rows + more;
    if (needed > this.capacity) {
      this.capacity = Math.max(needed, this.capacity * 2);
      this.keys = grown(this.keys, this.capacity * this.width);
    }
    if (needed * 2 > this.slots.length) {
      this.slots = new Uint32Array(2 ** Math.ceil(Math.log2(needed * 4)));
      this.mask = this.slots.length - 1;
      this.fillSlots(0);
    }
  }

  private fillSlots(from: number): void {
    const { keys, slots, mask, width } = this;
    for (let row = from; row < this.rows; row++) {
      let slot = hashOf(keys, row * width, width) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = row + 1;
    }
  }
}

function hashOf(words: Uint32Array, from: number, width: number): number {
  let hash = 0x811c9dc5;
  for (let w = 0; w < width; w++) {
    hash = Math.imul(hash ^ words[from + w]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}
