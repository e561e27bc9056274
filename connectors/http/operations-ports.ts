/** Ports of the HTTP façade for operations. Those that it shares with gRPC are in connectors/facade. */
import type { EventType } from '../../actors/model.js';
import type { Change } from '../../runtime/dead-letters/change.js';
import type { DeadLetterPage, DeadLetterQuery } from '../../runtime/dead-letters/queue.js';
import type { DeadLetter } from '../../runtime/dead-letters/record.js';
import type { StatusReport } from './routes/status-report.js';

export interface DeadLetters {
  /** Poison BROWSABLE_LOG_CURSOR. */
  page(query: DeadLetterQuery): Promise<DeadLetterPage>;
  /** Poison DEAD_LETTER_UNKNOWN. */
  find(id: string): Promise<DeadLetter>;
  /**
   * Resolves when the event is stored and the record is marked. Poison DEAD_LETTER_UNKNOWN; DEAD_LETTER_RETRIED, unless `again`;
   * DEAD_LETTER_BUSY, another retry is under way; DEAD_LETTER_CHANGE, the change cannot be applied; DEAD_LETTER_INTERNAL, it is not an event of a
   * publisher.
   */
  retry(
    id: string,
    change: Change,
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
