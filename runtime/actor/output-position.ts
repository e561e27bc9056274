/** Output positions: which inputs a message covers. They rise on each subject, so that a writer knows what it has published (OUTBOX-1). */
import type { Envelope } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';

export interface OutputPosition {
  /** Stream sequences of the inputs covered: first..sequence. */
  readonly first: number;
  readonly sequence: number;
  /** Of an output batch cut into several messages: which this is, and whether it is the last. */
  readonly part: number;
  readonly lastPart: boolean;
  /** Digest of all inputs up to there (actor/input-digest.ts); 0: not known. */
  readonly inputsDigest: number;
}

export const NO_OUTPUT: OutputPosition = { first: 0, sequence: 0, part: 0, lastPart: true, inputsDigest: 0 };

export const outputPositionOf = (envelope: Envelope): OutputPosition => ({
  first: envelope.first,
  sequence: envelope.sequence,
  part: envelope.part,
  lastPart: envelope.lastPart,
  inputsDigest: envelope.inputsDigest,
});

export const isSamePosition = (a: OutputPosition, b: OutputPosition): boolean =>
  a.first === b.first && a.sequence === b.sequence && a.part === b.part;

/** How many parts of the output for `sequence` were published already; Infinity for all. */
export function partsPublished(published: OutputPosition, sequence: number): number {
  if (sequence < published.sequence) return Infinity;
  if (sequence > published.sequence) return 0;
  return published.lastPart ? Infinity : published.part + 1;
}
