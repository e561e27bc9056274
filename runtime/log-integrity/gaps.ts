/**
 * Publishers' messages do not name the one before them. Where one actor reads all of a stream their sequences do: one that is not there was lost,
 * and what is behind it must not be folded as if nothing had happened (design rule 8).
 */
import { fatal } from '../contract/errors.js';
import type { LogMessage } from '../contract/ports.js';

/** Sequences from … to, both included. */
export type Span = readonly [from: number, to: number];

/** In order, none touching another. */
export function spansOf(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const [from, to] of [...spans].sort(([a], [b]) => a - b)) {
    const before = joined.at(-1);
    if (before !== undefined && from <= before[1] + 1) joined[joined.length - 1] = [before[0], Math.max(to, before[1])];
    else joined.push([from, to]);
  }
  return joined;
}

/** Is all of a span in one of these, which `spansOf` has joined? */
export const isWithin = (spans: readonly Span[], [from, to]: Span): boolean =>
  spans.some(([first, last]) => first <= from && to <= last);

/** `message 7`, `messages 7 to 9, 12`. */
export function spanText(spans: readonly Span[]): string {
  const isOne = spans.length === 1 && spans[0]![0] === spans[0]![1];
  const texts = spans.map(([from, to]) => (from === to ? `${from}` : `${from} to ${to}`));
  return `${isOne ? 'message' : 'messages'} ${texts.join(', ')}`;
}

export class Gaps {
  constructor(
    private readonly reader: string,
    private readonly stream: string,
    /** The last message that was processed. */
    private last: number,
    /** What is known to be gone for good. */
    private readonly gone: readonly Span[],
  ) {}

  /** Checks messages; Fatal LOG_GAP when one before any of them is missing. */
  check(messages: readonly LogMessage[]): void {
    for (const { sequence } of messages) {
      const missing = this.missingBefore(sequence);
      if (missing === undefined) continue;
      throw fatal('LOG_GAP', `${this.reader} does not find ${spanText([missing])} of ${this.stream}`, {
        hint: 'what publishers have sent was lost in the NATS store: restore it, or see what can be done with `rivulet repair`',
      });
    }
  }

  /** What is missing between the last one and this one, unless it is known to be gone. */
  missingBefore(sequence: number): Span | undefined {
    const missing: Span = [this.last + 1, sequence - 1];
    this.last = sequence;
    return missing[0] > missing[1] || isWithin(this.gone, missing) ? undefined : missing;
  }
}
