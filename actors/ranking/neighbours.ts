/**
 * neighbours: what goes with an item, by its number.
 *
 *   together   1 for each time that a user had both within three items            directionless      ≤ 80
 *   next       1 for each time that a user went from it to the other              directed           ≤ 80
 *   similar    0.9^m for each time that a user had both, m items between them     directionless      ≤ 120, m < 20
 *
 * A category has only `next`: the categories that users went to. Bytes: the three sizes, all numbers, all weights.
 */
import { type Codec, keyed, type StateOf } from '../../runtime/contract/stage.js';
import { NeighbourList } from '../maths/rank/neighbour-list.js';

export const TOGETHER_MAX = 80;
export const NEXT_MAX = 80;
export const SIMILAR_MAX = 120;

export interface Neighbours {
  readonly together: NeighbourList;
  readonly next: NeighbourList;
  readonly similar: NeighbourList;
}

export const noNeighbours = (): Neighbours => ({
  together: NeighbourList.empty(),
  next: NeighbourList.empty(),
  similar: NeighbourList.empty(),
});

/** The same items with other numbers. */
export const renumbered = ({ together, next, similar }: Neighbours, numbers: Uint32Array): Neighbours => ({
  together: together.renumbered(numbers),
  next: next.renumbered(numbers),
  similar: similar.renumbered(numbers),
});

const HEAD = 3;

export const neighbourBytes: Codec<Neighbours> = {
  encode: ({ together, next, similar }) => {
    const lists = [together, next, similar];
    const total = lists.reduce((sum, { size }) => sum + size, 0);
    const words = new Uint32Array(HEAD + 2 * total);
    const weights = new Float32Array(words.buffer, (HEAD + total) * 4);
    let at = 0;
    lists.forEach((list, i) => {
      words[i] = list.size;
      words.set(list.others.subarray(0, list.size), HEAD + at);
      weights.set(list.weights.subarray(0, list.size), at);
      at += list.size;
    });
    return new Uint8Array(words.buffer);
  },
  decode: (bytes) => {
    // A copy: what the store gives may stand at any address of a larger buffer, which `slice` of Node's Buffer would give.
    const { buffer } = new Uint8Array(bytes);
    const sizes = new Uint32Array(buffer, 0, HEAD);
    const total = sizes[0]! + sizes[1]! + sizes[2]!;
    const others = new Uint32Array(buffer, HEAD * 4, total);
    const weights = new Float32Array(buffer, (HEAD + total) * 4, total);
    let at = 0;
    const [together, next, similar] = [...sizes].map((size) =>
      NeighbourList.of(others.slice(at, at + size), weights.slice(at, (at += size))),
    ) as [NeighbourList, NeighbourList, NeighbourList];
    return { together, next, similar };
  },
};

/** In memory at once; the others are read when they are needed. */
const CACHED_BYTES_MAX = 64 * 1024 * 1024;

export const neighbours = () => keyed(neighbourBytes, { cachedBytesMax: CACHED_BYTES_MAX, rescale: (same) => same });
export type NeighboursState = StateOf<ReturnType<typeof neighbours>>;
