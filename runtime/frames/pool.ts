/**
 * Arrays of frames, cut from slabs. Above 64 bytes V8 gives each typed array memory of its own, which costs ten times as much as the array itself, and a live
 * frame has some dozens of short ones.
 *
 * A slab is never used twice, so its memory is zero, and it is freed when no array of it is left: what is retained for long should have its own memory.
 */
const SLAB_BYTES = 32 * 1024;
/** Above, memory of its own costs little beside the work of filling it. */
const CUT_BYTES_MAX = 4 * 1024;
/** V8 has these on its own heap, at no such cost. */
const INLINE_BYTES_MAX = 64;

let slab = new ArrayBuffer(SLAB_BYTES);
let used = 0;

/** Where `bytes` begin in the slab; aligned for each kind of array. -1: they get memory of their own. */
function cut(bytes: number): number {
  if (bytes <= INLINE_BYTES_MAX || bytes > CUT_BYTES_MAX) return -1;
  const size = (bytes + 7) & ~7;
  if (used + size > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    used = 0;
  }
  const at = used;
  used += size;
  return at;
}

export function newFloats(length: number): Float64Array {
  const at = cut(length * 8);
  return at < 0 ? new Float64Array(length) : new Float64Array(slab, at, length);
}

export function newWords(length: number): Uint32Array {
  const at = cut(length * 4);
  return at < 0 ? new Uint32Array(length) : new Uint32Array(slab, at, length);
}

export function newShorts(length: number): Uint16Array {
  const at = cut(length * 2);
  return at < 0 ? new Uint16Array(length) : new Uint16Array(slab, at, length);
}

export function newBytes(length: number): Uint8Array {
  const at = cut(length);
  return at < 0 ? new Uint8Array(length) : new Uint8Array(slab, at, length);
}
