/** How popularity may be counted, for tests. */
import type { PopularitySource } from '../../actors/maths/engagement-weights.js';

type FromEvents = Extract<PopularitySource, { from: 'events' }>;

/** The number of purchases. */
export const CLASSIC: FromEvents = {
  from: 'events',
  weights: { view: 0, click: 0, cart: 0, purchase: 1, rating: 0, remove_from_cart: 0 },
  ...{ ratingMin: 0, halfLifeMs: Infinity },
};

/** The defaults of a node. */
export const WEIGHTED: FromEvents = {
  from: 'events',
  weights: { view: 0.02, click: 0.04, cart: 0.2, purchase: 1, rating: 0.5, remove_from_cart: 0 },
  ...{ ratingMin: 3.5, halfLifeMs: Infinity },
};
