/** What the HTTP façade needs for operations. What it shares with gRPC is in connectors/facade. */
import type { EventType } from '../../actors/model.js';
import type { StatusReport } from './routes/status-report.js';

/** A refused event. */
export interface DeadLetterRecord {
  /** `<stream sequence>-<row>`: stands as long as the record does. */
  readonly id: string;
  /** The bytes, exactly; of a page only the beginning of what is long. */
  readonly original: Uint8Array;
  /** How many the whole has. */
  readonly originalBytes: number;
  /** Where it came from: the subject (empty: none) and stream sequence, of a file its name and the 1-based line, the index within its message. */
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
  /** `next` of the page before. */
  readonly before: string | undefined;
  readonly rule: string | undefined;
  readonly retried: boolean | undefined;
}

export interface DeadLetterPage {
  /** Newest first. */
  readonly records: readonly DeadLetterRecord[];
  /** Where the next page begins; absent: this is the last. A page that is not full may have one. */
  readonly next: string | undefined;
}

/** What is sent: the original, the original with fields of its JSON object set, or something else. */
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
   * DEAD_LETTER_BUSY, somebody else is at it; DEAD_LETTER_CHANGE, it cannot be changed so; DEAD_LETTER_INTERNAL, it is no publisher's event.
   */
  retry(
    id: string,
    change: DeadLetterChange,
    options: { readonly again: boolean },
  ): Promise<{ readonly id: string; readonly subject: string }>;
}

/** An event that came after its last window was closed. */
export interface LateEvent {
  readonly id: string;
  readonly eventTimeMs: number | undefined;
  readonly userId: string | undefined;
  readonly itemId: string | undefined;
  readonly eventType: EventType | undefined;
  readonly category: string | undefined;
  readonly brand: string | undefined;
  readonly price: number | undefined;
  /** The last window that it would have been in: [start, end), epoch ms. */
  readonly window: { readonly startMs: number; readonly endMs: number } | undefined;
  /** When it was put aside, epoch ms. */
  readonly storedAtMs: number;
}

export interface LateEvents {
  /** Newest first; `next` as of dead letters. Poison BROWSABLE_LOG_CURSOR. */
  page(query: { readonly limit: number; readonly before: string | undefined }): Promise<{
    readonly events: readonly LateEvent[];
    readonly next: string | undefined;
  }>;
}

export interface NodeStatus {
  report(): StatusReport;
}

/** What is asked for by who runs the node. */
export interface Operations {
  readonly deadLetters: DeadLetters;
  readonly lateEvents: LateEvents;
  readonly status: NodeStatus;
}
