/** engagement-weights: how much an event adds to the popularity of its item. */
import { codeOfType, EVENT_TYPES, type InteractionType } from '../model.js';

/** From events, by the weights of their types, with a table as their past; or from a table alone. */
export type PopularitySource = ({ readonly from: 'events' } & EngagementWeights) | { readonly from: 'table' };

export interface EngagementWeights {
  /** In purchases, from 0; thousandths count. */
  readonly weights: Readonly<Record<InteractionType, number>>;
  /** Lower ratings do not count. */
  readonly ratingMin: number;
  /** Infinity: nothing fades. */
  readonly halfLifeMs: number;
}

/** To thousandths. Counts stay what they are, however large. */
export const roundedWeight = (weight: number): number =>
  Number.isInteger(weight) ? weight : Math.round(weight * 1_000) / 1_000;

/** By code of the event type. */
export function weightsByCode(weights: EngagementWeights['weights']): Float64Array {
  const byCode = new Float64Array(EVENT_TYPES.length);
  for (const type of Object.keys(weights) as InteractionType[]) {
    byCode[codeOfType(type)] = roundedWeight(weights[type]);
  }
  return byCode;
}

/** Of a table, which has totals. */
export const UNWEIGHTED: EngagementWeights = {
  weights: { view: 0, cart: 0, purchase: 0, remove_from_cart: 0, click: 0, rating: 0 },
  ratingMin: 0,
  halfLifeMs: Infinity,
};
