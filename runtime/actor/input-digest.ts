/**
 * Which inputs the answers of an instance stand on, as a digest that each answer and each snapshot carries.
 *
 * What was answered after the snapshot is read again after a restart, and its answers are dropped as they were given already (design rule 5). That holds
 * only while the log gives the same inputs again: where one of them was lost, or the stream was cut back and filled anew, state and answers would
 * part without a word. So when a replay reaches the last input that was answered, its digest must be the one that the answer carries.
 */
import type { LogMessage } from '../contract/ports.js';
import { NO_OUTPUT, type OutputPosition } from './output-position.js';
import type { Span } from '../log-integrity/spans.js';
import { FITS, judgeInputs, type Verdict } from '../log-integrity/verdict.js';

type Input = Pick<LogMessage, 'sequence' | 'storedAtMs'>;

/** FNV-1a over sequence and time of storing, 32 bits at a time; 0 stands for "not known" and is never given. */
export function withInput(digest: number, { sequence, storedAtMs }: Input): number {
  let hash = digest ^ 0x811c9dc5;
  for (const word of [sequence, sequence / 2 ** 32, storedAtMs, storedAtMs / 2 ** 32]) {
    hash = Math.imul(hash ^ (word >>> 0), 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash >>> 0 || 1;
}

export class InputDigest {
  private current: number;
  private readonly from: number;
  /** The latest input that was answered, while it has not been reached. */
  private awaited: OutputPosition | undefined;

  constructor(
    private readonly reader: string,
    private readonly stream: string,
    /** What the state includes. */
    restored: { readonly sequence: number; readonly inputsDigest: number },
    lanes: ReadonlyMap<string, { readonly published: OutputPosition }>,
    /** Inputs that are known to be gone for good: their answers are what is left of them. */
    private readonly gone: readonly Span[],
  ) {
    this.current = restored.inputsDigest;
    this.from = restored.sequence + 1;
    let answered = NO_OUTPUT;
    for (const { published } of lanes.values()) if (published.sequence > answered.sequence) answered = published;
    if (answered.sequence > restored.sequence && answered.inputsDigest !== 0) this.awaited = answered;
  }

  /** Of all inputs up to now. */
  get digest(): number {
    return this.current;
  }

  /** Are the inputs up to this one those that were answered? */
  take(input: Input): Verdict {
    const isPast = this.awaited !== undefined && input.sequence > this.awaited.sequence;
    const verdict = isPast ? this.judge(undefined) : FITS;
    this.current = withInput(this.current, input);
    return this.awaited?.sequence === input.sequence ? this.judge(this.current) : verdict;
  }

  /** All that there is was read: was what was answered among it? */
  end(): Verdict {
    return this.judge(undefined);
  }

  private judge(found: number | undefined): Verdict {
    const { awaited, reader, stream, from, gone } = this;
    if (awaited === undefined) return FITS;
    this.awaited = undefined;
    const { sequence: upTo, inputsDigest: answered } = awaited;
    return judgeInputs(reader, stream, { from, upTo, answered, found, gone });
  }
}
