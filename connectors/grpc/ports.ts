/** What the gRPC façade needs from the rest, and what it tells about itself. */
import type { EventType } from '../../actors/model.js';

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
}

export interface Answer {
  /** Best first; what is beyond the limit is not sent. */
  readonly items: readonly AnswerItem[];
  /** Event time, epoch ms; absent before the first event. */
  readonly asOfMs?: number | undefined;
  readonly model: string;
}

/**
 * Looks up lists. An unknown user has an answer too (what is popular). Answer without a promise where possible: that saves the call a trip
 * around the event loop, and its place among the calls that are counted against its client.
 */
export interface RecommendationAnswers {
  get(query: RecommendationQuery): Answer | Promise<Answer>;
}

/** Stores events. */
export interface EventPublisher {
  /**
   * Resolves when the log has stored the event: the bytes of one rivulet.v1.Event that keeps the rules, valid until then. Rejects with
   * Poison when this event can never be stored (the stream of events goes on), with anything else to end the call. The façade has at most
   * `publishesInFlight` of these waiting per call, so a promise must settle, by a timeout if need be.
   */
  publish(event: Uint8Array, type: EventType, userId: string): Promise<void>;
}

/** A call that ended: the method as `package.Service/Method`, the status code by name (`OK`, `INVALID_ARGUMENT`…), how long it took. */
export interface EndedCall {
  readonly method: string;
  readonly code: string;
  readonly ms: number;
}

export type CallObserver = (call: EndedCall) => void;
