/**
 * interest-scope: over which events an interest is summed, and with what weights.
 *
 *   epoch     the window rows of one epoch, each counted as 1
 *   decayed   all events so far, weighted by type, halved with each half-life
 */
import type { InteractionType } from '../model.js';

export type Weights = Readonly<Record<InteractionType, number>>;

export interface DecayedScope {
  readonly kind: 'decayed';
  readonly halfLifeMs: number;
  readonly weights?: Weights;
}

export type InterestScope = { readonly kind: 'epoch' } | DecayedScope;

export const WEIGHTS: Weights = { view: 1, click: 1, cart: 3, purchase: 5, rating: 2, remove_from_cart: -1 };
