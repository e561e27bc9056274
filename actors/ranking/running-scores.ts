/**
 * running-scores: how often the next item of a user was among the first HITS_AT of each source, and of the ranking, just before: the prequential hit rate
 * (Gama, Sebastião and Rodrigues 2013).
 *
 *   rate ← rate + (hit − rate) / min(n, JUDGED)        n  events judged so far        all of them count alike at first, then the newest JUDGED most
 */
import type { Choice } from './ranker.js';
import { SOURCE_NAMES } from './sources.js';

export const HITS_AT = 10;
const JUDGED = 10_000;

/** What is judged: each source alone, and all of them as they are ranked. */
export const JUDGED_MODELS: readonly string[] = [...SOURCE_NAMES, 'hybrid'];

export interface RunningScores {
  readonly judged: number;
  /** By the order of JUDGED_MODELS. */
  readonly rates: readonly number[];
}

export const NO_SCORES: RunningScores = { judged: 0, rates: JUDGED_MODELS.map(() => 0) };

export function withChoice({ judged, rates }: RunningScores, choice: Choice): RunningScores {
  const ranks = ranksOf(choice);
  const n = judged + 1;
  return {
    judged: n,
    rates: rates.map((rate, model) => rate + (Number(ranks[model]! <= HITS_AT) - rate) / Math.min(n, JUDGED)),
  };
}

/** The rank of the chosen item by each of JUDGED_MODELS, from 1; Infinity: not in its list. Of equal scores the one that came first is before. */
export function ranksOf({ items, rows, scores, chosen }: Choice): readonly number[] {
  const { features, values } = rows;
  const place = items.indexOf(chosen);
  return JUDGED_MODELS.map((_, model) => {
    const isSource = model < SOURCE_NAMES.length;
    const score = (at: number): number => (isSource ? values[at * features + model]! : scores[at]!);
    if (place < 0 || (isSource && score(place) === 0)) return Infinity;
    let rank = 1;
    for (let at = 0; at < items.length; at++) {
      if (score(at) > score(place) || (score(at) === score(place) && at < place)) rank++;
    }
    return rank;
  });
}
