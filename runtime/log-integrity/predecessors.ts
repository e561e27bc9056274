/**
 * The last message of each writer. Each message names the one before it on its subject, so that a log that was trimmed too far, put back or
 * made anew is noticed, and never folded as if nothing had happened (design rule 8).
 */
import type { LogMessage } from '../contract/ports.js';
import type { Span } from './spans.js';
import { judgePredecessor, type Verdict } from './verdict.js';

export class Predecessors {
  private readonly lasts: Map<string, number>;

  constructor(
    private readonly reader: string,
    /** The sequence that was restored, and the last message of each writer up to there. */
    private readonly restoredAt: number,
    lasts: Readonly<Record<string, number>>,
    /** What is known to be gone for good. */
    private readonly gone: readonly Span[] = [],
    /** Shows a message that is missing otherwise (log-integrity/gaps.ts)? */
    private readonly seesAll = false,
  ) {
    this.lasts = new Map(Object.entries(lasts));
  }

  /** Per subject the sequence of its last message. */
  get all(): Record<string, number> {
    return Object.fromEntries(this.lasts);
  }

  /** Is a writer's message the one behind its last? It is its last from now on; a stranger's as well, since the writer goes on behind it. */
  check(message: LogMessage): Verdict {
    const { restoredAt, gone, seesAll } = this;
    const last = this.lasts.get(message.subject);
    const verdict = judgePredecessor(this.reader, message, { restoredAt, last, gone, seesAll });
    if (verdict.fits) this.lasts.set(message.subject, message.sequence);
    return verdict;
  }
}
