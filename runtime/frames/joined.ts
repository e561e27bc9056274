/**
 * Messages of several parts. While a publish is under way, what a step emits next waits; all that waits goes in one message (group commit), and so do the
 * parts of one step.
 *
 * Invariants
 *   JOINED-1  A message is its last part, with the parts before it inside: its output position is that of the last one.
 *   JOINED-2  Which parts share a message depends on time, but a message is one input of its reader, which takes the parts one after the other: as long
 *             as the log has the message, every replay takes the same.
 *   JOINED-3  An epoch ends with its message, so that whatever a message has belongs to one epoch: alignment retains whole messages.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { type Envelope, EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { putVarint } from './varint.js';

/** The key of `Envelope.before` on the wire: its field number and the wire type of bytes. */
const BEFORE_KEY = (EnvelopeSchema.field.before.number << 3) | 2;
const VARINT_BYTES_MAX = 5;

/** One message of encoded parts, in order. Fields of a protobuf message may be appended to it. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const last = parts.at(-1)!;
  if (parts.length === 1) return last;
  const size = parts.reduce((sum, { length }) => sum + length, 2 * VARINT_BYTES_MAX * parts.length);
  const message = new Uint8Array(size);
  message.set(last);
  let at = last.length;
  for (const part of parts.slice(0, -1)) {
    at = putVarint(message, at, BEFORE_KEY);
    at = putVarint(message, at, part.length);
    message.set(part, at);
    at += part.length;
  }
  return message.subarray(0, at);
}

/** The parts of a message, in order. */
export function partsIn(data: Uint8Array): readonly Envelope[] {
  const last = fromBinary(EnvelopeSchema, data);
  return last.before.length === 0 ? [last] : [...last.before, last];
}
