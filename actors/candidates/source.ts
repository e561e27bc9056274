/** source: what every source of candidates is given, and gives. */
import type { ArmSums } from '../maths/experiment.js';
import type { RankedItem, RankedList } from '../maths/made-list.js';
import type { LatestItems } from '../maths/rank/latest-items.js';
import type { Contribution, Strategy } from '../model.js';

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
  /** The items that the user interacted with last. */
  latest(user: string): LatestItems;
  /** The first items over all categories, typed as fallback. */
  fallback(): RankedList;
  /** The first items of a main category, typed as fallback. */
  topOf(category: string): RankedList;
  /** What events have said about an item, if it is among the first of its main category. */
  factsOf(item: string, category: string | undefined): ItemFacts;
}

export interface Explanation {
  /** For people. */
  readonly reason: string;
  /** The largest, at most three. */
  readonly contributions: readonly Contribution[];
}

export interface RankedCandidate extends RankedItem {
  readonly facts: ItemFacts;
  readonly explanation: Explanation | undefined;
}

/** As configured. */
export interface RankingRules {
  /** Of als-trending: how much als counts beside what trends, 0 to 1. */
  readonly alsWeight: number;
  /** The share of lists by hybrid whose last item is one that is new, 0 to 1. */
  readonly exploration: number;
  /** The most that one main category may have of a list by hybrid or co-visitation, above 0 to 1. */
  readonly categoryShareMax: number;
}

export interface RankingQuestion {
  readonly user: string;
  readonly latest: LatestItems;
  /** All that the user did, as far as it is remembered. */
  readonly seen: () => ReadonlyMap<string, number>;
  readonly trending: () => RankedList;
  /** For explanations: its title, or else its id. */
  readonly titleOf: (item: string) => string;
  readonly by: Exclude<Strategy, 'category-popularity' | 'trending'>;
  readonly rules: RankingRules;
  /** The most candidates. */
  readonly n: number;
  readonly category: string | undefined;
  readonly isExcluded: (item: string) => boolean;
  readonly explain: boolean;
}

export interface SimilarItem extends ItemFacts {
  readonly item: string;
  /** From 1. */
  readonly rank: number;
  readonly score: number;
  readonly category: string | undefined;
}

/** How good the lists are, and what they are ranked by. */
export interface RankingReport {
  /** Events so far whose item was looked for in the lists of just before. */
  readonly judged: number;
  /** Of the sources, and of `hybrid`: how often the item was among the first ten, lately. */
  readonly hitRates: readonly { readonly model: string; readonly hitRate: number }[];
  /** Those that all contexts have in common. */
  readonly weights: readonly { readonly feature: string; readonly weight: number }[];
  /** The latest training of factors: when (epoch ms), of how many items, with how many numbers each. Absent: there was none. */
  readonly factors: { readonly trainedMs: number; readonly items: number; readonly rank: number } | undefined;
  /** What was shown in each arm of experiments, and followed. */
  readonly arms: Readonly<Record<string, ArmSums>>;
}

/** What all users' lists are made of. */
export interface RankingReader {
  /** Best first. */
  ranked(question: RankingQuestion): readonly RankedCandidate[];
  /** Best first; absent: the item is not known. */
  similar(item: string, n: number, category: string | undefined): readonly SimilarItem[] | undefined;
  /** Unchanged for as long as nothing is learnt. */
  revision(): number;
  report(): RankingReport;
}

export interface Question {
  readonly user: string;
  /** Default: category-popularity. */
  readonly strategy?: Strategy;
  /** Clamped to 0…100. */
  readonly limit: number;
  /** A main category. */
  readonly category?: string | undefined;
  readonly excludeSeen: boolean;
  readonly explain: boolean;
}
