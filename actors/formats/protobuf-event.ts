/**
 * One event as a protobuf Event (event.proto): its fields are found by number, and their positions passed to the writer. The library's reader is used field
 * by field: decoding to an object and encoding it again takes five times as long per event of a batch.
 */
import { ScalarType } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
import { EventSchema, EventType } from '../../proto/gen/rivulet/v1/event_pb.js';
import { EVENT_TYPES } from '../model.js';
import type { EventWriter } from './event-writer.js';
import { type Fault, invalidNumber, invalidTime, unknownEventType } from './fault.js';
import { EVENT_TIME, EVENT_TYPE, FIELDS, IGNORED, ITEM_ID, POSITION, PRICE, RATING_VALUE, USER_ID } from './fields.js';

export const NOT_PROTOBUF: Fault = {
  rule: 'protobuf_invalid',
  reason: 'not a rivulet.v1.Event or EventBatch: check the message type, and that it was not cut off',
};

/** Fields by their numbers in the message, and their wire types. */
const FIELD_OF: number[] = [];
const WIRE_TYPES = new Uint8Array(IGNORED).fill(WireType.LengthDelimited);
for (const described of EventSchema.fields) {
  const field = (FIELDS as readonly string[]).indexOf(described.name);
  FIELD_OF[described.number] = field;
  if (described.fieldKind === 'enum' || described.scalar === ScalarType.UINT32) WIRE_TYPES[field] = WireType.Varint;
  if (described.scalar === ScalarType.DOUBLE) WIRE_TYPES[field] = WireType.Bit64;
}

/** The types in the message, by their codes. */
export const PROTOBUF_TYPES: readonly EventType[] = EVENT_TYPES.map(
  (name) => EventType[name.toUpperCase() as Uppercase<typeof name>],
);
/** And the other way round. */
const TYPE_OF: number[] = [];
for (const [code, type] of PROTOBUF_TYPES.entries()) TYPE_OF[type] = code;

const { seconds: SECONDS, nanos: NANOS } = TimestampSchema.field;
const NANOS_MAX = 999_999_999;

/** Reads an Event and writes it. */
export function readProtobufEvent(bytes: Uint8Array, writer: EventWriter): Fault | undefined {
  const event = new ProtobufEventReader(bytes, writer);
  try {
    event.read();
  } catch {
    return NOT_PROTOBUF;
  }
  return event.write();
}

class ProtobufEventReader {
  private readonly reader: BinaryReader;
  private type: EventType = EventType.UNSPECIFIED;
  private isTimed = false;
  private seconds = 0;
  private nanos = 0;
  private price: number | undefined;
  private rating: number | undefined;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly writer: EventWriter,
  ) {
    this.reader = new BinaryReader(bytes);
  }

  /** Throws on malformed tags and lengths. As protobuf requires, unknown fields are skipped and the last value of a field counts. */
  read(): void {
    const { reader, writer } = this;
    writer.clear();
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      const field = FIELD_OF[number];
      if (field === undefined || WIRE_TYPES[field] !== wireType) reader.skip(wireType, number);
      else if (field === EVENT_TYPE) this.type = reader.int32();
      else if (field === EVENT_TIME) this.readTime(this.lengthEnd());
      else if (field === PRICE) this.price = reader.double();
      else if (field === RATING_VALUE) this.rating = reader.double();
      else if (field === POSITION) writer.position = reader.uint32();
      else {
        const end = this.lengthEnd();
        writer.starts[field] = reader.pos;
        writer.ends[field] = end;
        reader.pos = end;
      }
    }
  }

  write(): Fault | undefined {
    const { bytes, nanos, price, rating, seconds, type, writer } = this;
    // Neither has text in the writer.
    const untimed = this.isTimed ? [] : [EVENT_TIME];
    if (type === EventType.UNSPECIFIED) return writer.missing([EVENT_TYPE, ...untimed, USER_ID, ITEM_ID]);
    const code = TYPE_OF[type];
    if (code === undefined) return unknownEventType(`${type}`);
    if (!this.isTimed) return writer.missing([EVENT_TIME, USER_ID, ITEM_ID]);
    if (nanos < 0 || nanos > NANOS_MAX) return invalidTime(`${seconds} s and ${nanos} ns`);
    if (price !== undefined && !Number.isFinite(price)) return invalidNumber(PRICE, `${price}`);
    if (rating !== undefined && !Number.isFinite(rating)) return invalidNumber(RATING_VALUE, `${rating}`);
    const time = seconds * 1000 + Math.floor(nanos / 1e6);
    return writer.write(bytes, code, time, price ?? NaN, rating ?? NaN, false);
  }

  private readTime(end: number): void {
    const { reader } = this;
    this.isTimed = true;
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      if (number === SECONDS.number && wireType === WireType.Varint) this.seconds = Number(reader.int64());
      else if (number === NANOS.number && wireType === WireType.Varint) this.nanos = reader.int32();
      else reader.skip(wireType, number);
    }
    if (reader.pos !== end) throw new RangeError('a field ends outside of its message');
  }

  /** Reads the length of a field and returns its end. */
  private lengthEnd(): number {
    const { reader } = this;
    const length = reader.uint32();
    const end = reader.pos + length;
    if (end > reader.len) throw new RangeError('a field ends outside of its message');
    return end;
  }
}
