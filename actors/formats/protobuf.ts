/**
 * Protobuf messages: one Event, or an EventBatch (event.proto). The content type or the bytes distinguish them: a batch contains only field 1, and an event
 * with only that field would lack required ones.
 *
 * The batch itself is parsed by hand, so that each event keeps its own bytes and a malformed one is refused by itself.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { EventBatchSchema } from '../../proto/gen/rivulet/v1/event_pb.js';
import type { RawMessage } from '../../runtime/contract/stage.js';
import type { EventWriter } from './event-writer.js';
import { tooManyEvents } from './fault.js';
import { NOT_PROTOBUF, readProtobufEvent } from './protobuf-event.js';
import type { Refusals } from './refusals.js';

export type ProtobufKind = 'event' | 'event-batch';

const EVENTS_FIELD = EventBatchSchema.field.events.number;

/** The kind of message, or `undefined` when the tags and lengths are malformed. */
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

/** Reads an Event or an EventBatch; returns the number of events in it. */
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
    const fault = readProtobufEvent(data, writer);
    if (fault !== undefined) refusals.add(message, fault, whole);
    return 1;
  }
  const events = eventsOf(data, eventsMax);
  if (events === undefined || events.length > eventsMax) {
    refusals.add(message, events === undefined ? NOT_PROTOBUF : tooManyEvents(eventsMax), whole);
    return 1;
  }
  for (const [index, bytes] of events.entries()) {
    const fault = readProtobufEvent(bytes, writer);
    if (fault === undefined) continue;
    const start = bytes.byteOffset - data.byteOffset;
    refusals.add(message, fault, { start, end: start + bytes.length, index });
  }
  return events.length;
}

/** The bytes of each event of a batch, as views of the message, at most one above the limit; `undefined` when its tags and lengths are malformed. */
function eventsOf(data: Uint8Array, eventsMax: number): Uint8Array[] | undefined {
  const reader = new BinaryReader(data);
  const events: Uint8Array[] = [];
  try {
    while (reader.pos < reader.len && events.length <= eventsMax) {
      const [field, wireType] = reader.tag();
      if (field === EVENTS_FIELD && wireType === WireType.LengthDelimited) events.push(reader.bytes());
      else reader.skip(wireType, field);
    }
  } catch {
    return undefined;
  }
  return events;
}
