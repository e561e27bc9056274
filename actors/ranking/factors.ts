/**
 * factors: what the latest training has found of items (runtime/training), and what that says of a user.
 *
 *   taste(i) = x · y(i)        x  the vector of the user's items, folded in (maths/als/fold-in)        y(i)  the vector of item i
 *
 *   keepFactors   frames   --a--b--c--|      a, b: rows of one training; c: its last
 *                 result   -----------|      with c its vectors take the place of those before
 *
 * Rows of another training than those that arrive drop these: it was broken off. Items that ranking has forgotten have no score.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { type Codec, type FrameOf, textAt, textOf, utf8, type Value } from '../../runtime/contract/stage.js';
import { FoldIn } from '../maths/als/fold-in.js';
import type { itemFactors } from '../model.js';
import type { ItemSignals } from './item-signals.js';

interface FactorTable {
  /** Epoch ms. */
  readonly trainedMs: number;
  readonly alpha: number;
  readonly regularisation: number;
  readonly items: readonly string[];
  /** As many numbers for each item. */
  readonly vectors: Float32Array;
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
  return {
    trainedMs: columns.trainedAt[0]!,
    alpha: columns.alpha[0]!,
    regularisation: columns.regularisation[0]!,
    items: [...(before?.items ?? []), ...texts],
    vectors,
  };
}

/** Little-endian, as typed arrays are wherever Node runs. */
const floatsIn = (bytes: Uint8Array): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);

/** As the column `vector`. */
export const vectorText = (vector: Float64Array): string =>
  Buffer.from(Float32Array.from(vector).buffer).toString('base64');

/** JSON of all but the vectors, its length before it, then the vectors. */
export const factorBytes: Codec<StoredFactors> = {
  encode: ({ latest, arriving }) => {
    const tables = [latest, arriving];
    const head = utf8(JSON.stringify(tables.map((table) => table && { ...table, vectors: table.vectors.length })));
    const vectors = tables.map((table) => new Uint8Array(table?.vectors.slice().buffer ?? new ArrayBuffer(0)));
    return Uint8Array.from(Buffer.concat([new Uint8Array(Uint32Array.of(head.length).buffer), head, ...vectors]));
  },
  decode: (bytes) => {
    const headEnd = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const heads = JSON.parse(textOf(bytes.subarray(4, headEnd))) as (
      (Omit<FactorTable, 'vectors'> & { vectors: number }) | null
    )[];
    let at = headEnd;
    const [latest, arriving] = heads.map((head) => {
      if (head === null) return undefined;
      const from = at;
      at += 4 * head.vectors;
      return { ...head, vectors: floatsIn(bytes.subarray(from, at)) };
    });
    return { latest, arriving };
  },
};

/** Of one question: it holds until the next one. */
export interface Taste {
  /** 0 for an item without factors. */
  score(item: number): number;
  /** The first n by score, above 0, but for the user's own items and those that do not fit. */
  best(n: number, fits?: (item: number) => boolean): readonly number[];
}

export class ItemFactors {
  private table: FactorTable | undefined;
  private foldIn: FoldIn | undefined;
  private readonly rowOfText = new Map<string, number>();
  private items: ItemSignals['rows'] | undefined;
  /** By number of an item its row, and the other way round; -1 for none. */
  private rowOf: number[] = [];
  private itemOf = new Int32Array(0);

  constructor(
    private readonly signals: ItemSignals,
    private readonly state: Value<StoredFactors>,
  ) {}

  get facts(): { readonly trainedMs: number; readonly items: number; readonly rank: number } | undefined {
    const { latest } = this.state.get();
    if (latest === undefined) return undefined;
    const items = latest.items.length;
    return { trainedMs: latest.trainedMs, items, rank: latest.vectors.length / items };
  }

  /** `weight`: of the m-th newest. Absent: there are no factors yet, or none of these items. */
  taste(history: readonly number[], weight: (m: number) => number): Taste | undefined {
    this.update();
    const { foldIn, rowOf, itemOf } = this;
    const own = new Set(history);
    const known = history.map((item, m) => [rowOf[item] ?? -1, weight(m)] as const).filter(([row]) => row >= 0);
    if (foldIn === undefined || known.length === 0) return undefined;
    const scores = foldIn.scores(
      known.map(([row]) => row),
      known.map(([, one]) => one),
    );
    return {
      score: (item) => scores[rowOf[item] ?? -1] ?? 0,
      best: (n, fits = () => true) => {
        const isFit = (item: number): boolean => item >= 0 && !own.has(item) && fits(item);
        return firstOf(scores, n, (row) => isFit(itemOf[row]!)).map((row) => itemOf[row]!);
      },
    };
  }

  private update(): void {
    const { latest } = this.state.get();
    const { rows } = this.signals;
    if (this.table !== latest) this.take(latest);
    if (latest === undefined) return;
    if (this.items !== rows) {
      this.items = rows;
      this.rowOf = [];
      this.itemOf = new Int32Array(latest.items.length).fill(-1);
    }
    for (let item = this.rowOf.length; item < rows.rows; item++) {
      const row = this.rowOfText.get(this.signals.text(item)) ?? -1;
      this.rowOf.push(row);
      if (row >= 0) this.itemOf[row] = item;
    }
  }

  private take(table: FactorTable | undefined): void {
    this.table = table;
    this.items = undefined;
    this.rowOfText.clear();
    table?.items.forEach((text, row) => this.rowOfText.set(text, row));
    this.foldIn = table && new FoldIn(table.vectors, { ...table, rank: table.vectors.length / table.items.length });
  }
}

function firstOf(scores: Float32Array, n: number, fits: (row: number) => boolean): readonly number[] {
  const best: number[] = [];
  for (let row = 0; row < scores.length; row++) {
    const score = scores[row]!;
    const least = best.length === n ? scores[best[n - 1]!]! : 0;
    if (score <= least || !fits(row)) continue;
    let at = Math.min(best.length, n - 1);
    for (; at > 0 && scores[best[at - 1]!]! < score; at--) best[at] = best[at - 1]!;
    best[at] = row;
  }
  return best;
}
