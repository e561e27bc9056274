/**
 * factor-table: what the latest training has found of items (runtime/training), as rows of the mailbox bring it.
 *
 *   keepFactors   frames   --a--b--c--|      a, b: rows of one training; c: its last
 *                 result   -----------|      with c its vectors take the place of those before
 *
 * Rows of another training than those that arrive drop these: it was broken off.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { type Codec, type FrameOf, textAt, type Value } from '../../runtime/contract/stage.js';
import type { itemFactors } from '../model.js';
import { floatsIn, packed, unpacked } from './packed-floats.js';

export interface FactorTable {
  /** Epoch ms. */
  readonly trainedMs: number;
  readonly alpha: number;
  readonly regularisation: number;
  readonly rank: number;
  readonly items: readonly string[];
  /** `rank` numbers for each item. */
  readonly vectors: Float32Array;
  /** Xᵀ X of the users of the training: the lower triangle, in rank × rank numbers; none before the last row is there. */
  readonly userGram: Float32Array;
}

export interface StoredFactors {
  readonly latest?: FactorTable | undefined;
  /** Not all of it is there. */
  readonly arriving?: FactorTable | undefined;
}

export const keepFactors = (state: Value<StoredFactors>) => (frames: Observable<FrameOf<typeof itemFactors>>) =>
  frames.pipe(
    tap((frame) => {
      const { trainedAt, last } = frame.columns;
      const { latest, arriving } = state.get();
      const table = withRows(arriving?.trainedMs === trainedAt[0] ? arriving : undefined, frame);
      state.set(last[frame.rows - 1] === 1 ? { latest: table } : { latest, arriving: table });
    }),
    ignoreElements(),
  );

function withRows(before: FactorTable | undefined, { rows, columns }: FrameOf<typeof itemFactors>): FactorTable {
  const texts = Array.from({ length: rows }, (_, row) => textAt(columns.item.dictionary, columns.item.codes[row]!)!);
  const bytes = Array.from({ length: rows }, (_, row) =>
    Buffer.from(textAt(columns.vector.dictionary, columns.vector.codes[row]!)!, 'base64'),
  );
  const own = floatsIn(Buffer.concat(bytes));
  const vectors = new Float32Array((before?.vectors.length ?? 0) + own.length);
  vectors.set(before?.vectors ?? []);
  vectors.set(own, vectors.length - own.length);
  const items = [...(before?.items ?? []), ...texts];
  const { dictionary, codes } = columns.userGram;
  return {
    trainedMs: columns.trainedAt[0]!,
    alpha: columns.alpha[0]!,
    regularisation: columns.regularisation[0]!,
    rank: vectors.length / items.length,
    items,
    vectors,
    userGram: floatsIn(Buffer.from(textAt(dictionary, codes[rows - 1]!) ?? '', 'base64')),
  };
}

/** As the columns `vector` and `userGram`. */
export const vectorText = (vector: Float64Array): string =>
  Buffer.from(Float32Array.from(vector).buffer).toString('base64');

type Head = Omit<FactorTable, 'vectors' | 'userGram'>;

export const factorBytes: Codec<StoredFactors> = {
  encode: ({ latest, arriving }) => {
    const tables = [latest, arriving];
    const heads = tables.map((table) => table && { ...table, vectors: undefined, userGram: undefined });
    return packed(
      heads,
      tables.flatMap((table) => (table === undefined ? [] : [table.vectors, table.userGram])),
    );
  },
  decode: (bytes) => {
    const { head, arrays } = unpacked<readonly (Head | null)[]>(bytes);
    let at = 0;
    const [latest, arriving] = head.map((one) =>
      one === null ? undefined : { ...one, vectors: arrays[at++]!, userGram: arrays[at++]! },
    );
    return { latest, arriving };
  },
};
