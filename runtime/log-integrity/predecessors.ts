/**
 * What was heard of each writer. Each of its messages says which one came before it on its subject, so that a log that was trimmed too far, put
 * back or made anew is heard of, and never folded as if nothing had happened (design rule 8).
 */
import { fatal } from '../contract/errors.js';
import { CLOCK, REPARTITION, writerOf } from '../contract/graph.js';
import type { LogMessage } from '../contract/ports.js';
import { isWithin, type Span } from './gaps.js';

export class Heard {
  private readonly lasts: Map<string, number>;

  constructor(
    private readonly reader: string,
    /** The sequence that was restored, and the last message of each writer up to there, as far as known. */
    private readonly restoredAt: number,
    lasts: Readonly<Record<string, number>>,
    /** What is known to be gone for good. */
    private readonly gone: readonly Span[] = [],
    /** Shows a message that is missing otherwise (whole.ts)? */
    private readonly seesAll = false,
  ) {
    this.lasts = new Map(Object.entries(lasts));
  }

  /** Per subject the sequence of its last message. */
  get all(): Record<string, number> {
    return Object.fromEntries(this.lasts);
  }

  /** Takes note of a writer's message; Fatal when it is not the one behind its last. */
  follow({ subject, sequence, expected }: LogMessage): void {
    const writer = writerOf(subject).id;
    if (writer === REPARTITION) {
      throw fatal('LOG_GAP', `${this.reader} has not the state that this mailbox goes on from, after a repartition`, {
        hint: 'its copy is gone: start the node on the data directory that was repartitioned, or see what can be done with `rivulet repair`',
      });
    }
    const last = this.lasts.get(subject);
    // Nobody's line goes on behind it (LOG_FOREIGN), the clock does.
    if (expected === undefined && writer !== CLOCK) return;
    const isGone = expected !== undefined && isWithin(this.gone, [expected, expected]);
    if (expected !== undefined && expected > (last ?? this.restoredAt) && !isGone) {
      throw fatal(
        'LOG_GAP',
        `${this.reader} has read up to message ${this.restoredAt}, but message ${expected} on ${subject} is gone`,
        { hint: 'the state is older than what the log was trimmed to: see what can be done with `rivulet repair`' },
      );
    }
    // Of a stream that was purged the clock begins its line anew. What it had said is known here, and of what is not a sequence is missing.
    const isPurged = expected === 0 && writer === CLOCK && this.seesAll;
    if (expected !== undefined && last !== undefined && expected < last && !isPurged) {
      const before = expected === 0 ? 'none' : `message ${expected}`;
      throw fatal(
        'LOG_BEHIND',
        `${this.reader} has read message ${last} on ${subject}, but message ${sequence} follows ${before} there`,
        {
          hint: 'messages were purged or deleted from the NATS store, or it was rolled back: restore it, or see what can be done with `rivulet repair`',
        },
      );
    }
    this.lasts.set(subject, sequence);
  }
}
