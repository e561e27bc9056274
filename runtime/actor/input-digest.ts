/**
 * A digest of the inputs that an instance has processed, which each of its outputs and snapshots carries.
 *
 * After a restart the inputs behind the snapshot are read again, and their outputs are dropped because they are published already (OUTBOX-1). That is
 * right only if the log delivers the same inputs again: if one is lost, or the stream was truncated and refilled, state and outputs would diverge
 * silently. So when a replay reaches the last input that has an output, its digest must be the one that the output carries.
 */
import type { LogMessage } from '../contract/ports.js';
import { NO_OUTPUT, type OutputPosition } from './output-position.js';
import type { Span } from '../log-integrity/spans.js';
import { FITS, judgeInputs, type Verdict } from '../log-integrity/verdict.js';

type Input = Pick<LogMessage, 'sequence' | 'storedAtMs'>;

/** FNV-1a over sequence and time of storing, 32 bits at a time; 0 means "not known" and is never a result. */
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
  /** The last output position, until the replay reaches it. */
  private awaited: OutputPosition | undefined;

  constructor(
    private readonly reader: string,
    private readonly stream: string,
    /** The inputs that the state includes. */
    restored: { readonly sequence: number; readonly inputsDigest: number },
    lanes: ReadonlyMap<string, { readonly published: OutputPosition }>,
    /** Inputs that are recorded as lost: only their outputs are left. */
    private readonly gone: readonly Span[],
  ) {
    this.current = restored.inputsDigest;
    this.from = restored.sequence + 1;
    let answered = NO_OUTPUT;
    for (const { published } of lanes.values()) if (published.sequence > answered.sequence) answered = published;
    if (answered.sequence > restored.sequence && answered.inputsDigest !== 0) this.awaited = answered;
  }

  /** The digest of all inputs up to now. */
  get digest(): number {
    return this.current;
  }

  /** Are the inputs up to this one those that the published outputs were computed from? */
  take(input: Input): Verdict {
    const isPast = this.awaited !== undefined && input.sequence > this.awaited.sequence;
    const verdict = isPast ? this.judge(undefined) : FITS;
    this.current = withInput(this.current, input);
    return this.awaited?.sequence === input.sequence ? this.judge(this.current) : verdict;
  }

  /** Everything was read: was the last input that has an output among it? */
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
