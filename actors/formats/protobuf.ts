/**
 * Protobuf messages: one Event, or an EventBatch (event.proto). Which of the two is told by the content type, or by the bytes: a batch has
 * nothing but field 1, and an event that had nothing else would lack what is required.
 *
 * A batch is walked by hand, so that each event keeps its own bytes and a broken one is refused by itself.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type Event, EventBatchSchema, EventSchema, EventType } from '../../proto/gen/rivulet/v1/event_pb.js';
import { EVENT_TYPES } from '../model.js';
import { type RawMessage, utf8 } from '../../runtime/stage.js';
import type { EventWriter } from './event-writer.js';
import { type Fault, invalidNumber, invalidTime, missing, tooManyEvents, unknownEventType } from './fault.js';
import { EVENT_TIME, EVENT_TYPE, FIELDS, PRICE, RATING_VALUE } from './fields.js';
import type { Refusals } from './refusals.js';

export type ProtobufKind = 'event' | 'event-batch';

const EVENTS_FIELD = EventBatchSchema.field.events.number;

/** What bytes are when they are protobuf of ours, `undefined` when their tags and lengths are not. */
export function protobufKind(data: Uint8Array): ProtobufKind | undefined {
  const reader = new BinaryReader(data);
  let kind: ProtobufKind = 'event-batch';
  try {
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field !== EVENTS_FIELD || wireType !== WireType.LengthDelimited) kind = 'event';
      reader.skip(wireType, field);
    }
  } catch {
    return undefined;
  }
  return kind;
}

/** Reads a message that holds an Event or an EventBatch; gives how many events it saw. */
export function readProtobuf(
  message: RawMessage,
  kind: ProtobufKind,
  writer: EventWriter,
  refusals: Refusals,
  eventsMax: number,
): number {
  const { data } = message;
  const whole = { start: 0, end: data.length };
  if (kind === 'event') {
    const fault = readEvent(data, writer);
    if (fault !== undefined) refusals.add(message, fault, whole);
    return 1;
  }
  const events = eventsOf(data);
  if (events === undefined || events.length > eventsMax) {
    refusals.add(message, events === undefined ? NOT_PROTOBUF : tooManyEvents(eventsMax), whole);
    return 1;
  }
  for (const [index, bytes] of events.entries()) {
    const fault = readEvent(bytes, writer);
    if (fault === undefined) continue;
    const start = bytes.byteOffset - data.byteOffset;
    refusals.add(message, fault, { start, end: start + bytes.length, index });
  }
  return events.length;
}

/** The bytes of each event of a batch, views on the message; `undefined` when its tags and lengths are broken. */
function eventsOf(data: Uint8Array): Uint8Array[] | undefined {
  const reader = new BinaryReader(data);
  const events: Uint8Array[] = [];
  try {
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === EVENTS_FIELD && wireType === WireType.LengthDelimited) events.push(reader.bytes());
      else reader.skip(wireType, field);
    }
  } catch {
    return undefined;
  }
  return events;
}

const NOT_PROTOBUF: Fault = {
  rule: 'protobuf_invalid',
  reason:
    'not a rivulet.v1.Event or EventBatch: check the message type, that strings are UTF-8, and that it was not cut off',
};

/** Codes of event types by their numbers on the wire. */
const TYPES = new Map(EVENT_TYPES.map((name, code) => [EventType[name.toUpperCase() as keyof typeof EventType], code]));

/** The fields that are text, by name of the generated class, in the order of FIELDS; what is not text is absent here. */
const TEXT_FIELDS = FIELDS.flatMap((name, field) => {
  const described = EventSchema.fields.find((candidate) => candidate.name === name);
  return described?.fieldKind === 'scalar' && ![PRICE, RATING_VALUE].includes(field)
    ? [{ field, key: described.localName as TextKey }]
    : [];
});
type TextKey = { [K in keyof Event]-?: Event[K] extends string | undefined ? K : never }[keyof Event];

function readEvent(bytes: Uint8Array, writer: EventWriter): Fault | undefined {
  let event: Event;
  try {
    event = fromBinary(EventSchema, bytes);
  } catch {
    return NOT_PROTOBUF;
  }
  const type = TYPES.get(event.eventType);
  if (event.eventType === EventType.UNSPECIFIED) return missing(EVENT_TYPE, writer.schema.names[EVENT_TYPE]!);
  if (type === undefined) return unknownEventType(`${event.eventType}`);
  if (event.eventTime === undefined) return missing(EVENT_TIME, writer.schema.names[EVENT_TIME]!);
  const { seconds, nanos } = event.eventTime;
  if (nanos < 0 || nanos > 999_999_999) return invalidTime(`${seconds} s and ${nanos} ns`);
  for (const [field, value] of [
    [PRICE, event.price],
    [RATING_VALUE, event.rating],
  ] as const) {
    if (value !== undefined && !Number.isFinite(value)) return invalidNumber(field, `${value}`);
  }
  writer.clear();
  for (const { field, key } of TEXT_FIELDS) {
    const text = event[key];
    if (text === undefined || text === '') continue;
    const encoded = utf8(text);
    writer.copy(field, encoded, 0, encoded.length);
  }
  const time = Number(seconds) * 1000 + Math.floor(nanos / 1e6);
  return writer.write(writer.scratch, type, time, event.price ?? NaN, event.rating ?? NaN, false);
}
