/**
 * Laws: how what a cell holds is told apart anew when the number of partitions changes (repartition.ts). A cell's law stands where the cell does.
 *
 *   F  fold of a mailbox    →P  events over P partitions    R  the laws of all cells
 *
 *   F(→Q (a then b)) = F(→Q b) after R(F(→P a))      for all that a user, or an item, can ask for
 */
import { fnv1aOf } from './frames/bytes.js';
import type { Codec, Value } from './state/kinds.js';

/** How many partitions there will be. */
export type PartitionCounts = Readonly<Record<'source' | 'user' | 'item', number>>;

export const partitionOf = (text: string, partitions: number): number => fnv1aOf(text) % partitions;

export type Law<T> =
  /** Of keyed cells: the key is what the stage is partitioned by, and each entry goes where its key does. */
  | { readonly kind: 'keys' }
  /** Of keyed cells that hold the same in every partition, as they will, each entry as `revise` makes it. */
  | { readonly kind: 'same'; revise(value: Uint8Array, counts: PartitionCounts): Uint8Array }
  /** From the cells of all old partitions, which may be changed on the way, into those of the new ones, which are empty. */
  | { readonly kind: 'cells'; move(from: readonly T[], to: readonly T[]): void };

/** Each new partition has what is made of the values of the old ones. */
export const mergeLaw = <T>(merge: (values: readonly T[]) => T): Law<Value<T>> => ({
  kind: 'cells',
  move: (from, to) => {
    for (const cell of to) cell.set(merge(from.map((one) => one.get())));
  },
});

/** `key`: entries go where their key does. A function: they are the same in every partition, and will be what it makes of them. */
export type KeyedLaw<V> = 'key' | ((value: V, counts: PartitionCounts) => V);

export const keyedLaw = <V, T>(codec: Codec<V>, law: KeyedLaw<V>): Law<T> =>
  law === 'key'
    ? { kind: 'keys' }
    : { kind: 'same', revise: (bytes, counts) => codec.encode(law(codec.decode(bytes), counts)) };
