/**
 * Reads a stream through, to check that the server can still deliver all messages that it reports: it drops a message with a wrong checksum, but
 * still counts it. A snapshot of such a stream succeeds, but cannot be restored.
 */
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { SavedStream } from './stream-archive.js';
import { explained } from './stream-manager.js';

/** Headers only, so that this many take some megabytes. */
const FETCH_MESSAGES = 10_000;
/** Of silence: when the last messages are damaged, nothing else ends the read. */
const SILENCE_MS = 2_000;

/** Counts the messages up to the end of the saved stream. Transient LOG_UNREACHABLE. */
export async function countMessages(
  connection: NatsConnection,
  { name, state }: Pick<SavedStream, 'name' | 'state'>,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  if (state.messages === 0) return count;
  try {
    const consumer = await jetstream(connection).consumers.get(name, { headers_only: true });
    for (let isOver = false; !isOver;) {
      signal.throwIfAborted();
      isOver = true;
      const messages = await consumer.fetch({ max_messages: FETCH_MESSAGES, expires: SILENCE_MS });
      for await (const { seq, info } of messages) {
        if (seq <= state.last_seq) count++;
        isOver = info.pending === 0 || seq >= state.last_seq;
        if (isOver) break;
      }
    }
    return count;
  } catch (error) {
    signal.throwIfAborted();
    throw explained(error, name);
  }
}
