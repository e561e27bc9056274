/**
 * Events as JSON, into the message that a gRPC client would send: the fields of rivulet.v1.Event by name, snake_case or camelCase. What it means is
 * checked by the rules that both share; here it is only read.
 *
 *   ids          text, or a whole number, which is kept as text
 *   event_type   `view`, or as the enum has it: `EVENT_TYPE_VIEW`, 1
 *   event_time   ISO-8601 (2026-01-02T03:04:05.678Z; an offset, or none for UTC), or epoch seconds below 10^11, epoch milliseconds from there on
 *   null         as a field that is not there
 *
 * A field that an event has not is refused by its name: what was meant by it would be lost without a word.
 */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import type { EventType } from '../../proto/gen/rivulet/v1/event_pb.js';
import { type Event, EventSchema } from '../../proto/gen/rivulet/v1/event_pb.js';
import { nearest } from '../../runtime/config/nearest.js';
import { cutText } from '../facade/errors/cut-text.js';
import type { FieldViolation } from '../facade/errors/fault.js';
import { shownValue } from './server/shown-value.js';

type Kind = 'id' | 'text' | 'number' | 'type' | 'time';
type Key = Exclude<keyof Event, '$typeName' | '$unknown'>;

const FIELDS: readonly (readonly [name: string, key: Key, kind: Kind])[] = [
  ['event_id', 'eventId', 'id'],
  ['event_type', 'eventType', 'type'],
  ['event_time', 'eventTime', 'time'],
  ['user_id', 'userId', 'id'],
  ['item_id', 'itemId', 'id'],
  ['category_code', 'categoryCode', 'text'],
  ['brand', 'brand', 'text'],
  ['price', 'price', 'number'],
  ['session_id', 'sessionId', 'id'],
  ['rating', 'rating', 'number'],
  ['page_url', 'pageUrl', 'text'],
  ['device_type', 'deviceType', 'text'],
  ['click_type', 'clickType', 'text'],
  ['referrer', 'referrer', 'text'],
  ['review_text', 'reviewText', 'text'],
];

export const EVENT_FIELDS: readonly string[] = FIELDS.map(([name]) => name);
const BY_NAME = new Map(FIELDS.flatMap((field) => [[field[0], field] as const, [field[1], field] as const]));

/** As others call what we have, where a name alone is not near enough. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['product_id', 'item_id'],
  ['movie_id', 'item_id'],
  ['movieId', 'item_id'],
  ['user_session', 'session_id'],
  ['timestamp', 'event_time'],
  ['time', 'event_time'],
  ['event_ts', 'event_time'],
  ['category', 'category_code'],
]);

/** The types as they are called in events, and by their names in the enum. */
const TYPES = new Map(
  ['view', 'cart', 'purchase', 'remove_from_cart', 'click', 'rating'].flatMap((name, i) => {
    const type: EventType = i + 1;
    return [[name, type] as const, [`EVENT_TYPE_${name.toUpperCase()}`, type] as const];
  }),
);
export const EVENT_TYPE_NAMES: readonly string[] = [...TYPES.keys()].filter((name) => !name.startsWith('EVENT_'));
/** Any way in which a text may name one. */
export const EVENT_TYPE_TEXTS: readonly string[] = [...TYPES.keys()];

const SHOWN_CHARS_MAX = 40;

class Refused {
  constructor(readonly description: string) {}
}

/** The event, or the first thing that keeps it from being one. */
export function eventOf(value: unknown): Event | FieldViolation {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { field: '', description: 'must be a JSON object with the fields of an event' };
  }
  const init: Partial<Record<Key, unknown>> = {};
  for (const [name, given] of Object.entries(value)) {
    const field = BY_NAME.get(name);
    if (field === undefined) return { field: cutText(name, SHOWN_CHARS_MAX), description: unknownField(name) };
    if (given === null) continue;
    const [usual, key, kind] = field;
    if (key in init) return { field: usual, description: `is given twice, as ${usual} and as ${key}` };
    const read = READ[kind](given);
    if (read instanceof Refused) return { field: usual, description: read.description };
    init[key] = read;
  }
  return create(EventSchema, init as MessageInitShape<typeof EventSchema>);
}

function unknownField(name: string): string {
  const meant = MEANT.get(name) ?? nearest(name, EVENT_FIELDS);
  return `is no field of an event${meant === undefined ? `: it has ${EVENT_FIELDS.join(', ')}` : `: did you mean ${meant}?`}`;
}

const READ: Readonly<Record<Kind, (value: unknown) => unknown>> = {
  id: (value) => (typeof value === 'number' ? integerText(value) : text(value, 'a text, or a whole number')),
  text: (value) => text(value, 'a text'),
  number: (value) => (typeof value === 'number' ? value : wrong(value, 'a number, without quotes')),
  type: (value) => (typeof value === 'string' ? typeNamed(value) : typeNumbered(value)),
  time: (value) => (typeof value === 'number' ? fromNumber(value) : fromText(value)),
};

const wrong = (value: unknown, right: string): Refused => new Refused(`is ${shown(value)}, must be ${right}`);

const shown = (value: unknown): string => shownValue(value, SHOWN_CHARS_MAX);

function text(value: unknown, right: string): string | Refused {
  if (typeof value !== 'string') return wrong(value, right);
  // It has no UTF-8: what was stored would be another text.
  return /\p{Surrogate}/u.test(value)
    ? new Refused('has half a character (a surrogate without its other half)')
    : value;
}

function integerText(value: number): string | Refused {
  if (Number.isSafeInteger(value)) return String(value);
  return new Refused(
    Number.isInteger(value)
      ? 'is a number too large to be kept exactly: send it as a text, in quotes'
      : `is ${value}, must be a text, or a whole number`,
  );
}

function typeNamed(name: string): EventType | Refused {
  const type = TYPES.get(name);
  if (type !== undefined) return type;
  const meant = nearest(name, EVENT_TYPE_NAMES);
  const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
  return new Refused(`is ${shown(name)}, must be one of ${EVENT_TYPE_NAMES.join(', ')}${hint}`);
}

/** Whether there is a type of this number, the shared rules say. */
const typeNumbered = (value: unknown): number | Refused =>
  typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31
    ? value
    : wrong(value, `one of ${EVENT_TYPE_NAMES.join(', ')}`);

const MILLISECONDS_FROM = 1e11;
const TIME = 'ISO-8601, as 2026-01-02T03:04:05.678Z, or epoch seconds or milliseconds as a number';

function fromNumber(value: number): Timestamp | Refused {
  const ms = Math.round(Math.abs(value) < MILLISECONDS_FROM ? value * 1000 : value);
  return Number.isSafeInteger(ms) ? timestamp(ms, 0) : wrong(value, TIME);
}

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?(?: UTC|[Zz]|([+-])(\d\d)(?::?(\d\d))?)?)?$/;

function fromText(value: unknown): Timestamp | Refused {
  const found = typeof value === 'string' ? ISO.exec(value) : null;
  if (found === null) return wrong(value, TIME);
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((digits) => Number(digits ?? 0));
  const [offsetHour, offsetMinute] = [Number(found[9] ?? 0), Number(found[10] ?? 0)];
  const dateMs = Date.UTC(year!, month! - 1, day);
  const isDay = year! >= 100 && new Date(dateMs).getUTCMonth() === month! - 1 && day! > 0;
  if (!isDay || hour! > 23 || minute! > 59 || second! > 59 || offsetHour > 23 || offsetMinute > 59) {
    return new Refused(`is ${shown(value)}: there is no such time`);
  }
  const offsetMinutes = (found[8] === '-' ? -1 : 1) * (offsetHour * 60 + offsetMinute);
  const ms = dateMs + ((hour! * 60 + minute! - offsetMinutes) * 60 + second!) * 1000;
  return timestamp(ms, Number((found[7] ?? '').padEnd(9, '0')));
}

/** `nanos` is added: 0 to 999,999,999 where the milliseconds are of a whole second. */
function timestamp(ms: number, nanos: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1e6 + nanos });
}
