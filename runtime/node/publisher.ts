/** The subjects that publishers use; events that come in over gRPC and HTTP go the way of all others (composition). */
import type { EventPublisher } from '../../connectors/facade/ports.js';
import { hasCode } from '../contract/errors.js';
import type { Clock, Log } from '../contract/ports.js';
import { retry } from '../supervision/retry.js';
import type { TraceHeaders } from '../telemetry/trace-context.js';

/** An id may be a subject token only when it has nothing that NATS reads as more than text. */
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

export const eventSubject = (type: string, userId: string): string =>
  TOKEN.test(userId) ? `rivulet.events.${type}.${userId}` : `rivulet.events.${type}`;

/** By what it is called nobody finds an item: the message says which it is. */
export const itemSubject = (itemId: string): string =>
  TOKEN.test(itemId) ? `rivulet.items.${itemId}` : 'rivulet.items.update';

/** While NATS is away: a connection is made anew within the pauses between so many attempts, an election takes longer. */
const ATTEMPTS_MAX = 3;

const written = ({ traceparent, tracestate }: TraceHeaders): Record<string, string> =>
  tracestate === '' ? { traceparent } : { traceparent, tracestate };

export const eventPublisher = (log: Pick<Log, 'publish'>, clock: Pick<Clock, 'sleep'>): EventPublisher => ({
  publish: async ({ bytes, contentType, type, userId }, trace) => {
    const headers = { 'Content-Type': contentType, ...(trace && written(trace)) };
    let attempts = 0;
    await retry(() => log.publish(eventSubject(type, userId), bytes, { headers }), {
      clock,
      // Only what was surely not stored is tried again: a caller whose outcome is unknown must decide itself (by event_id).
      isRetryable: (error) => hasCode(error, 'LOG_AWAY'),
      isWanted: () => ++attempts < ATTEMPTS_MAX,
      pauseMs: 200,
    });
  },
});
