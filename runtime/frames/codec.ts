/** Frames and envelopes as bytes: protobuf around little-endian typed arrays; codes as narrow as the dictionary allows. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type Column,
  ColumnSchema,
  type Envelope,
  type Frame as WireFrame,
  FrameSchema,
} from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { EMPTY } from './bytes.js';
import type { Dictionary } from './dictionary.js';
import { fatal } from '../contract/errors.js';
import {
  type AnyColumn,
  type ColumnKind,
  type Columns,
  type Frame,
  type FrameType,
  newColumn,
  type TextColumn,
} from './frame.js';

export function toWire(frame: Frame): WireFrame {
  const columns = Object.entries(frame.columns as Record<string, AnyColumn>).map(([name, column]) =>
    'codes' in column ? textToWire(name, column) : numbersToWire(name, column),
  );
  return create(FrameSchema, { type: frame.type.name, rows: frame.rows, columns });
}

/** The frame in a wire message. Columns that the type has and the message has not are absent everywhere (an older writer). */
export function fromWire<C extends Columns>(wire: WireFrame, type: FrameType<C>): Frame<C> {
  if (wire.type !== type.name) {
    throw fatal('FRAME_TYPE', `expected a frame of ${type.name}, got ${wire.type}`, {
      hint: 'the stream was written by another topology; use another data directory or subject prefix',
    });
  }
  const columns: Record<string, AnyColumn> = {};
  for (const [name, kind] of Object.entries(type.columns)) {
    const column = wire.columns.find((candidate) => candidate.name === name);
    columns[name] = kind === 'text' ? textFromWire(column, wire.rows) : numbersFromWire(column, kind, wire.rows);
  }
  return { type, rows: wire.rows, columns: columns as Frame<C>['columns'] };
}

/** A part has half a MiB or one row (actor/router.ts); what claims to be more is not ours. */
const INFLATED = { maxOutputLength: 64 * 1024 * 1024 };

type Body = Envelope['body'];

/** What an envelope carries as a message of rows. */
export const bodyOf = (wire: WireFrame, compressed: boolean): Body =>
  compressed
    ? { case: 'deflatedFrame', value: deflateRawSync(toBinary(FrameSchema, wire)) }
    : { case: 'frame', value: wire };

/** The rows of an envelope; `undefined` when it has none. */
export function frameIn<C extends Columns>(body: Body, type: FrameType<C>): Frame<C> | undefined {
  if (body.case === 'frame') return fromWire(body.value, type);
  if (body.case === 'deflatedFrame') return decodeFrame(inflateRawSync(body.value, INFLATED), type);
  return undefined;
}

export const encodeFrame = (frame: Frame): Uint8Array => toBinary(FrameSchema, toWire(frame));

export const decodeFrame = <C extends Columns>(bytes: Uint8Array, type: FrameType<C>): Frame<C> =>
  fromWire(fromBinary(FrameSchema, bytes), type);

const bytesOf = (array: Float64Array | Uint32Array | Uint16Array | Uint8Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

function numbersToWire(name: string, column: Float64Array | Uint32Array | Uint8Array): Column {
  if (column instanceof Float64Array && allAbsent(column)) return create(ColumnSchema, { name, width: 0 });
  return create(ColumnSchema, { name, width: column.BYTES_PER_ELEMENT, data: bytesOf(column) });
}

function allAbsent(column: Float64Array): boolean {
  for (let i = 0; i < column.length; i++) if (!Number.isNaN(column[i])) return false;
  return true;
}

function textToWire(name: string, { codes, dictionary }: TextColumn): Column {
  const { size, bytes, ends } = dictionary;
  if (size === 1) return create(ColumnSchema, { name, width: 0 });
  const narrow = size <= 0x100 ? Uint8Array.from(codes) : size <= 0x10000 ? Uint16Array.from(codes) : codes;
  return create(ColumnSchema, {
    name,
    width: narrow.BYTES_PER_ELEMENT,
    data: bytesOf(narrow),
    dictionary: bytes.subarray(0, ends[size - 1]!),
    ends: bytesOf(ends.subarray(0, size)),
  });
}

function numbersFromWire(column: Column | undefined, kind: Exclude<ColumnKind, 'text'>, rows: number): AnyColumn {
  if (column === undefined || column.width === 0) {
    return kind === 'f64' ? new Float64Array(rows).fill(NaN) : newColumn(kind, rows);
  }
  if (kind === 'f64') return new Float64Array(copied(column.data, rows * 8));
  return kind === 'u32' ? new Uint32Array(copied(column.data, rows * 4)) : new Uint8Array(copied(column.data, rows));
}

const ONLY_ABSENT: Dictionary = { size: 1, bytes: EMPTY, ends: new Uint32Array(1) };

function textFromWire(column: Column | undefined, rows: number): TextColumn {
  if (column === undefined || column.width === 0) return { codes: new Uint32Array(rows), dictionary: ONLY_ABSENT };
  const ends = new Uint32Array(copied(column.ends, column.ends.length));
  const dictionary = { size: ends.length, bytes: column.dictionary, ends };
  const data = copied(column.data, rows * column.width);
  const codes =
    column.width === 4
      ? new Uint32Array(data)
      : Uint32Array.from(column.width === 2 ? new Uint16Array(data) : new Uint8Array(data));
  return { codes, dictionary };
}

/** A copy in a buffer of its own: typed arrays need aligned memory, and a received message is a view on a socket's. */
function copied(bytes: Uint8Array, length: number): ArrayBuffer {
  if (bytes.length !== length) {
    throw fatal('FRAME_LENGTH', `a column holds ${bytes.length} bytes where ${length} were announced`);
  }
  const buffer = new ArrayBuffer(length);
  new Uint8Array(buffer).set(bytes);
  return buffer;
}
