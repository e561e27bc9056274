/** What the gRPC façade needs from the other components, and what it reports about itself. */
import type { Contribution, Strategy } from '../../actors/model.js';
import type { SoundEvent } from '../../actors/formats/event-reader.js';
import type { TraceHeaders } from '../../runtime/telemetry/trace-context.js';

/** A validated request: ids are non-empty and short, `limit` is 1 to 100, an absent category means all. */
export interface RecommendationQuery {
  readonly userId: string;
  readonly limit: number;
  readonly category: string | undefined;
  readonly excludeSeen: boolean;
  /** Adds a `reason` to each item. */
  readonly explain: boolean;
  /** Absent: that of the node. */
  readonly strategy?: Strategy | undefined;
}

export interface AnswerItem {
  readonly itemId: string;
  /** From 1. */
  readonly rank: number;
  readonly score: number;
  readonly category?: string | undefined;
  readonly type: string;
  readonly reason?: string | undefined;
  /** With `explain`: what the place of the item comes from. */
  readonly contributions?: readonly Contribution[] | undefined;
  readonly title?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
}

export interface Answer {
  /** Best first; items beyond the limit are not sent. */
  readonly items: readonly AnswerItem[];
  /** Answers with the same object here have the same items, whatever the user; they need not be compared. */
  readonly sameAs?: object | undefined;
  /** Event time, epoch ms; absent before the first event. */
  readonly asOfMs?: number | undefined;
  /** For how long new events may be missing; absent: none, or not long enough to report. */
  readonly staleMs?: number | undefined;
  readonly model: string;
  readonly strategy: Strategy;
  /** Of the experiment: `name/arm`; absent: there is none, or the question named a strategy. */
  readonly arm?: string | undefined;
  /** Trace of the latest traced event that the list includes. */
  readonly trace?: TraceHeaders | undefined;
}

/**
 * Looks up lists. An unknown user gets an answer too (popular items). Answer without a promise where possible: that saves the call a trip around the
 * event loop, and its place among the calls that are counted against its client.
 */
export interface RecommendationAnswers {
  get(query: RecommendationQuery): Answer | Promise<Answer>;
}

/** Lists and their changes: for those who follow one. */
export interface RecommendationChanges extends RecommendationAnswers {
  /** The same object (`===`) until an input of the list changes. Cheap. */
  version(query: Pick<RecommendationQuery, 'userId' | 'category' | 'strategy'>): unknown;
  /** Calls back after lists of any users may have changed, many times a second; returns the function that unsubscribes. */
  onChange(listener: () => void): () => void;
}

export interface SimilarQuery {
  readonly itemId: string;
  readonly limit: number;
  readonly category: string | undefined;
}

export interface SimilarEntry {
  readonly itemId: string;
  /** From 1. */
  readonly rank: number;
  readonly score: number;
  readonly category: string | undefined;
  readonly title?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
}

export interface SimilarItems {
  /** Best first; absent: no event was about the item. Throws Transient during the first recovery. */
  get(query: SimilarQuery): readonly SimilarEntry[] | undefined;
}

/** What was shown to its users, of the sample that ranking learns from, and what they did with it. */
export interface ExperimentArm {
  readonly arm: string;
  readonly strategy: Strategy;
  /** Of all users. */
  readonly percent: number;
  readonly users: number;
  readonly shown: number;
  readonly followed: number;
  /** Of what they did, while something was shown to them: how often it was with an item that was. Absent: nothing yet. */
  readonly hitRate: number | undefined;
  /** That it follows more or less than the first arm by chance; absent: it is the first. */
  readonly p: number | undefined;
}

/** How good the lists are, and what they are ranked by. Throws Transient during the first recovery. */
export interface Ranking {
  report(): {
    readonly judged: number;
    readonly hitRates: readonly { readonly model: string; readonly hitRate: number }[];
    readonly weights: readonly { readonly feature: string; readonly weight: number }[];
    /** Of items: when they were trained (epoch ms), how many items have them, and how many numbers each. Absent: none were trained yet. */
    readonly factors: { readonly trainedMs: number; readonly items: number; readonly rank: number } | undefined;
    /** The one that is under way. */
    readonly experiment: { readonly name: string; readonly arms: readonly ExperimentArm[] } | undefined;
  };
}

export type TrendingWindow = 'hour' | 'day' | 'last-hour';
export type TrendingRanking = 'score' | 'velocity' | 'decayed';

/** A validated request; an absent category means all. */
export interface TrendingQuery {
  readonly window: TrendingWindow;
  readonly ranking: TrendingRanking;
  readonly category: string | undefined;
}

export interface TrendingEntry {
  readonly itemId: string;
  /** The value that orders the list. */
  readonly score: number;
  readonly views: number;
  readonly clicks: number;
  readonly category: string | undefined;
  /** Score per hour, compared with the window before. */
  readonly velocity: number;
  readonly title?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
}

/** One state of a list; never modified. */
export interface TrendingList {
  /** Grows with every change of the list; the same on all nodes and after a restart. 0: the list is empty, and never had items. */
  readonly revision: number;
  /** Event time, epoch ms; absent before the first event. */
  readonly asOfMs: number | undefined;
  /** [start, end), epoch ms; absent before the first event. */
  readonly window: { readonly startMs: number; readonly endMs: number } | undefined;
  /** Best first, at most 100. */
  readonly items: readonly TrendingEntry[];
}

export interface TrendingLists {
  /** Those that the deployment computes; always includes `score`. */
  readonly rankings: ReadonlySet<TrendingRanking>;
  /**
   * The current list: with the same `items` object until the items or their names change. An unknown category has an empty list. Throws Transient
   * during recovery.
   */
  get(query: TrendingQuery): TrendingList;
  /** For how long new events may be missing, ms; absent: not long enough to report. */
  staleMs?(): number | undefined;
  /** Trace of the latest traced event that any list includes. */
  trace?(): TraceHeaders | undefined;
  /** Calls back after any list may have changed; returns the function that unsubscribes. */
  onChange(listener: () => void): () => void;
}

/** The metadata of an item; never modified. */
export interface CatalogueItem {
  readonly itemId: string;
  readonly title: string | undefined;
  /** As published, `main.sub` or in the catalogue's own form. */
  readonly category: string | undefined;
  readonly brand: string | undefined;
  readonly price: number | undefined;
  readonly tags: readonly string[] | undefined;
  /** When its latest metadata was stored, epoch ms. */
  readonly updatedAtMs: number;
}

/** An item that events are about and that the catalogue does not have. */
export interface UnknownItem {
  readonly itemId: string;
  /** How many events. */
  readonly events: number;
  /** The latest of them, event time, epoch ms. */
  readonly lastEventMs: number;
}

/** Metadata of items. All of it throws Transient during the first recovery of the catalogue. */
export interface ItemCatalogue {
  get(itemId: string): CatalogueItem | undefined;
  /** At most 1,000, the latest event first; of equal ones by item. */
  unknown(): readonly UnknownItem[];
  /** The same on all nodes until an item changes; 0: no item was ever known. */
  readonly revision: number;
}

/** Stores events. */
export interface EventPublisher {
  /**
   * Resolves when the log has stored the event; its bytes are valid until then. Rejects with Poison when this event can never be stored (the stream
   * of events continues), with any other error to end the call. The façade has at most `publishesInFlight` pending per call, so each promise must
   * settle, by a timeout if need be. `trace` is stored with the event.
   */
  publish(event: SoundEvent, trace?: TraceHeaders): Promise<void>;
}

export type CallKind = 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';

export interface CalledMethod {
  /** `package.Service/Method` */
  readonly method: string;
  readonly kind: CallKind;
}

/** The name of the status code (`OK`, `INVALID_ARGUMENT`…), and the duration of the call. */
export interface EndedCall extends CalledMethod {
  readonly code: string;
  readonly ms: number;
}

/** Each call of an existing method begins once and ends once. */
export interface CallObserver {
  began(call: CalledMethod): void;
  ended(call: EndedCall): void;
}
