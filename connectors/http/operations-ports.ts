/** Ports of the HTTP façade for operations. Those that it shares with gRPC are in connectors/facade. */
import type { EventType } from '../../actors/model.js';
import type { StatusReport } from './routes/status-report.js';

/** A refused event. */
export interface DeadLetterRecord {
  /** `<stream sequence>-<row>`: stable for as long as the record exists. */
  readonly id: string;
  /** The exact bytes; in a page only the beginning of a long original. */
  readonly original: Uint8Array;
  /** The full length. */
  readonly originalBytes: number;
  /** Origin: the subject (empty: none) and stream sequence; for a file its name and 1-based line; and the index within its message. */
  readonly subject: string;
  readonly sequence: number;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly index: number;
  readonly stage: string;
  readonly rule: string;
  readonly field: string | undefined;
  readonly reason: string;
  /** Epoch ms. */
  readonly storedAtMs: number;
  readonly retriedAtMs: number | undefined;
}

export interface DeadLetterQuery {
  /** 1 to 200. */
  readonly limit: number;
  /** `next` of the previous page. */
  readonly before: string | undefined;
  readonly rule: string | undefined;
  readonly retried: boolean | undefined;
}

export interface DeadLetterPage {
  /** Newest first. */
  readonly records: readonly DeadLetterRecord[];
  /** The cursor of the next page; absent on the last one. A page that is not full may have one. */
  readonly next: string | undefined;
}

/** What is published: the original, the original with fields of its JSON object set, or a replacement. */
export type DeadLetterChange =
  | { readonly kind: 'none' }
  | { readonly kind: 'set'; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly kind: 'event'; readonly data: Uint8Array };

export interface DeadLetters {
  /** Poison BROWSABLE_LOG_CURSOR. */
  page(query: DeadLetterQuery): Promise<DeadLetterPage>;
  /** Poison DEAD_LETTER_UNKNOWN. */
  find(id: string): Promise<DeadLetterRecord>;
  /**
   * Resolves when the event is stored and the record is marked. Poison DEAD_LETTER_UNKNOWN; DEAD_LETTER_RETRIED, unless `again`;
   * DEAD_LETTER_BUSY, another retry is under way; DEAD_LETTER_CHANGE, the change cannot be applied; DEAD_LETTER_INTERNAL, it is not an event of a
   * publisher.
   */
  retry(
    id: string,
    change: DeadLetterChange,
    options: { readonly again: boolean },
  ): Promise<{ readonly id: string; readonly subject: string }>;
}

/** An event that arrived after its last window was closed. */
export interface LateEvent {
  readonly id: string;
  readonly eventTimeMs: number | undefined;
  readonly userId: string | undefined;
  readonly itemId: string | undefined;
  readonly eventType: EventType | undefined;
  readonly category: string | undefined;
  readonly brand: string | undefined;
  readonly price: number | undefined;
  /** The last window that it would have counted in: [start, end), epoch ms. */
  readonly window: { readonly startMs: number; readonly endMs: number } | undefined;
  /** When it was stored as late, epoch ms. */
  readonly storedAtMs: number;
}

export interface LateEvents {
  /** Newest first; `next` as in DeadLetterPage. Poison BROWSABLE_LOG_CURSOR. */
  page(query: { readonly limit: number; readonly before: string | undefined }): Promise<{
    readonly events: readonly LateEvent[];
    readonly next: string | undefined;
  }>;
}

export interface NodeStatus {
  report(): StatusReport;
}

/** Functions for operators of the node. */
export interface Operations {
  readonly deadLetters: DeadLetters;
  readonly lateEvents: LateEvents;
  readonly status: NodeStatus;
}
