/** source: what every source of candidates is given, and gives. */
import type { RankedList } from '../maths/made-list.js';

/** The candidates for a question, best first. `list` is the user's own list; empty for a user without interests. */
export type CandidateSource = (reader: RecommendationReader, question: Question, list: RankedList) => RankedList;

/** From events; where there is a catalogue, it says more. */
export interface ItemFacts {
  readonly brand?: string | undefined;
  /** The average. */
  readonly price?: number | undefined;
}

/** The state that an answer is made from, in memory or in the store of the instance. */
export interface RecommendationReader {
  /** The first n items or more of the user's own list, which has up to 100; empty for a user without interests. */
  ownList(user: string, n: number): RankedList;
  /** When the user last interacted with each item, event time in epoch ms, as far as remembered. */
  seen(user: string): ReadonlyMap<string, number>;
  /** The first items over all categories, typed as fallback. */
  fallback(): RankedList;
  /** The first items of a main category, typed as fallback. */
  topOf(category: string): RankedList;
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
