/** Encodes messages field by field: the same bytes as `toBinary` (tests compare them), without building message objects. */
import type { DescField } from '@bufbuild/protobuf';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { asBuffer } from '../server/service-definition.js';

export const tag = (field: DescField, type: WireType): number => ((field.number << 3) | type) >>> 0;

const SECONDS = tag(TimestampSchema.field.seconds, WireType.Varint);
const NANOS = tag(TimestampSchema.field.nanos, WireType.Varint);

/** Reused together with its grown buffer: a message is written synchronously. */
let writer = new BinaryWriter();

/** The encoded message. Throws when a number is outside the range of its field. */
export function written(write: (out: BinaryWriter) => void): Buffer {
  try {
    write(writer);
    return asBuffer(writer.finish());
  } catch (error) {
    writer = new BinaryWriter();
    throw error;
  }
}

/** A field without presence: an empty text is not sent. */
export function writeText(out: BinaryWriter, fieldTag: number, value: string): void {
  if (value !== '') out.uint32(fieldTag).string(value);
}

export function writeCount(out: BinaryWriter, fieldTag: number, value: number): void {
  if (value !== 0) out.uint32(fieldTag).uint32(value);
}

/** Minus zero is not the default value: it is sent. */
export function writeDouble(out: BinaryWriter, fieldTag: number, value: number): void {
  if (!Object.is(value, 0)) out.uint32(fieldTag).double(value);
}

export function writeRevision(out: BinaryWriter, fieldTag: number, value: number): void {
  if (value !== 0) out.uint32(fieldTag).uint64(value);
}

export function writeFlag(out: BinaryWriter, fieldTag: number, value: boolean): void {
  if (value) out.uint32(fieldTag).bool(true);
}

/** A Timestamp, or a Duration of 0 or more: both have seconds and nanos, as fields 1 and 2. */
export function writeTime(out: BinaryWriter, fieldTag: number, ms: number | undefined): void {
  if (ms === undefined) return;
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.floor(ms - seconds * 1000) * 1e6;
  out.uint32(fieldTag).fork();
  if (seconds !== 0) out.uint32(SECONDS).int64(seconds);
  if (nanos !== 0) out.uint32(NANOS).int32(nanos);
  out.join();
}
