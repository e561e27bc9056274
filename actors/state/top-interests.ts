/**
 * The categories that a user is most interested in, at most three, strongest first: JSON of [category, interest] pairs, some 60 bytes.
 *
 * Versions before stored the user's whole list in its place, by category with the user's interest in it; such an entry is read as these interests:
 *
 *   list  = 1, row*
 *   row   = group, item, score                                                    group   varint, the number of a group that an earlier row began, from 1
 *         | 0, category, interest, interestRank, kind, item, score                kind    byte: 0, or 1 in a list of what is popular over all
 *   text  = its length in bytes as a varint, then its UTF-8 bytes                 number  8 bytes, little-endian; ranks are bytes
 */
import { type Codec, json, textOf } from '../../runtime/contract/stage.js';
import type { TopInterests } from '../maths/made-list.js';
import { STREAMING_CATEGORY_POPULARITY } from '../model.js';

const pairs = json<TopInterests>();
const STORED_LIST = 1;

export const topInterests: Codec<TopInterests> = {
  encode: (interests) => pairs.encode(interests),
  decode: (bytes) => (bytes[0] === STORED_LIST ? ofStoredList(bytes) : pairs.decode(bytes)),
};

function ofStoredList(bytes: Uint8Array): TopInterests {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 1;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = view.getUint8(at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  const text = (): string => {
    const length = varint();
    at += length;
    return textOf(bytes, at - length, at);
  };
  const number = (): number => {
    at += 8;
    return view.getFloat64(at - 8, true);
  };
  const found: { readonly category: string; readonly interest: number; readonly rank: number }[] = [];
  while (at < bytes.length) {
    if (varint() === 0) {
      const [category, interest, rank, kind] = [text(), number(), view.getUint8(at++), view.getUint8(at++)];
      if (kind === STREAMING_CATEGORY_POPULARITY) found.push({ category, interest, rank });
    }
    text();
    number();
  }
  return found.sort((a, b) => a.rank - b.rank).map(({ category, interest }) => [category, interest]);
}
