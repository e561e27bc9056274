/** packed-floats: bytes of a value that is mostly arrays of floats: the length of a head, the head as JSON, then the arrays, little-endian. */
import { textOf, utf8 } from '../../runtime/contract/stage.js';

export function packed(head: unknown, arrays: readonly Float32Array[]): Uint8Array {
  const text = utf8(JSON.stringify({ head, lengths: arrays.map(({ length }) => length) }));
  const floats = arrays.map((array) => new Uint8Array(array.slice().buffer));
  return Uint8Array.from(Buffer.concat([new Uint8Array(Uint32Array.of(text.length).buffer), text, ...floats]));
}

export function unpacked<H>(bytes: Uint8Array): { readonly head: H; readonly arrays: readonly Float32Array[] } {
  let at = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const { head, lengths } = JSON.parse(textOf(bytes.subarray(4, at))) as { head: H; lengths: readonly number[] };
  const arrays = lengths.map((length) => {
    const from = at;
    at += 4 * length;
    return floatsIn(bytes.subarray(from, at));
  });
  return { head, arrays };
}

/** Little-endian, as typed arrays are wherever Node runs. */
export const floatsIn = (bytes: Uint8Array): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);
