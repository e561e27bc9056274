/** The subjects that publishers use; events that come in over gRPC and HTTP go the way of all others (composition). */
import type { EventPublisher } from '../../connectors/facade/ports.js';
import { poison, RivuletError } from '../contract/errors.js';
import type { Log } from '../contract/ports.js';
import type { TraceHeaders } from '../telemetry/trace-context.js';

/** An id may be a subject token only when it has nothing that NATS reads as more than text. */
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

export const eventSubject = (type: string, userId: string): string =>
  TOKEN.test(userId) ? `rivulet.events.${type}.${userId}` : `rivulet.events.${type}`;

/** By what it is called nobody finds an item: the message says which it is. */
export const itemSubject = (itemId: string): string =>
  TOKEN.test(itemId) ? `rivulet.items.${itemId}` : 'rivulet.items.update';

const HEADERS = { 'Content-Type': 'application/x-protobuf' };
const ATTEMPTS_MAX = 3;

const written = ({ traceparent, tracestate }: TraceHeaders): Record<string, string> =>
  tracestate === '' ? { traceparent } : { traceparent, tracestate };

/** `bytesMax`: what `parse` takes of a message. */
export const eventPublisher = (log: Log, bytesMax = Infinity): EventPublisher => ({
  publish: async (event, type, userId, trace) => {
    if (event.length > bytesMax)
      throw poison('EVENT_TOO_LARGE', `has ${event.length} bytes, an event may have at most ${bytesMax}`);
    const headers = trace === undefined ? HEADERS : { ...HEADERS, ...written(trace) };
    for (let attempt = 1; ; attempt++) {
      try {
        await log.publish(eventSubject(type, userId), event, { headers });
        return;
      } catch (error) {
        // Only what was surely not stored is tried again: a caller whose outcome is unknown must decide itself (by event_id).
        const away = error instanceof RivuletError && error.code === 'LOG_AWAY';
        if (!away || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  },
});
