/**
 * Protobuf messages: one Event, or an EventBatch (event.proto). The content type or the bytes distinguish them: a batch contains only field 1, and an event
 * with only that field would lack required ones.
 *
 * The batch itself is parsed by hand, so that each event keeps its own bytes and a malformed one is refused by itself.
 */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { EventBatchSchema } from '../../proto/gen/rivulet/v1/event_pb.js';
import { type Fault, tooManyEvents } from './fault.js';
import type { Places } from './json-places.js';
import { NOT_PROTOBUF } from './protobuf-event.js';

export type ProtobufKind = 'event' | 'event-batch';

const EVENTS_FIELD = EventBatchSchema.field.events.number;

/** More fields than a message of the largest size has: the first decide about a body that is larger. */
const FIELDS_MAX = 2 ** 17;

/** The kind of message, or `undefined` when the tags and lengths are malformed. */
export function protobufKind(data: Uint8Array): ProtobufKind | undefined {
  const reader = new BinaryReader(data);
  let kind: ProtobufKind = 'event-batch';
  try {
    for (let fields = 0; reader.pos < reader.len && fields < FIELDS_MAX; fields++) {
      const [field, wireType] = reader.tag();
      if (field !== EVENTS_FIELD || wireType !== WireType.LengthDelimited) kind = 'event';
      reader.skip(wireType, field);
    }
  } catch {
    return undefined;
  }
  return kind;
}

/** Where the events of a batch are. */
export function batchPlaces(data: Uint8Array, eventsMax: number): Places | Fault {
  const reader = new BinaryReader(data);
  const places: number[] = [];
  try {
    // Unknown fields count as well: to skip millions of them takes as long.
    for (let fields = 0; reader.pos < reader.len; fields++) {
      if (fields === eventsMax) return tooManyEvents(eventsMax);
      const [field, wireType] = reader.tag();
      if (field === EVENTS_FIELD && wireType === WireType.LengthDelimited) {
        const { length } = reader.bytes();
        places.push(reader.pos - length, reader.pos);
      } else reader.skip(wireType, field);
    }
  } catch {
    return NOT_PROTOBUF;
  }
  return places;
}
