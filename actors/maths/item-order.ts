/**
 * item-order: the order of item ids, which breaks every tie.
 *
 *   a < b  ⇔  integers by value; an integer before any other text; other texts by code point (as their UTF-8 bytes)
 *   key(a) < key(b)  ⇒  a < b        key: id → double, so that most comparisons need no text
 *
 * Where all ids are integers, or none is, this is "numeric when all are integers, else as text". For mixed ids it differs on purpose: an order that
 * depends on the other existing ids would differ between partitions, and this one does not.
 */
import { utf8 } from '../../runtime/contract/stage.js';

const INTEGER = /^-?\d+$/;
/** Larger integers share a key with their neighbours; texts have keys above it. */
const INTEGER_KEY_MAX = 2 ** 99;
const TEXT_KEY_MIN = 2 ** 100;
/** The number of leading bytes of a text that fit into the fraction of a double. */
const TEXT_KEY_BYTES = 6;

/** Below zero when a comes before b; zero only for the same text. */
export function compareItems(a: string, b: string): number {
  const [numericA, numericB] = [INTEGER.test(a), INTEGER.test(b)];
  if (numericA !== numericB) return numericA ? -1 : 1;
  if (numericA) {
    const difference = BigInt(a) - BigInt(b);
    if (difference !== 0n) return difference < 0n ? -1 : 1;
  }
  return compareText(a, b);
}

/** Never greater for an item that comes before; with equal keys `compareItems` decides. */
export function orderKey(item: string): number {
  if (INTEGER.test(item)) return Math.max(-INTEGER_KEY_MAX, Math.min(INTEGER_KEY_MAX, Number(item)));
  const bytes = utf8(item);
  let fraction = 0;
  for (let i = 0; i < TEXT_KEY_BYTES; i++) fraction = fraction * 256 + (bytes[i] ?? 0);
  return TEXT_KEY_MIN * (1 + fraction / 256 ** TEXT_KEY_BYTES);
}

/** The order of numbered items. Keys are cached: most items are compared many times. */
export class NumberedOrder {
  private keys: number[] = [];

  constructor(private readonly itemOf: (number: number) => string) {}

  isBefore(a: number, b: number): boolean {
    const [keyA, keyB] = [this.key(a), this.key(b)];
    return keyA === keyB ? compareItems(this.itemOf(a), this.itemOf(b)) < 0 : keyA < keyB;
  }

  /** The numbers have been reassigned. */
  forget(): void {
    this.keys = [];
  }

  private key(number: number): number {
    return (this.keys[number] ??= orderKey(this.itemOf(number)));
  }
}

/** By code point, which equals the order of UTF-8 bytes: the order of LevelDB and Spark, unlike `<`, which compares UTF-16 units. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [unitA, unitB] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (unitA !== unitB) return place(unitA) - place(unitB);
  }
  return a.length - b.length;
}

/** Maps UTF-16 units to code point order: surrogates sort above all other units. */
function place(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
