/**
 * The last message of each writer. Each message names the one before it on its subject, so that a log that was trimmed too far, put back or
 * made anew is noticed, and never folded as if nothing had happened (design rule 8).
 */
import { fatal } from '../contract/errors.js';
import { CLOCK, REPARTITION, writerOf } from '../contract/graph.js';
import type { LogMessage } from '../contract/ports.js';
import { isWithin, type Span } from './gaps.js';

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

  /** Checks a writer's message; Fatal when it is not the one behind its last. */
  check({ subject, sequence, expected }: LogMessage): void {
    const writer = writerOf(subject).id;
    // A stranger's, and nothing is made of it; but the writer goes on behind it.
    if (expected === undefined) {
      this.lasts.set(subject, sequence);
      return;
    }
    if (writer === REPARTITION) {
      throw fatal('LOG_GAP', `${this.reader} has not the state that this mailbox goes on from, after a repartition`, {
        hint: 'its copy is gone: start the node on the data directory that was repartitioned, or see what can be done with `rivulet repair`',
      });
    }
    const last = this.lasts.get(subject);
    // That the state includes later messages of others does not mean that it includes this one; unless what is missing among those shows otherwise.
    const known = last ?? (this.seesAll ? this.restoredAt : 0);
    const isGone = isWithin(this.gone, [expected, expected]);
    if (expected > known && !isGone) {
      throw fatal(
        'LOG_GAP',
        `${this.reader} has read up to message ${this.restoredAt}, but message ${expected} on ${subject} is gone`,
        { hint: 'the state is older than what the log was trimmed to: see what can be done with `rivulet repair`' },
      );
    }
    // Of a stream that was purged the clock begins anew. What it had published is known here, and of what is not known a sequence is missing.
    const isPurged = expected === 0 && writer === CLOCK && this.seesAll;
    if (last !== undefined && expected < last && !isPurged) {
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
