/**
 * interaction-totals: the interactions of one user with each item so far, the most recent items last.
 *
 *   total(i) = Σ over epochs of (rows, views, carts, purchases) of item i
 *
 * Bounded: at most ITEMS_PER_USER_MAX items; the least recently used are dropped first, with their totals.
 */
import { type Codec, json } from '../../runtime/contract/stage.js';

/** Items stored per user. */
export const ITEMS_PER_USER_MAX = 1_000;

export type Totals = readonly [rows: number, views: number, carts: number, purchases: number];
export type InteractionTotals = Map<string, Totals>;

const NONE: Totals = [0, 0, 0, 0];

/** Adds to an item's totals, makes it the most recent, and returns the new totals. */
export function addTotals(totals: InteractionTotals, item: string, more: Totals): Totals {
  const before = totals.get(item) ?? NONE;
  const sum: Totals = [before[0] + more[0], before[1] + more[1], before[2] + more[2], before[3] + more[3]];
  totals.delete(item);
  totals.set(item, sum);
  if (totals.size > ITEMS_PER_USER_MAX) totals.delete(totals.keys().next().value!);
  return sum;
}

const pairs = json<(readonly [string, Totals])[]>();

export const interactionTotals: Codec<InteractionTotals> = {
  encode: (totals) => pairs.encode([...totals]),
  decode: (bytes) => new Map(pairs.decode(bytes)),
};
