/**
 * The last message on a subject that has one writer, whatever strangers have written there: theirs is skipped, and stops nothing (OUTBOX-6 in outbox.ts).
 */
import { fromBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { transient } from '../contract/errors.js';
import type { Log, LogMessage } from '../contract/ports.js';
import { NO_OUTPUT, type OutputPosition, outputPositionOf } from '../actor/output-position.js';

const READ_AT_A_TIME = 100;

/** In the log, where a stranger's message was passed over. */
export const FOREIGN =
  'a message that Rivulet has not written was skipped: let nobody else publish below rivulet., but for rivulet.events.> and rivulet.items.>';

/** Nobody but an instance writes to its subjects, and each message names the one before it. */
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
  /** Of the last message of all, which the next one must be fenced by; 0 for none. */
  readonly fence: number;
}

/** The last message on a subject that no stranger has written (OUTBOX-6). `from`: ours is not before it; searched from there when the last one is a stranger's. */
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
        // What comes later is found out by who is refused.
        if (at < last.sequence && isOurs(message)) found = { ...message, data: Uint8Array.from(message.data) };
      }
    }
  } finally {
    await reader.close();
  }
  return { message: found, fence: last.sequence };
}

/** What the last message of ours on a subject covers, and its stream sequence; 0 for none. */
export async function readOutputPosition(
  log: Log,
  stream: string,
  subject: string,
  from?: number,
): Promise<{ readonly published: OutputPosition; readonly lastSequence: number; readonly fence: number }> {
  const { message, fence } = await lastOwnMessage(log, stream, subject, from === undefined ? {} : { from });
  if (message === undefined) return { published: NO_OUTPUT, lastSequence: 0, fence };
  return {
    published: outputPositionOf(fromBinary(EnvelopeSchema, message.data)),
    lastSequence: message.sequence,
    fence,
  };
}
