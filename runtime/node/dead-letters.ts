/** The browsable logs for the façade (composition): dead letters and late events. */
import { EventRows } from '../../actors/formats/event-rows.js';
import { ITEM_NAMES } from '../../actors/formats/item-fields.js';
import { readItems } from '../../actors/formats/item-message.js';
import { readMessage } from '../../actors/formats/message.js';
import { Refusals } from '../../actors/formats/refusals.js';
import { Schema } from '../../actors/formats/schema.js';
import { EVENT_TYPES, events } from '../../actors/model.js';
import { PARSE_DEFAULTS, type ParseOptions } from '../../actors/parse.js';
import { PARSE_ITEMS_DEFAULTS } from '../../actors/parse-items.js';
import { type WindowKind, windowsOf } from '../../actors/maths/window.js';
import type { DeadLetters, LateEvent, LateEvents } from '../../connectors/http/operations-ports.js';
import { fromBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { FairQueue } from '../../connectors/facade/admission/fair-queue.js';
import type { RetryRules } from '../dead-letters/change.js';
import { DeadLetterQueue } from '../dead-letters/queue.js';
import { transient } from '../contract/errors.js';
import { rowsOf } from '../frames/frame.js';
import { frameIn } from '../frames/codec.js';
import { BrowsableLog } from '../dead-letters/browsable-log.js';
import type { Clock, Log, Logger, LogMessage } from '../contract/ports.js';

const WAITING_MAX = 64;

/** Limits reads to one at a time: a connection to NATS buffers the data of one read, but not of many. */
export type Reading = <T>(work: () => Promise<T>) => Promise<T>;

export function oneAtATime(): Reading {
  const [turns, all] = [new FairQueue(1, WAITING_MAX), {}];
  return (work) => turns.run(all, work) ?? Promise.reject(TOO_MANY);
}

const TOO_MANY = transient(
  'BROWSABLE_LOG_BUSY',
  `${WAITING_MAX} others wait for dead letters or late events: ask again in a moment`,
);

/** The rules by which parse and parse-items read published messages. */
export function retryRules(parse: ParseOptions): RetryRules {
  const rules = { ...PARSE_DEFAULTS, ...parse };
  const schema = new Schema(rules.schema);
  return {
    fieldsOf: (stage) => (stage === 'parse-items' ? [...ITEM_NAMES.keys()] : schema.names.flat()),
    faultOf: (stage, data, storedAtMs) => {
      const refusals = new Refusals(stage);
      const message = { data, subject: '', sequence: 0, storedAtMs };
      if (stage === 'parse') readMessage(message, new EventRows(schema, rules), refusals, rules);
      if (stage === 'parse-items') readItems(message, () => undefined, refusals, PARSE_ITEMS_DEFAULTS);
      const refused = refusals.finish();
      return refused === undefined ? undefined : rowsOf(refused)[0]?.reason;
    },
  };
}

export function deadLettersOf(
  log: Log,
  clock: Clock,
  rules?: RetryRules,
  reading = oneAtATime(),
  logger?: Logger,
): DeadLetters {
  const queue = new DeadLetterQueue(log, clock, rules, logger);
  const find: DeadLetters['find'] = (id) => reading(() => queue.find(id));
  return {
    page: (query) => reading(() => queue.page(query)),
    find,
    retry: async (id, change, options) => {
      const { subject } = await queue.retry(await find(id), change, options);
      return { id, subject };
    },
  };
}

const LATE = 'late';
/** Approximate size of one in memory. */
const LATE_BYTES = 512;

/** `kind`: the window kind that the events were late for. */
export function lateEventsOf(log: Log, clock: Clock, kind: WindowKind, reading = oneAtATime()): LateEvents {
  const windowOf = lastWindows(kind);
  const browsable = new BrowsableLog(log, LATE, (message) => eventsIn(message, windowOf), clock);
  return {
    page: async (query) => {
      const { rows, next } = await reading(() => browsable.page(query));
      return { events: rows.map(({ bytes: _, ...event }) => event), next };
    },
  };
}

type WindowOf = (timeMs: number) => NonNullable<LateEvent['window']>;

function eventsIn(message: LogMessage, windowOf: WindowOf): (LateEvent & { readonly bytes: number })[] {
  const { body } = fromBinary(EnvelopeSchema, message.data);
  const frame = frameIn(body, events);
  if (frame === undefined) return [];
  return rowsOf(frame).map(({ time, type, user, item, category, brand, price }, r) => ({
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

/** The last window of an event time: an event is late when that window is closed. For sessions it is the window of this event alone. */
function lastWindows(kind: WindowKind): WindowOf {
  const windows = windowsOf(kind, 0);
  if (windows.kind === 'session') return (startMs) => ({ startMs, endMs: startMs + windows.paneMs });
  const { sizeMs, slideMs } = windows;
  return (timeMs) => {
    const startMs = Math.floor(timeMs / slideMs) * slideMs;
    return { startMs, endMs: startMs + sizeMs };
  };
}
