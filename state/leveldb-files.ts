/**
 * A reader of LevelDB's files, limited to detecting damage: it checks LevelDB's own CRC-32C of every record and block.
 *
 *   log     blocks of 32 KiB; records (crc u32, length u16, type u8, data); a batch starts with its sequence (u64) and count (u32)
 *   table   data blocks, filter, meta index, index, footer of 48 bytes; after each block its type (u8) and crc (u32, over data and type)
 *   CRCs are stored masked: rotated by 15 bits, plus a constant
 */
import { crc32c } from './crc.js';

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4];
const FOOTER_BYTES = 48;
const TABLE_MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
const TRAILER_BYTES = 5;

const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

const u32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

export interface LogRecords {
  readonly records: readonly Uint8Array[];
  /** A valid record follows an unreadable one: LevelDB would resume there and skip what is between. A torn end does not count. */
  readonly damagedInside: boolean;
}

/** The records that LevelDB will read from a log or manifest. */
export function logRecords(bytes: Uint8Array): LogRecords {
  const records: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let [broken, damagedInside] = [false, false];
  for (let block = 0; block < bytes.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, bytes.length);
    for (let at = block; at + HEADER_BYTES <= end;) {
      const length = bytes[at + 4]! | (bytes[at + 5]! << 8);
      const type = bytes[at + 6]!;
      const next = at + HEADER_BYTES + length;
      // LevelDB skips the rest of a block after an unreadable record.
      if (type < FULL! || type > LAST! || next > end || u32(bytes, at) !== masked(crc32c(bytes, at + 6, next))) {
        broken = true;
        parts = [];
        break;
      }
      const starts = type === FULL || type === FIRST;
      damagedInside ||= starts && (broken || parts.length > 0);
      if (starts) parts = [];
      if (starts || parts.length > 0) parts.push(bytes.subarray(at + HEADER_BYTES, next));
      if ((type === FULL || type === LAST) && parts.length > 0) {
        records.push(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
        parts = [];
      } else if (type === MIDDLE && parts.length === 0) broken = true;
      at = next;
    }
  }
  return { records, damagedInside };
}

/** The first sequence of a log's batches and the end of the last; whether there is a gap between two of them. */
export function batchSequences(records: readonly Uint8Array[]): { first?: number; end?: number; gap: boolean } {
  let first: number | undefined;
  let end: number | undefined;
  let gap = false;
  for (const record of records) {
    const sequence = u32(record, 0) + u32(record, 4) * 2 ** 32;
    first ??= sequence;
    gap ||= end !== undefined && sequence !== end;
    end = sequence + u32(record, 8);
  }
  return { ...(first === undefined || end === undefined ? {} : { first, end }), gap };
}

/** Reads varints: little-endian, seven bits a byte. */
class Varints {
  constructor(
    private readonly bytes: Uint8Array,
    public at = 0,
  ) {}

  next(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError('a number goes beyond the end');
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  skip(length: number): void {
    this.at += length;
  }

  get done(): boolean {
    return this.at >= this.bytes.length;
  }
}

export interface Manifest {
  /** Logs from this number on are part of the store. */
  readonly logNumber: number;
  readonly lastSequence: number;
  /** The tables of the store: number → size in bytes. */
  readonly tables: ReadonlyMap<number, number>;
}

/** The combined result of a manifest's records. Throws when they are not LevelDB's. */
export function manifestOf(records: readonly Uint8Array[]): Manifest {
  let [logNumber, lastSequence] = [0, 0];
  const tables = new Map<number, number>();
  for (const record of records) {
    const read = new Varints(record);
    while (!read.done) {
      const tag = read.next();
      if (tag === 1) read.skip(read.next());
      else if (tag === 2) logNumber = read.next();
      else if (tag === 3 || tag === 9) read.next();
      else if (tag === 4) lastSequence = read.next();
      else if (tag === 5) {
        read.next();
        read.skip(read.next());
      } else if (tag === 6) {
        read.next();
        tables.delete(read.next());
      } else if (tag === 7) {
        read.next();
        tables.set(read.next(), read.next());
        read.skip(read.next());
        read.skip(read.next());
      } else throw new RangeError(`no such field: ${tag}`);
    }
  }
  return { logNumber, lastSequence, tables };
}

interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

/** The damage of a table, if any; yields to other work after each `yieldBytes`. */
export async function tableProblem(
  bytes: Uint8Array,
  turn: () => Promise<void>,
  turnBytes: number,
): Promise<string | undefined> {
  const footer = bytes.length - FOOTER_BYTES;
  if (footer < 0 || TABLE_MAGIC.some((byte, i) => bytes[bytes.length - 8 + i] !== byte))
    return 'it does not end as a table does';
  const isSound = ({ offset, size }: BlockHandle): boolean => {
    const end = offset + size;
    return end + TRAILER_BYTES <= footer && u32(bytes, end + 1) === masked(crc32c(bytes, offset, end + 1));
  };
  try {
    const read = new Varints(bytes, footer);
    const [meta, index] = [handleAt(read), handleAt(read)];
    if (!isSound(index)) return 'its index is not what was written';
    if (!isSound(meta) || !handlesIn(bytes, meta).every(isSound)) return 'its filter is not what was written';
    let since = 0;
    for (const block of handlesIn(bytes, index)) {
      if (!isSound(block)) return `the block at ${block.offset} is not what was written`;
      since += block.size;
      if (since < turnBytes) continue;
      since = 0;
      await turn();
    }
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return 'its index cannot be read';
    throw error;
  }
}

const handleAt = (read: Varints): BlockHandle => ({ offset: read.next(), size: read.next() });

/** The blocks that an index block points to: entries (shared, unshared, value length, key, value), then the restart points, and their number. */
function handlesIn(bytes: Uint8Array, { offset, size }: BlockHandle): BlockHandle[] {
  const end = offset + size;
  const restarts = u32(bytes, end - 4);
  const handles: BlockHandle[] = [];
  const read = new Varints(bytes, offset);
  while (read.at < end - 4 * (restarts + 1)) {
    read.next();
    const [keyBytes, valueBytes] = [read.next(), read.next()];
    const value = read.at + keyBytes;
    read.at = value;
    handles.push(handleAt(read));
    read.at = value + valueBytes;
  }
  return handles;
}
