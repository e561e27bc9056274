/**
 * Frames as bytes: the protobuf message Frame (proto/rivulet/internal/v1), columns as little-endian typed arrays, codes as narrow as the dictionary allows.
 * Written and read field by field, in the order of the type's columns: a message object per column is half of the cost of a small frame.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Envelope } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { EMPTY, textOf, utf8 } from './bytes.js';
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
import { newFloats, newShorts, newWords } from './pool.js';
import { putVarint, varintBytes } from './varint.js';

/** Field numbers with their wire types: of a Frame, and of its Column. */
const TYPE = (1 << 3) | 2;
const ROWS = 2 << 3;
const COLUMN = (3 << 3) | 2;
const NAME = (1 << 3) | 2;
const WIDTH = 2 << 3;
const DATA = (3 << 3) | 2;
const DICTIONARY = (4 << 3) | 2;
const ENDS = (5 << 3) | 2;

/** What is the same in all frames of a type. */
interface TypeBytes {
  readonly type: Uint8Array;
  readonly names: readonly string[];
  readonly namesBytes: readonly Uint8Array[];
}

const typeBytes = new WeakMap<FrameType, TypeBytes>();

function bytesOfType(type: FrameType): TypeBytes {
  let known = typeBytes.get(type);
  if (known === undefined) {
    const names = Object.keys(type.columns);
    typeBytes.set(type, (known = { type: utf8(type.name), names, namesBytes: names.map(utf8) }));
  }
  return known;
}

export function encodeFrame<C extends Columns>({ type, rows, columns }: Frame<C>): Uint8Array {
  const { type: name, names, namesBytes } = bytesOfType(type);
  const all = names.map((column) => (columns as Record<string, AnyColumn>)[column]!);
  const widths = all.map(widthOf);
  const sizes = all.map((column, i) => columnBytes(column, namesBytes[i]!, widths[i]!));
  let size = fieldBytes(name.length) + (rows === 0 ? 0 : 1 + varintBytes(rows));
  for (const bytes of sizes) size += fieldBytes(bytes);
  const out = new Uint8Array(size);
  let at = putField(out, 0, TYPE, name);
  if (rows > 0) at = putVarint(out, putVarint(out, at, ROWS), rows);
  for (let i = 0; i < all.length; i++) {
    at = putVarint(out, putVarint(out, at, COLUMN), sizes[i]!);
    at = putColumn(out, at, all[i]!, namesBytes[i]!, widths[i]!);
  }
  return out;
}

/** Bytes per value; 0: all values are absent. */
function widthOf(column: AnyColumn): number {
  if ('codes' in column) {
    const { size } = column.dictionary;
    return size === 1 ? 0 : size <= 0x100 ? 1 : size <= 0x10000 ? 2 : 4;
  }
  return column instanceof Float64Array && allAbsent(column) ? 0 : column.BYTES_PER_ELEMENT;
}

function allAbsent(column: Float64Array): boolean {
  for (let i = 0; i < column.length; i++) if (!Number.isNaN(column[i])) return false;
  return true;
}

const fieldBytes = (length: number): number => (length === 0 ? 0 : 1 + varintBytes(length) + length);

function columnBytes(column: AnyColumn, name: Uint8Array, width: number): number {
  const size = fieldBytes(name.length);
  if (width === 0) return size;
  if (!('codes' in column)) return size + 2 + fieldBytes(column.byteLength);
  const { size: entries, ends } = column.dictionary;
  return size + 2 + fieldBytes(column.codes.length * width) + fieldBytes(ends[entries - 1]!) + fieldBytes(entries * 4);
}

function putColumn(out: Uint8Array, from: number, column: AnyColumn, name: Uint8Array, width: number): number {
  let at = putField(out, from, NAME, name);
  if (width === 0) return at;
  out[at++] = WIDTH;
  out[at++] = width;
  if (!('codes' in column)) return putField(out, at, DATA, bytesOf(column));
  const { codes, dictionary } = column;
  const { size, bytes, ends } = dictionary;
  if (width === 4) at = putField(out, at, DATA, bytesOf(codes));
  else if (codes.length > 0) {
    at = putVarint(out, putVarint(out, at, DATA), codes.length * width);
    for (let i = 0; i < codes.length; i++) {
      out[at++] = codes[i]!;
      if (width === 2) out[at++] = codes[i]! >>> 8;
    }
  }
  at = putField(out, at, DICTIONARY, bytes.subarray(0, ends[size - 1]!));
  return putField(out, at, ENDS, bytesOf(ends.subarray(0, size)));
}

/** An empty field is left out. */
function putField(out: Uint8Array, from: number, key: number, bytes: Uint8Array): number {
  if (bytes.length === 0) return from;
  const at = putVarint(out, putVarint(out, from, key), bytes.length);
  out.set(bytes, at);
  return at + bytes.length;
}

const bytesOf = (array: Float64Array | Uint32Array | Uint8Array): Uint8Array =>
  array instanceof Uint8Array ? array : new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** The frame in bytes. Columns that the type has and the message has not are absent everywhere (an older writer). */
export function decodeFrame<C extends Columns>(bytes: Uint8Array, type: FrameType<C>): Frame<C> {
  const wire = new Wire(bytes);
  const { names, namesBytes, type: typeName } = bytesOfType(type);
  const columns: Record<string, AnyColumn | undefined> = {};
  for (const name of names) columns[name] = undefined;
  let rows = 0;
  let isOfType = false;
  // Written in the order of the type: the next one is where the search begins.
  let next = 0;
  for (let key = wire.key(); key !== 0; key = wire.key()) {
    if (key === TYPE) isOfType = isSame(wire.field(), typeName) || refuse(bytes, type);
    else if (key === ROWS) rows = wire.varint();
    else if (key === COLUMN && isOfType) {
      const column = wire.field();
      const name = new Wire(column).named();
      const place = placeOf(name, namesBytes, next);
      if (place < 0) continue;
      next = place + 1;
      columns[names[place]!] = columnIn(column, type.columns[names[place]!]!, rows);
    } else wire.skip(key);
  }
  if (!isOfType) refuse(bytes, type);
  for (const name of names) columns[name] ??= absentColumn(type.columns[name]!, rows);
  return { type, rows, columns: columns as Frame<C>['columns'] };
}

function refuse(bytes: Uint8Array, type: FrameType): never {
  const wire = new Wire(bytes);
  const found = wire.key() === TYPE ? textOf(wire.field()) : '';
  throw fatal('FRAME_TYPE', `expected a frame of ${type.name}, got ${found}`, {
    hint: 'the stream was written by another topology; use another data directory or subject prefix',
  });
}

function placeOf(name: Uint8Array, names: readonly Uint8Array[], first: number): number {
  for (let i = 0; i < names.length; i++) {
    const place = (first + i) % names.length;
    if (isSame(name, names[place]!)) return place;
  }
  return -1;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function columnIn(bytes: Uint8Array, kind: ColumnKind, rows: number): AnyColumn {
  const wire = new Wire(bytes);
  let width = 0;
  let data: Uint8Array = EMPTY;
  let dictionary: Uint8Array = EMPTY;
  let ends: Uint8Array = EMPTY;
  for (let key = wire.key(); key !== 0; key = wire.key()) {
    if (key === WIDTH) width = wire.varint();
    else if (key === DATA) data = wire.field();
    else if (key === DICTIONARY) dictionary = wire.field();
    else if (key === ENDS) ends = wire.field();
    else wire.skip(key);
  }
  if (width === 0) return absentColumn(kind, rows);
  return kind === 'text' ? textIn({ data, dictionary, ends, width }, rows) : copied(data, newColumn(kind, rows));
}

const ONLY_ABSENT: Dictionary = { size: 1, bytes: EMPTY, ends: new Uint32Array(1) };

function absentColumn(kind: ColumnKind, rows: number): AnyColumn {
  if (kind === 'text') return { codes: newWords(rows), dictionary: ONLY_ABSENT };
  return kind === 'f64' ? newFloats(rows).fill(NaN) : newColumn(kind, rows);
}

interface WireText {
  readonly data: Uint8Array;
  readonly dictionary: Uint8Array;
  readonly ends: Uint8Array;
  readonly width: number;
}

function textIn({ data, dictionary: bytes, ends: endBytes, width }: WireText, rows: number): TextColumn {
  const ends = copied(endBytes, newWords(endBytes.length >> 2));
  const dictionary = { size: ends.length, bytes, ends };
  const codes = newWords(rows);
  if (width === 4) return { codes: copied(data, codes), dictionary };
  // Bytes need no alignment.
  const narrow = width === 2 ? copied(data, newShorts(rows)) : data;
  mustBe(narrow.length, rows);
  for (let i = 0; i < rows; i++) codes[i] = narrow[i]!;
  return { codes, dictionary };
}

/** Copied into memory of its own: typed arrays need aligned memory, and a received message is a view on a socket's. */
function copied<A extends Float64Array | Uint32Array | Uint16Array | Uint8Array>(bytes: Uint8Array, to: A): A {
  mustBe(bytes.length, to.byteLength);
  new Uint8Array(to.buffer, to.byteOffset, to.byteLength).set(bytes);
  return to;
}

function mustBe(length: number, announced: number): void {
  if (length !== announced)
    throw fatal('FRAME_LENGTH', `a column holds ${length} bytes where ${announced} were announced`);
}

/** Reads a protobuf message field by field. */
class Wire {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** The next field's number and wire type; 0 at the end. */
  key(): number {
    return this.at < this.bytes.length ? this.varint() : 0;
  }

  varint(): number {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      if (this.at >= this.bytes.length) throw cutOff();
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  }

  field(): Uint8Array {
    const length = this.varint();
    const end = this.at + length;
    if (end > this.bytes.length) throw cutOff();
    return this.bytes.subarray(this.at, (this.at = end));
  }

  /** Of a column: its name, which is written first. */
  named(): Uint8Array {
    return this.key() === NAME ? this.field() : EMPTY;
  }

  skip(key: number): void {
    const type = key & 7;
    if (type === 0) this.varint();
    else if (type === 2) this.field();
    else if (type === 1) this.at += 8;
    else if (type === 5) this.at += 4;
    else throw cutOff();
  }
}

const cutOff = (): Error => new RangeError('a frame ends within a field');

/** How many rows an encoded frame announces; of one that cannot be read none, which shows where it is decoded. */
export function rowsOfFrame(bytes: Uint8Array): number {
  try {
    const wire = new Wire(bytes);
    for (let key = wire.key(); key !== 0 && key !== COLUMN; key = wire.key()) {
      if (key === ROWS) return wire.varint();
      wire.skip(key);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return 0;
}

/** A part has half a MiB or one row (actor/router.ts); what claims to be more is not ours. */
const INFLATED = { maxOutputLength: 64 * 1024 * 1024 };

type Body = Envelope['body'];

/** What an envelope carries as a message of rows: an encoded frame. */
export const bodyOf = (frame: Uint8Array, compressed: boolean): Body =>
  compressed ? { case: 'deflatedFrame', value: deflateRawSync(frame) } : { case: 'frame', value: frame };

/** The rows of an envelope; `undefined` when it has none. */
export function frameIn<C extends Columns>(body: Body, type: FrameType<C>): Frame<C> | undefined {
  if (body.case === 'frame') return decodeFrame(body.value, type);
  if (body.case === 'deflatedFrame') return decodeFrame(inflateRawSync(body.value, INFLATED), type);
  return undefined;
}
