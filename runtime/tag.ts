/** Tags: which inputs a message is the answer to. Rules 3 and 5 of the design stand on their order. */
import type { Envelope } from '../proto/gen/rivulet/internal/v1/frame_pb.js';

export interface Tag {
  /** Stream sequences of the inputs covered: first..sequence. */
  readonly first: number;
  readonly sequence: number;
  /** Of an answer cut into several messages: which this is, and whether it is the last. */
  readonly part: number;
  readonly lastPart: boolean;
}

export const NOTHING_SAID: Tag = { first: 0, sequence: 0, part: 0, lastPart: true };

export const tagOf = (envelope: Envelope): Tag => ({
  first: envelope.first,
  sequence: envelope.sequence,
  part: envelope.part,
  lastPart: envelope.lastPart,
});

export const sameTag = (a: Tag, b: Tag): boolean =>
  a.first === b.first && a.sequence === b.sequence && a.part === b.part;

/** How many parts of the answer to `sequence` were said already; Infinity for all. */
export function partsSaid(said: Tag, sequence: number): number {
  if (sequence < said.sequence) return Infinity;
  if (sequence > said.sequence) return 0;
  return said.lastPart ? Infinity : said.part + 1;
}
