/**
 * new-items: vectors of items that have none from the latest training, from those of their users (maths/als/row-system, the sides exchanged).
 *
 *   y = (Xᵀ X + α Σ x xᵀ + λ E)⁻¹ (1 + α) Σ x        Σ over the latest USERS_MAX users who did something with the item        X  all users of the training
 *
 *   x  the vector of the user as of then, of what the user had done before
 *
 * So an item is in lists of als from its first event by a user with a taste on. A training ends them all: it has their events. Bounded: the first NEW_MAX items.
 */
import type { Codec, Value } from '../../runtime/contract/stage.js';
import { RowSystem } from '../maths/als/row-system.js';
import type { FactorTable } from './factor-table.js';
import { packed, unpacked } from './packed-floats.js';

export interface NewItems {
  /** Of the training that they are beside. */
  readonly trainedMs: number;
  readonly items: readonly string[];
  /** Of each item, the vectors of its users, one after the other. */
  readonly users: readonly Float32Array[];
}

export const NEW_MAX = 500;
const USERS_MAX = 32;

export const NO_NEW_ITEMS: NewItems = { trainedMs: NaN, items: [], users: [] };

export const newItemBytes: Codec<NewItems> = {
  encode: ({ trainedMs, items, users }) => packed({ trainedMs, items }, users),
  decode: (bytes) => {
    const { head, arrays } = unpacked<Pick<NewItems, 'items'> & { readonly trainedMs: number | null }>(bytes);
    // JSON has no NaN.
    return { ...head, trainedMs: head.trainedMs ?? NaN, users: arrays };
  },
};

/** A user with this vector did something with an item that has none of its own. */
export function noteUser(state: Value<NewItems>, { trainedMs }: FactorTable, item: string, vector: Float64Array): void {
  const before = state.get();
  const { items, users } = before.trainedMs === trainedMs ? before : NO_NEW_ITEMS;
  const place = items.indexOf(item);
  if (place < 0) {
    if (items.length === NEW_MAX) return;
    state.set({ trainedMs, items: [...items, item], users: [...users, Float32Array.from(vector)] });
    return;
  }
  const kept = users[place]!.subarray(0, (USERS_MAX - 1) * vector.length);
  const own = new Float32Array(vector.length + kept.length);
  own.set(vector);
  own.set(kept, vector.length);
  state.set({ trainedMs, items, users: users.with(place, own) });
}

/** The vector of an item, of those of its users. */
export function foldedItem(users: Float32Array, { alpha, regularisation, userGram, rank }: FactorTable): Float64Array {
  const n = users.length / rank;
  const system = new RowSystem(Float64Array.from(users), { rank, alpha, regularisation }, Float64Array.from(userGram));
  const y = new Float64Array(rank);
  system.solve(
    Uint32Array.from({ length: n }, (_, i) => i),
    new Float64Array(n).fill(1),
    y,
  );
  return y;
}
