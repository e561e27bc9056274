/** What the gRPC façade needs from the rest, and what it tells about itself. */
import type { SoundEvent } from '../../actors/formats/event-reader.js';
import type { TraceHeaders } from '../../runtime/telemetry/trace-context.js';

/** A checked question: ids are non-empty and short, `limit` is 1 to 100, an absent category means all. */
export interface RecommendationQuery {
  readonly userId: string;
  readonly limit: number;
  readonly category: string | undefined;
  readonly excludeSeen: boolean;
  /** Give each item a `reason`. */
  readonly explain: boolean;
}

export interface AnswerItem {
  readonly itemId: string;
  /** From 1. */
  readonly rank: number;
  readonly score: number;
  readonly category?: string | undefined;
  readonly type: string;
  readonly reason?: string | undefined;
  readonly title?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
}

export interface Answer {
  /** Best first; what is beyond the limit is not sent. */
  readonly items: readonly AnswerItem[];
  /** Answers to which this is the same object have the same items, whatever the user; they need not be looked at again. */
  readonly sameAs?: object | undefined;
  /** Event time, epoch ms; absent before the first event. */
  readonly asOfMs?: number | undefined;
  /** How long it is not known whether there is anything new; absent: it is, or only just not. */
  readonly staleMs?: number | undefined;
  readonly model: string;
  /** Of the latest traced event that the list has taken in. */
  readonly trace?: TraceHeaders | undefined;
}

/**
 * Looks up lists. An unknown user has an answer too (what is popular). Answer without a promise where possible: that saves the call a trip
 * around the event loop, and its place among the calls that are counted against its client.
 */
export interface RecommendationAnswers {
  get(query: RecommendationQuery): Answer | Promise<Answer>;
}

/** What is new in the lists: for those who follow one. */
export interface RecommendationChanges {
  /** Something that is the same (`===`) as long as nothing that the user's list is made of has changed. Cheap. */
  version(userId: string): unknown;
  /** Calls back after lists of any users may have changed, many times a second; gives how to end that. */
  onChange(listener: () => void): () => void;
}

export type TrendingWindow = 'hour' | 'day' | 'last-hour';
export type TrendingRanking = 'score' | 'velocity' | 'decayed';

/** A checked question; an absent category means all. */
export interface TrendingQuery {
  readonly window: TrendingWindow;
  readonly ranking: TrendingRanking;
  readonly category: string | undefined;
}

export interface TrendingEntry {
  readonly itemId: string;
  /** What the list is ordered by. */
  readonly score: number;
  readonly views: number;
  readonly clicks: number;
  readonly category: string | undefined;
  /** Score per hour, against the window before. */
  readonly velocity: number;
  readonly title?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
}

/** One state of a list; never changed in place. */
export interface TrendingList {
  /** Grows with every change of the list; the same on all nodes and after a restart. 0: no list that is empty has had items. */
  readonly revision: number;
  /** Event time, epoch ms; absent before the first event. */
  readonly asOfMs: number | undefined;
  /** [start, end), epoch ms; absent before the first event. */
  readonly window: { readonly startMs: number; readonly endMs: number } | undefined;
  /** Best first, at most 100. */
  readonly items: readonly TrendingEntry[];
}

export interface TrendingLists {
  /** Those that the deployment makes; `score` always. */
  readonly rankings: ReadonlySet<TrendingRanking>;
  /** The list as it stands: with the same `items` until these, or what they are called, change. An unknown category has an empty one. Throws Transient while it is being restored. */
  get(query: TrendingQuery): TrendingList;
  /** For so long it is not known whether there is anything new, ms; absent: not for long enough to say so. */
  staleMs?(): number | undefined;
  /** Of the latest traced event that any list has taken in. */
  trace?(): TraceHeaders | undefined;
  /** Calls back after any list may have changed; gives how to end that. */
  onChange(listener: () => void): () => void;
}

/** What is known of an item; never changed in place. */
export interface CatalogueItem {
  readonly itemId: string;
  readonly title: string | undefined;
  /** As it was published, `main.sub` or however the catalogue calls it. */
  readonly category: string | undefined;
  readonly brand: string | undefined;
  readonly price: number | undefined;
  /** When what was last new of it was stored, epoch ms. */
  readonly updatedAtMs: number;
}

/** What items are called. Both throw Transient while the catalogue is being restored for the first time. */
export interface ItemCatalogue {
  get(itemId: string): CatalogueItem | undefined;
  /** The same for as long as no item has changed, on all nodes; 0: none was ever known. */
  readonly revision: number;
}

/** Stores events. */
export interface EventPublisher {
  /**
   * Resolves when the log has stored the event; its bytes are valid until then. Rejects with Poison when this event can never be stored (the
   * stream of events goes on), with anything else to end the call. The façade has at most `publishesInFlight` of these waiting per call, so a
   * promise must settle, by a timeout if need be. `trace` goes with the event.
   */
  publish(event: SoundEvent, trace?: TraceHeaders): Promise<void>;
}

export type CallKind = 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';

export interface CalledMethod {
  /** `package.Service/Method` */
  readonly method: string;
  readonly kind: CallKind;
}

/** The status code by name (`OK`, `INVALID_ARGUMENT`…), and how long the call took. */
export interface EndedCall extends CalledMethod {
  readonly code: string;
  readonly ms: number;
}

/** Each call of a method that there is begins once and ends once. */
export interface CallObserver {
  began(call: CalledMethod): void;
  ended(call: EndedCall): void;
}
