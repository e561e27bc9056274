/** The subjects of publishers; events that arrive over gRPC and HTTP take the same path as all others (composition). */
import type { EventPublisher } from '../../connectors/facade/ports.js';
import { hasCode } from '../contract/errors.js';
import type { Clock, Log } from '../contract/ports.js';
import { retry } from '../supervision/retry.js';
import type { TraceHeaders } from '../telemetry/trace-context.js';

/** An id may be a subject token only without characters that have a meaning in NATS subjects. */
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

export const eventSubject = (type: string, userId: string): string =>
  TOKEN.test(userId) ? `rivulet.events.${type}.${userId}` : `rivulet.events.${type}`;

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
