/** source: what every source of candidates is given, and gives. */
import type { RankedItem, RankedList } from '../maths/ranked-list.js';

/** The candidates for a question, best first. `list` is the user's list; empty for an unknown user. */
export type CandidateSource = (
  reader: RecommendationReader,
  question: Question,
  list: readonly RankedItem[],
) => readonly RankedItem[];

/** From events; where there is a catalogue, it says more. */
export interface ItemFacts {
  readonly brand?: string;
  /** The average. */
  readonly price?: number;
}

/** The state that an answer is made from, in memory or in the store of the instance. */
export interface RecommendationReader {
  /** The user's latest list; `undefined` for an unknown user. */
  listOf(user: string): RankedList | undefined;
  /** When the user last interacted with each item, event time in epoch ms, as far as remembered. */
  seen(user: string): ReadonlyMap<string, number>;
  /** The first items over all categories, typed as fallback. */
  fallback(limit: number): readonly RankedItem[];
  /** The first items of a main category, typed as fallback. */
  topOf(category: string, limit: number): readonly RankedItem[];
  /** What events have said about an item, if it is among the first of its main category. */
  factsOf(item: string, category: string | undefined): ItemFacts;
}

export interface Question {
  readonly user: string;
  /** Clamped to 0…100. */
  readonly limit: number;
  /** A main category. */
  readonly category?: string | undefined;
  readonly excludeSeen: boolean;
  readonly explain: boolean;
}
