/**
 * Protobuf messages: one Event, or an EventBatch (event.proto). Which of the two is told by the content type, or by the bytes: a batch has
 * nothing but field 1, and an event that had nothing else would lack what is required.
 *
 * A batch is walked by hand, so that each event keeps its own bytes and a broken one is refused by itself.
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

/** The bytes of each event of a batch, views on the message, and of no more than one above the most; `undefined` when its tags and lengths are broken. */
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
