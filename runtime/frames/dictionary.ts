/**
 * Dictionaries: each distinct string of a column once, as bytes; rows hold its code.
 *
 * Invariants
 *   DICTIONARY-1  Code 0 is "absent" (the empty string), in every dictionary.
 *   DICTIONARY-2  Codes are handed out 1, 2, 3… in order of first sight and never change: a dictionary only grows.
 */
import { fnv1a, textOf, utf8 } from './bytes.js';
import { newBytes, newFloats, newWords } from './pool.js';

/** Entry c is bytes[ends[c-1], ends[c]). Read-only; its builder may still grow. */
export interface Dictionary {
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
}

export const ABSENT = 0;

export const entryStart = (dictionary: Dictionary, code: number): number =>
  code === 0 ? 0 : dictionary.ends[code - 1]!;

/** The text of a code, `undefined` for absent. */
export function textAt(dictionary: Dictionary, code: number): string | undefined {
  return code === ABSENT ? undefined : textOf(dictionary.bytes, entryStart(dictionary, code), dictionary.ends[code]!);
}

export function hashAt(dictionary: Dictionary, code: number): number {
  return fnv1a(dictionary.bytes, entryStart(dictionary, code), dictionary.ends[code]!);
}

/** Builders start without arrays: most live frames have few strings. */
const NO_BYTES = new Uint8Array(0);
const NO_CODES = new Uint32Array(1);
const CODES_FIRST = 4;
const BYTES_FIRST = 32;

/** An append-only interner: bytes → code. Open addressing on typed arrays; about 40 ns for an id that is known. */
export class DictionaryBuilder implements Dictionary {
  bytes = NO_BYTES;
  ends = NO_CODES;
  size = 1;
  private hashes: Uint32Array = NO_CODES;
  private slots: Uint32Array = NO_CODES;
  private mask = 0;
  private lastText = '';
  private lastCode = ABSENT;

  /** The code of bytes [start, end), added if new. */
  add(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) return ABSENT;
    const hash = fnv1a(bytes, start, end);
    const slot = this.slotOf(bytes, start, end, hash);
    return this.slots[slot] !== 0 ? this.slots[slot]! : this.appendOne(bytes, start, end, hash, slot);
  }

  addText(text: string | undefined): number {
    if (text === undefined || text === '') return ABSENT;
    // Rows of one message often repeat a text; to encode it is most of the work.
    if (text !== this.lastText) {
      const bytes = utf8(text);
      this.lastCode = this.add(bytes, 0, bytes.length);
      this.lastText = text;
    }
    return this.lastCode;
  }

  addFrom(dictionary: Dictionary, code: number): number {
    return code === ABSENT ? ABSENT : this.add(dictionary.bytes, entryStart(dictionary, code), dictionary.ends[code]!);
  }

  /** All entries of another, none of which is in here yet; they keep their order. The code of the first. */
  append(other: Dictionary): number {
    const [first, entries] = [this.size, other.size - 1];
    const [start, bytes] = [this.ends[first - 1]!, other.ends[entries]!];
    this.reserve(entries, bytes);
    this.bytes.set(other.bytes.subarray(0, bytes), start);
    for (let code = 1; code <= entries; code++) {
      this.ends[first + code - 1] = start + other.ends[code]!;
      this.hashes[first + code - 1] = hashAt(other, code);
    }
    this.size += entries;
    if (this.size * 2 > this.slots.length) this.rehash();
    else this.fillSlots(first);
    return first;
  }

  /** Whether it has the text of another dictionary's code. */
  holds(dictionary: Dictionary, code: number): boolean {
    const [start, end] = [entryStart(dictionary, code), dictionary.ends[code]!];
    return this.slots[this.slotOf(dictionary.bytes, start, end, hashAt(dictionary, code))] !== 0;
  }

  /** What is in it now; later additions do not show. */
  view(): Dictionary {
    const { size } = this;
    return { size, bytes: this.bytes.subarray(0, this.ends[size - 1]!), ends: this.ends.subarray(0, size) };
  }

  /** Where its code is, or would be. */
  private slotOf(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { slots, hashes, mask } = this;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let code = slots[slot]!; code !== 0; code = slots[slot]!) {
      if (hashes[code] === hash && this.equals(code, bytes, start, end)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private equals(code: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = this.ends[code - 1]!;
    if (this.ends[code]! - at !== end - start) return false;
    for (let i = start; i < end; i++) if (this.bytes[at++] !== bytes[i]) return false;
    return true;
  }

  private appendOne(bytes: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    const code = this.size;
    let at = this.ends[code - 1]!;
    this.reserve(1, end - start);
    for (let i = start; i < end; i++) this.bytes[at++] = bytes[i]!;
    this.ends[code] = at;
    this.hashes[code] = hash;
    this.size++;
    if (this.size * 2 > this.slots.length) this.rehash();
    else this.slots[slot] = code;
    return code;
  }

  /** So many entries will come: growing and rehashing with each would be half of the work. */
  expect(entries: number): void {
    this.reserve(entries, 0);
    this.rehash(this.size + entries);
  }

  /** Room for so many entries more, of so many bytes in all. */
  private reserve(entries: number, bytes: number): void {
    const size = this.size + entries;
    if (size > this.ends.length) {
      this.ends = grown(this.ends, Math.max(CODES_FIRST, size));
      this.hashes = grown(this.hashes, Math.max(CODES_FIRST, size));
    }
    const length = this.ends[this.size - 1]! + bytes;
    if (length > this.bytes.length) this.bytes = grown(this.bytes, Math.max(BYTES_FIRST, length));
  }

  private rehash(size = this.size): void {
    this.slots = newWords(Math.max(CODES_FIRST * 2, 2 ** Math.ceil(Math.log2(size * 4))));
    this.mask = this.slots.length - 1;
    this.fillSlots(1);
  }

  private fillSlots(from: number): void {
    const { hashes, slots, mask, size } = this;
    for (let code = from; code < size; code++) {
      const hash = hashes[code]!;
      let slot = (hash ^ (hash >>> 15)) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = code;
    }
  }
}

/** A copy at least twice as long, and at least `length` long. */
export function grown<A extends Uint8Array | Uint32Array | Float64Array>(array: A, length: number): A {
  const longer = Math.max(length, array.length * 2);
  const next =
    array instanceof Uint32Array
      ? newWords(longer)
      : array instanceof Uint8Array
        ? newBytes(longer)
        : newFloats(longer);
  next.set(array);
  return next as A;
}

/** From the codes of one dictionary to the codes of a builder, each looked up once. */
export class CodeMap {
  private readonly codes: Uint32Array;

  constructor(
    private readonly from: Dictionary,
    private readonly to: DictionaryBuilder,
  ) {
    this.codes = newWords(from.size);
  }

  get(code: number): number {
    if (code === ABSENT) return ABSENT;
    const known = this.codes[code]!;
    if (known !== 0) return known;
    return (this.codes[code] = this.to.addFrom(this.from, code));
  }
}

/**
 * A dictionary of the requested entries of another, in order of first use. The cost depends on the requested entries only: entries are distinct
 * already, so none is looked up by its text.
 */
export class Excerpt {
  private size = 1;
  private bytes = NO_BYTES;
  private ends = NO_CODES;
  /** Of a small dictionary the new codes by code; of a large one pairs (code, new code) by open addressing. */
  private readonly codes: Uint32Array;
  private readonly mask: number;

  /** `uses`: how many codes will be requested at most. */
  constructor(
    private readonly from: Dictionary,
    uses: number,
  ) {
    const slots = 2 ** Math.ceil(Math.log2(uses * 2 + 1));
    this.mask = from.size <= slots * 2 ? 0 : slots - 1;
    this.codes = newWords(this.mask === 0 ? from.size : slots * 2);
  }

  get(code: number): number {
    if (code === ABSENT) return ABSENT;
    const { codes, mask } = this;
    if (mask === 0) return codes[code] !== 0 ? codes[code]! : (codes[code] = this.append(code));
    let slot = Math.imul(code, 0x9e3779b1) & mask;
    for (let known = codes[slot * 2]!; known !== 0; known = codes[slot * 2]!) {
      if (known === code) return codes[slot * 2 + 1]!;
      slot = (slot + 1) & mask;
    }
    codes[slot * 2] = code;
    return (codes[slot * 2 + 1] = this.append(code));
  }

  view(): Dictionary {
    const { size } = this;
    return { size, bytes: this.bytes.subarray(0, this.ends[size - 1]!), ends: this.ends.subarray(0, size) };
  }

  private append(code: number): number {
    const { bytes, ends } = this.from;
    const added = this.size++;
    if (added >= this.ends.length) this.ends = grown(this.ends, Math.max(CODES_FIRST, added + 1));
    let at = this.ends[added - 1]!;
    const end = ends[code]!;
    const needed = at + end - ends[code - 1]!;
    if (needed > this.bytes.length) this.bytes = grown(this.bytes, Math.max(BYTES_FIRST, needed));
    for (let i = ends[code - 1]!; i < end; i++) this.bytes[at++] = bytes[i]!;
    this.ends[added] = at;
    return added;
  }
}
