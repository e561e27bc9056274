/**
 * decayed-interests: the decaying interests of one user.
 *
 *   I(c)(t) = v(c) · d(t − T(c)), never below 0        v, T  decayed sum of category c    d  decay    t  latest event time of the user
 *
 * Bounded: at most CATEGORIES_PER_USER_MAX categories, the weakest are dropped first; an interest that has fallen below INTEREST_MIN is dropped.
 */
import { addDecayed, decay, type DecayedSum } from './decay.js';
import { compareText } from './item-order.js';

/** Categories stored per user. */
export const CATEGORIES_PER_USER_MAX = 64;
/** A smaller interest is dropped; that of a view takes 30 half-lives to fall to it. */
export const INTEREST_MIN = 1e-9;

export interface DecayedInterests {
  /** t: epoch ms. */
  time: number;
  categories: (DecayedSum & { readonly category: string })[];
}

export interface Interest {
  readonly category: string;
  readonly interest: number;
}

export const noInterests = (): DecayedInterests => ({ time: -Infinity, categories: [] });

/** Adds a decayed sum to the interest in a category (`undefined`: only the time passes). */
export function addInterest(
  interests: DecayedInterests,
  category: string | undefined,
  { value, time }: DecayedSum,
  halfLifeMs: number,
): void {
  interests.time = Math.max(interests.time, time);
  if (category === undefined) return;
  const known = interests.categories.find((candidate) => candidate.category === category);
  if (known === undefined) interests.categories.push({ category, value, time });
  else addDecayed(known, value, time, halfLifeMs);
}

/** Drops what is beyond the bounds and returns the rest, strongest first, as of the user's time. */
export function settleInterests(interests: DecayedInterests, halfLifeMs: number): Interest[] {
  const asOf = ({ value, time }: DecayedSum): number => value * decay(interests.time - time, halfLifeMs);
  const strongest = interests.categories
    .map((sum) => ({ sum, category: sum.category, interest: asOf(sum) }))
    .filter(({ interest }) => interest >= INTEREST_MIN)
    .sort((a, b) => b.interest - a.interest || compareText(a.category, b.category))
    .slice(0, CATEGORIES_PER_USER_MAX);
  interests.categories = strongest.map(({ sum }) => sum);
  return strongest;
}
