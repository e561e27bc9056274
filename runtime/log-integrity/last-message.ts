/**
 * The last message of a subject's one writer. Foreign messages on the subject are skipped (OUTBOX-6 in actor/outbox.ts).
 */
import { fromBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { transient } from '../contract/errors.js';
import type { Log, LogMessage } from '../contract/ports.js';
import { NO_OUTPUT, type OutputPosition, outputPositionOf } from '../actor/output-position.js';

const READ_AT_A_TIME = 100;

/** Log text for a foreign message. */
export const FOREIGN =
  'skipped a message that Rivulet did not write: allow clients to publish only to rivulet.events.> and rivulet.items.>';

/** Instances name the message before each of theirs: one without is foreign. */
export function isForeign({ data, expected }: LogMessage): boolean {
  if (expected === undefined) return true;
  try {
    fromBinary(EnvelopeSchema, data);
    return false;
  } catch {
    return true;
  }
}

export interface LastOwnMessage {
  readonly message: LogMessage | undefined;
  /** Sequence of the last message on the subject, whoever wrote it: it fences the next one. 0 for none. */
  readonly fence: number;
}

/** The last message on a subject that is not foreign (OUTBOX-6). `from`: it is not before this sequence, where the search starts if the last one is foreign. */
export async function lastOwnMessage(
  log: Log,
  stream: string,
  subject: string,
  { from = 1, isOurs = (message: LogMessage): boolean => !isForeign(message) } = {},
): Promise<LastOwnMessage> {
  const last = await log.last(stream, subject);
  if (last === undefined || isOurs(last)) return { message: last, fence: last?.sequence ?? 0 };
  let found: LogMessage | undefined;
  const reader = await log.read(stream, { filters: [subject], from });
  try {
    for (let at = 0; at < last.sequence;) {
      const messages = await reader.take(READ_AT_A_TIME);
      if (messages.length === 0) throw transient('LOG_READ', `${subject} could not be read`);
      for (const message of messages) {
        at = message.sequence;
        // A message that comes later fences the writer.
        if (at < last.sequence && isOurs(message)) found = { ...message, data: Uint8Array.from(message.data) };
      }
    }
  } finally {
    await reader.close();
  }
  return { message: found, fence: last.sequence };
}

export interface ReadPosition {
  readonly published: OutputPosition;
  readonly lastSequence: number;
  readonly fence: number;
  /** Whether the writer had rows that its output does not reflect. `undefined` where the message does not say. */
  readonly holdsBack: boolean | undefined;
}

/** What the last message of a subject's writer covers, and its stream sequence; 0 for none. */
export async function readOutputPosition(
  log: Log,
  stream: string,
  subject: string,
  from?: number,
): Promise<ReadPosition> {
  const { message, fence } = await lastOwnMessage(log, stream, subject, from === undefined ? {} : { from });
  if (message === undefined) return { published: NO_OUTPUT, lastSequence: 0, fence, holdsBack: undefined };
  const envelope = fromBinary(EnvelopeSchema, message.data);
  return {
    published: outputPositionOf(envelope),
    lastSequence: message.sequence,
    fence,
    holdsBack: envelope.claim ? undefined : envelope.holdsBack,
  };
}

/**
 * Whether a log that drops its oldest messages had this one and has dropped it: it goes on behind it, and nothing else is in its place. Else it has
 * gone back to before that message.
 */
export async function wasDropped(log: Log, stream: string, subject: string, sequence: number): Promise<boolean> {
  const { firstSequence, lastSequence } = await log.info(stream);
  if (lastSequence < sequence) return false;
  if (firstSequence > sequence) return true;
  const tokens = subject.split('.');
  // Of all writers and partitions.
  const all = `${tokens.slice(0, Math.max(1, tokens.length - 3)).join('.')}.>`;
  const last = await log.last(stream, all);
  // What follows it may be gone as well.
  if (last === undefined || last.sequence < sequence) return true;
  const reader = await log.read(stream, { filters: [all], from: sequence, framesAhead: 1 });
  try {
    const [next] = await reader.take(1);
    if (next === undefined) throw transient('LOG_READ', `${stream} could not be read`);
    return next.sequence !== sequence;
  } finally {
    await reader.close();
  }
}
