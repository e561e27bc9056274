/**
 * The last message of each writer. Each message names the one before it on its subject, so that a log that was trimmed too far, rolled back or
 * recreated is detected before its messages are processed.
 */
import type { LogMessage } from '../contract/ports.js';
import type { Span } from './spans.js';
import { judgePredecessor, type Verdict } from './verdict.js';

export class Predecessors {
  private readonly lasts: Map<string, number>;

  constructor(
    private readonly reader: string,
    /** The sequence of the recovered snapshot, and the last message of each writer up to there. */
    private readonly restoredAt: number,
    lasts: Readonly<Record<string, number>>,
    /** Messages that are recorded as lost. */
    private readonly gone: readonly Span[] = [],
    /** Do sequences show missing messages (log-integrity/gaps.ts)? */
    private readonly seesAll = false,
  ) {
    this.lasts = new Map(Object.entries(lasts));
  }

  /** Per subject the sequence of its last message. */
  get all(): Record<string, number> {
    return Object.fromEntries(this.lasts);
  }

  /** Does a message follow its writer's last? It becomes the last. So does a foreign one, since the writer's next message follows it. */
  check(message: LogMessage): Verdict {
    const { restoredAt, gone, seesAll } = this;
    const last = this.lasts.get(message.subject);
    const verdict = judgePredecessor(this.reader, message, { restoredAt, last, gone, seesAll });
    if (verdict.fits) this.lasts.set(message.subject, message.sequence);
    return verdict;
  }
}
