/**
 * factors: what the latest training has found of items (runtime/training), and what that says of a user.
 *
 *   taste(i) = x · y(i)        x  the vector of the user's items, folded in (maths/als/fold-in)        y(i)  the vector of item i
 *
 *   keepFactors   frames   --a--b--c--|      a, b: rows of one training; c: its last
 *                 result   -----------|      with c its vectors take the place of those before
 *
 * Rows of another training than those that arrive drop these: it was broken off. Items that ranking has forgotten have no score; those that came after the
 * training have vectors from their users (new-items.ts).
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { type Codec, type FrameOf, textAt, type Value } from '../../runtime/contract/stage.js';
import { FoldIn } from '../maths/als/fold-in.js';
import type { itemFactors } from '../model.js';
import type { ItemSignals } from './item-signals.js';
import { foldedItem, NEW_MAX, type NewItems, noteUser } from './new-items.js';
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

/** Of one question: it holds until the next one. */
export interface Taste {
  /** 0 for an item without factors. */
  score(item: number): number;
  /** The first n by score, above 0, but for the user's own items and those that do not fit. */
  best(n: number, fits?: (item: number) => boolean): readonly number[];
}

/** The learner and the answers of a process share it: to make one takes 10 ms, which answers wait for. */
const foldIns = new WeakMap<FactorTable, FoldIn>();

function foldInOf(table: FactorTable): FoldIn {
  const foldIn = foldIns.get(table) ?? new FoldIn(table.vectors, table, { newMax: NEW_MAX });
  foldIns.set(table, foldIn);
  return foldIn;
}

export class ItemFactors {
  private table: FactorTable | undefined;
  private foldIn: FoldIn | undefined;
  private known: NewItems | undefined;
  private readonly rowOfText = new Map<string, number>();
  private items: ItemSignals['rows'] | undefined;
  /** By number of an item its row, and the other way round; -1 for none. */
  private rowOf: number[] = [];
  private itemOf = new Int32Array(0);

  constructor(
    private readonly signals: ItemSignals,
    private readonly state: Value<StoredFactors>,
    private readonly newItems: Value<NewItems>,
  ) {}

  get facts(): { readonly trainedMs: number; readonly items: number; readonly rank: number } | undefined {
    const { latest } = this.state.get();
    if (latest === undefined) return undefined;
    return { trainedMs: latest.trainedMs, items: latest.items.length, rank: latest.rank };
  }

  /** Of who does something with an item that has no factors: it is one of its users. `before`: what the user had done. */
  note(item: string, before: readonly number[]): void {
    this.update();
    const { table, foldIn } = this;
    if (table === undefined || (this.rowOfText.get(item) ?? Infinity) < table.items.length) return;
    const rows = this.rowsOf(before);
    if (rows.length === 0) return;
    noteUser(this.newItems, table, item, foldIn!.vector(rows, new Float64Array(rows.length).fill(1)));
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

  private rowsOf(items: readonly number[]): number[] {
    return items.map((item) => this.rowOf[item] ?? -1).filter((row) => row >= 0);
  }

  private update(): void {
    const { latest } = this.state.get();
    const { rows } = this.signals;
    if (this.table !== latest) this.take(latest);
    if (latest === undefined) return;
    this.takeNew(latest);
    if (this.items !== rows) {
      this.items = rows;
      this.rowOf = [];
      this.itemOf = new Int32Array(latest.items.length + NEW_MAX).fill(-1);
    }
    for (let item = this.rowOf.length; item < rows.rows; item++) {
      const row = this.rowOfText.get(this.signals.text(item)) ?? -1;
      this.rowOf.push(row);
      if (row >= 0) this.itemOf[row] = item;
    }
  }

  /** Those that have more users than before. */
  private takeNew(table: FactorTable): void {
    const known = this.newItems.get();
    if (this.known === known || known.trainedMs !== table.trainedMs) return;
    known.items.forEach((text, i) => {
      if (this.known?.users[i] === known.users[i]) return;
      const row = table.items.length + i;
      this.foldIn!.setItem(row, foldedItem(known.users[i]!, table));
      if (this.rowOfText.has(text)) return;
      this.rowOfText.set(text, row);
      const item = this.signals.find(text);
      // What is mapped already had no row then.
      if (item === undefined || item >= this.rowOf.length) return;
      this.rowOf[item] = row;
      this.itemOf[row] = item;
    });
    this.known = known;
  }

  private take(table: FactorTable | undefined): void {
    this.table = table;
    this.items = undefined;
    this.known = undefined;
    this.rowOfText.clear();
    table?.items.forEach((text, row) => this.rowOfText.set(text, row));
    this.foldIn = table && foldInOf(table);
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
