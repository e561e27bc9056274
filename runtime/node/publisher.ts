/** The subjects of publishers; events that arrive over gRPC and HTTP take the same path as all others (composition). */
import type { EventPublisher } from '../../connectors/facade/ports.js';
import { hasCode } from '../contract/errors.js';
import type { Clock, Log } from '../contract/ports.js';
import { partitionOf } from '../state/rescaling.js';
import { retry } from '../supervision/retry.js';
import type { TraceHeaders } from '../telemetry/trace-context.js';

/** An id may be a subject token only without characters that have a meaning in NATS subjects. */
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

export const eventSubject = (type: string, userId: string): string =>
  TOKEN.test(userId) ? `rivulet.events.${type}.${userId}` : `rivulet.events.${type}`;

/**
 * The subjects of events of the past, by source partition: messages with events of many users. Each is stored in the partition of its token, as are live
 * events in that of their user.
 */
export function pastSubjects(partitions: number): string[] {
  const subjects: string[] = [];
  for (let token = 0, found = 0; found < partitions; token++) {
    const partition = partitionOf(String(token), partitions);
    if (subjects[partition] !== undefined) continue;
    subjects[partition] = `rivulet.events.past.${token}`;
    found++;
  }
  return subjects;
}

/**
 * The source partition to which `eventSubject` leads, by the server's transform of subjects (contract/streams.ts): that of the user's id, or 0 when this is
 * no token.
 */
export const sourcePartitionOf = (userId: string, partitions: number): number =>
  partitions > 1 && TOKEN.test(userId) ? partitionOf(userId, partitions) : 0;

/** The subject need not identify the item: the message does. */
export const itemSubject = (itemId: string): string =>
  TOKEN.test(itemId) ? `rivulet.items.${itemId}` : 'rivulet.items.update';

/** While NATS is unreachable: this many attempts outlast a reconnect, an election takes longer. */
const ATTEMPTS_MAX = 3;

const written = ({ traceparent, tracestate }: TraceHeaders): Record<string, string> =>
  tracestate === '' ? { traceparent } : { traceparent, tracestate };

export const eventPublisher = (log: Pick<Log, 'publish'>, clock: Pick<Clock, 'sleep'>): EventPublisher => ({
  publish: async ({ bytes, contentType, type, userId }, trace) => {
    const headers = { 'Content-Type': contentType, ...(trace && written(trace)) };
    let attempts = 0;
    await retry(() => log.publish(eventSubject(type, userId), bytes, { headers }), {
      clock,
      // Only a message that was certainly not stored is retried: on an unknown outcome the caller must decide (by event_id).
      isRetryable: (error) => hasCode(error, 'LOG_UNREACHABLE'),
      isWanted: () => ++attempts < ATTEMPTS_MAX,
      pauseMs: 200,
    });
  },
});
