/** The ledgers as the façade asks for them (composition): dead letters and late events. */
import { EVENT_TYPES, events } from '../../actors/model.js';
import { type WindowKind, windowsOf } from '../../actors/maths/window.js';
import type { DeadLetters, LateEvent, LateEvents } from '../../connectors/http/operations-ports.js';
import { fromBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { DeadLetterQueue } from '../dead-letters/queue.js';
import { rowsOf } from '../frames/frame.js';
import { fromWire } from '../frames/codec.js';
import { Ledger } from '../dead-letters/browsable-log.js';
import type { Clock, Log, LogMessage } from '../contract/ports.js';

export function deadLettersOf(log: Log, clock: Clock): DeadLetters {
  const queue = new DeadLetterQueue(log, clock);
  return {
    page: (query) => queue.page(query),
    find: (id) => queue.find(id),
    retry: async (id, change, options) => ({ id, subject: await queue.retry(await queue.find(id), change, options) }),
  };
}

const LATE = 'late';
/** What one takes in memory, about. */
const LATE_BYTES = 512;

/** `kind`: the windows that the events were late for. */
export function lateEventsOf(log: Log, clock: Clock, kind: WindowKind): LateEvents {
  const windowOf = lastWindows(kind);
  const ledger = new Ledger(log, LATE, (message) => eventsIn(message, windowOf), clock);
  return {
    page: async (query) => {
      const { rows, next } = await ledger.page(query);
      return { events: rows.map(({ bytes: _, ...event }) => event), next };
    },
  };
}

type WindowOf = (timeMs: number) => NonNullable<LateEvent['window']>;

function eventsIn(message: LogMessage, windowOf: WindowOf): (LateEvent & { readonly bytes: number })[] {
  const { body } = fromBinary(EnvelopeSchema, message.data);
  if (body.case !== 'frame') return [];
  return rowsOf(fromWire(body.value, events)).map(({ time, type, user, item, category, brand, price }, r) => ({
    id: `${message.sequence}-${r}`,
    eventTimeMs: time,
    userId: user,
    itemId: item,
    eventType: type === undefined ? undefined : EVENT_TYPES[type],
    ...{ category, brand, price },
    window: time === undefined ? undefined : windowOf(time),
    storedAtMs: message.storedAtMs,
    bytes: LATE_BYTES,
  }));
}

/** The last window of a time: an event is late when that one is closed. Of a session it is that of the event alone. */
function lastWindows(kind: WindowKind): WindowOf {
  const windows = windowsOf(kind, 0);
  if (windows.kind === 'session') return (startMs) => ({ startMs, endMs: startMs + windows.paneMs });
  const { sizeMs, slideMs } = windows;
  return (timeMs) => {
    const startMs = Math.floor(timeMs / slideMs) * slideMs;
    return { startMs, endMs: startMs + sizeMs };
  };
}
