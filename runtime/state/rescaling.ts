/**
 * Rescaling: how state is redistributed when the number of partitions changes (jobs/repartition.ts). Each state declares it where it is declared.
 *
 *   F  fold of a mailbox    →P  events over P partitions    R  the rescaling of all states
 *
 *   F(→Q (a then b)) = F(→Q b) after R(F(→P a))      for all that a user, or an item, can ask for
 */
import { fnv1aOf } from '../frames/bytes.js';

/** How many partitions there will be. */
export type PartitionCounts = Readonly<Record<'source' | 'user' | 'item', number>>;

export const partitionOf = (text: string, partitions: number): number => fnv1aOf(text) % partitions;

export type Rescaling<T> =
  /** Of keyed state: the key is what the stage is partitioned by, and each entry goes where its key does. */
  | { readonly kind: 'keys' }
  /** Of keyed state that is the same in every partition, before and after; each entry becomes what `revise` makes of it. */
  | { readonly kind: 'same'; revise(value: Uint8Array, counts: PartitionCounts): Uint8Array }
  /** From the state of all old partitions, which may be changed on the way, into that of the new ones, which is empty. */
  | { readonly kind: 'move'; move(from: readonly T[], to: readonly T[]): void };

/** `byKey`: entries go where their key does. A function: they are the same in every partition, and become what it makes of them. */
export type KeyedRescaling<V> = 'byKey' | ((value: V, counts: PartitionCounts) => V);
