/**
 * Rescaling: how state is redistributed when the number of partitions changes (jobs/repartition.ts). Each state declares it where it is declared.
 *
 *   F  processing of a mailbox    →P  events over P partitions    R  the rescaling of all states
 *
 *   F(→Q (a then b)) = F(→Q b) after R(F(→P a))      for all that can be queried of a user or an item
 */
import { fnv1aOf } from '../frames/bytes.js';

/** How many partitions there will be. */
export type PartitionCounts = Readonly<Record<'source' | 'user' | 'item', number>>;

export const partitionOf = (text: string, partitions: number): number => fnv1aOf(text) % partitions;

export type Rescaling<T> =
  /** Of keyed state: the key is what the stage is partitioned by, and each entry goes where its key does. */
  | { readonly kind: 'keys' }
  /** Of keyed state that is the same in every partition, before and after; `revise` maps each entry. */
  | { readonly kind: 'same'; revise(value: Uint8Array, counts: PartitionCounts): Uint8Array }
  /** From the state of all old partitions, which may be changed on the way, into that of the new ones, which is empty. */
  | { readonly kind: 'move'; move(from: readonly T[], to: readonly T[]): void };

/** `byKey`: entries go where their key does. A function: they are the same in every partition, and it maps each of them. */
export type KeyedRescaling<V> = 'byKey' | ((value: V, counts: PartitionCounts) => V);
