/** The stores of a data directory, and decoding of keys and entries. */
import { BUFFERED } from '../../actor/alignment-buffer.js';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import {
  type Column,
  type Frame,
  FrameSchema,
  BufferedMessageSchema,
  SnapshotHeadSchema,
} from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { fatal } from '../../contract/errors.js';
import { isHeadKey } from '../../state/keyspace.js';
import { asPlainText } from '../dead-letters/list.js';

/** Stores that repair has set aside are called `<name>.set-aside-<time>`. */
export const SET_ASIDE = '.set-aside-';

/** The store of the node's id. */
export const NODE_STORE = 'node';

export interface StoreDirectory {
  readonly name: string;
  readonly directory: string;
}

export const storeDirectory = (dataDir: string, name: string): string => join(dataDir, 'state', name);

/** By name; fatal DATA_DIR_EMPTY when no node has run there. */
export function storesIn(dataDir: string): StoreDirectory[] {
  const folder = join(dataDir, 'state');
  const names = existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
    : [];
  const stores = names.filter((name) => !name.includes(SET_ASIDE)).sort();
  if (stores.length === 0) {
    throw fatal('DATA_DIR_EMPTY', `there is no state in ${dataDir}`, {
      hint: 'name the data directory of a node with --data-dir',
    });
  }
  return stores.map((name) => ({ name, directory: storeDirectory(dataDir, name) }));
}

export interface EntryKey {
  readonly stage: string;
  readonly partition: string;
  readonly state: string;
  readonly key: string;
}

/** `<stage>/<partition>/<state>/<key>`; a state of one value has the empty key. */
export function entryKey(path: string): EntryKey {
  const [stage = '', partition = '', state = '', ...key] = path.split('/');
  return { stage, partition, state, key: key.join('/') };
}

export type Decoded =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'rows'; readonly type: string; readonly rows: readonly Readonly<Record<string, unknown>>[] }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** As readable as possible without the stage that wrote it. */
export function decoded(path: string, bytes: Uint8Array): Decoded {
  if (isHeadKey(path)) {
    const { $typeName: _, $unknown: __, ...head } = fromBinary(SnapshotHeadSchema, bytes);
    return { kind: 'json', value: head };
  }
  if (entryKey(path).state === BUFFERED) {
    const { subject, storedAtMs, bytes: size } = fromBinary(BufferedMessageSchema, bytes);
    return { kind: 'json', value: { subject, stored_at: new Date(storedAtMs).toISOString(), bytes: size } };
  }
  const text = asPlainText(bytes);
  if (text !== undefined && text !== '') {
    try {
      return { kind: 'json', value: JSON.parse(text) as unknown };
    } catch {
      // Not JSON: it may still be a frame of few rows.
    }
  }
  return framed(bytes) ?? { kind: 'bytes', bytes };
}

function framed(bytes: Uint8Array): Decoded | undefined {
  try {
    const frame = fromBinary(FrameSchema, bytes);
    // Almost any bytes parse as some protobuf message; a frame has a type, and columns of the length that it declares.
    if (!/^[a-z][a-z0-9_-]*$/.test(frame.type) || frame.columns.length === 0) return undefined;
    const columns = frame.columns.map((column) => [column.name, cellsOf(column, frame)] as const);
    const rows = Array.from({ length: frame.rows }, (_, row) =>
      Object.fromEntries(columns.map(([name, cells]) => [name, cells(row)])),
    );
    return { kind: 'rows', type: frame.type, rows };
  } catch {
    return undefined;
  }
}

function cellsOf({ width, data, dictionary, ends }: Column, { rows }: Frame): (row: number) => unknown {
  if (width === 0) return () => null;
  if (data.length !== rows * width) throw new RangeError('not a column');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (width === 8) {
    return (row) => {
      const number = view.getFloat64(row * 8, true);
      return Number.isNaN(number) ? null : number;
    };
  }
  const code = (row: number): number =>
    width === 4 ? view.getUint32(row * 4, true) : width === 2 ? view.getUint16(row * 2, true) : view.getUint8(row);
  if (ends.length === 0) return code;
  const bounds = new DataView(ends.buffer, ends.byteOffset, ends.byteLength);
  return (row) => {
    const at = code(row);
    if (at === 0) return null;
    return Buffer.from(
      dictionary.subarray(bounds.getUint32(at * 4 - 4, true), bounds.getUint32(at * 4, true)),
    ).toString();
  };
}
