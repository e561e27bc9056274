/**
 * Publishers' messages do not name the one before them. Where one actor reads all of a stream, their sequences show what is missing: a missing message
 * is lost, and processing must not go on past it.
 */
import type { LogMessage } from '../contract/ports.js';
import { isWithin, type Span } from './spans.js';
import { FITS, judgeMissing, type Verdict } from './verdict.js';

export class Gaps {
  constructor(
    private readonly reader: string,
    private readonly stream: string,
    /** The last message that was processed. */
    private last: number,
    /** Messages that are recorded as lost. */
    private readonly gone: readonly Span[],
  ) {}

  /** Is any message missing before one of these? */
  check(messages: readonly Pick<LogMessage, 'sequence'>[]): Verdict {
    for (const { sequence } of messages) {
      const missing: Span = [this.last + 1, sequence - 1];
      this.last = sequence;
      if (missing[0] <= missing[1] && !isWithin(this.gone, missing)) {
        return judgeMissing(this.reader, this.stream, [missing]);
      }
    }
    return FITS;
  }
}
