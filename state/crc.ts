/** CRC-32 with two polynomials: LevelDB's own, and zlib's, which is native for long inputs; for short ones the call costs more than the computation. */
import { crc32 as nativeCrc32 } from 'node:zlib';

/** Below this size a call into zlib costs more than it saves. */
const NATIVE_BYTES = 1_024;

type Update = (bytes: Uint8Array, from: number, to: number, crc: number) => number;

/** Eight tables: eight bytes per round, some 1.2 GB/s. The CRC is passed and returned inverted. */
function updater(polynomial: number): { readonly table: Uint32Array; readonly update: Update } {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    tables[0]![byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let k = 1; k < 8; k++) {
      const before = tables[k - 1]![byte]!;
      tables[k]![byte] = (before >>> 8) ^ tables[0]![before & 255]!;
    }
  }
  const [t0, t1, t2, t3] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const [t4, t5, t6, t7] = tables.slice(4) as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const update: Update = (bytes, from, to, start) => {
    let crc = start;
    let at = from;
    for (; at + 8 <= to; at += 8) {
      const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
      const first = t7[low & 255]! ^ t6[(low >>> 8) & 255]! ^ t5[(low >>> 16) & 255]! ^ t4[low >>> 24]!;
      crc = first ^ t3[bytes[at + 4]!]! ^ t2[bytes[at + 5]!]! ^ t1[bytes[at + 6]!]! ^ t0[bytes[at + 7]!]!;
    }
    for (; at < to; at++) crc = t0[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
    return crc;
  };
  return { table: t0, update };
}

const castagnoli = updater(0x82f63b78);
const ieee = updater(0xedb88320);

export const crc32c = (bytes: Uint8Array, from: number, to: number): number =>
  ~castagnoli.update(bytes, from, to, ~0) >>> 0;

/** CRC-32 of a text's UTF-8 bytes, followed by some bytes. */
export function crc32Of(text: string, bytes: Uint8Array, from: number, to: number): number {
  let crc = ~0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) {
      crc = ~nativeCrc32(text);
      break;
    }
    crc = ieee.table[(crc ^ code) & 255]! ^ (crc >>> 8);
  }
  if (to - from >= NATIVE_BYTES) return nativeCrc32(bytes.subarray(from, to), ~crc >>> 0);
  return ~ieee.update(bytes, from, to, crc) >>> 0;
}
