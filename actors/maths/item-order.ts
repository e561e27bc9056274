/**
 * item-order: the one order of item ids, which breaks every tie.
 *
 *   a < b  ⇔  integers by value; an integer before any other text; other texts by code point (as their UTF-8 bytes)
 *   key(a) < key(b)  ⇒  a < b        key: id → double, so that most comparisons look at no text
 *
 * Where all ids are integers, or none is, that is "numeric when all are integers, else as text". Where they are mixed it differs from it on
 * purpose: an order that depends on which other ids exist is not the same in every partition, and this one is.
 */
import { utf8 } from '../../runtime/contract/stage.js';

const INTEGER = /^-?\d+$/;
/** Integers beyond this share a key with their neighbours; texts have keys above it. */
const INTEGER_KEY_MAX = 2 ** 99;
const TEXT_KEY_MIN = 2 ** 100;
/** So many leading bytes of a text fit into the fraction of a double. */
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

/** Never above for an item that comes before; equal keys say nothing, then `compareItems` decides. */
export function orderKey(item: string): number {
  if (INTEGER.test(item)) return Math.max(-INTEGER_KEY_MAX, Math.min(INTEGER_KEY_MAX, Number(item)));
  const bytes = utf8(item);
  let fraction = 0;
  for (let i = 0; i < TEXT_KEY_BYTES; i++) fraction = fraction * 256 + (bytes[i] ?? 0);
  return TEXT_KEY_MIN * (1 + fraction / 256 ** TEXT_KEY_BYTES);
}

/** For sorting: items with their order keys. */
export interface KeyedItem {
  readonly item: string;
  readonly key: number;
}

export const compareKeyed = (a: KeyedItem, b: KeyedItem): number => a.key - b.key || compareItems(a.item, b.item);

/** The order of numbered items. Keys are kept: most items are compared again and again. */
export class NumberedOrder {
  private keys: number[] = [];

  constructor(private readonly itemOf: (number: number) => string) {}

  isBefore(a: number, b: number): boolean {
    const [keyA, keyB] = [this.key(a), this.key(b)];
    return keyA === keyB ? compareItems(this.itemOf(a), this.itemOf(b)) < 0 : keyA < keyB;
  }

  /** Numbers have become those of other items. */
  forget(): void {
    this.keys = [];
  }

  private key(number: number): number {
    return (this.keys[number] ??= orderKey(this.itemOf(number)));
  }
}

/** By code point, which is by UTF-8 byte: the order of LevelDB and Spark, not that of `<`, which is by UTF-16 unit. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [unitA, unitB] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (unitA !== unitB) return place(unitA) - place(unitB);
  }
  return a.length - b.length;
}

/** UTF-16 units in code point order: halves of surrogate pairs stand for what lies above all other units. */
function place(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
