/**
 * factors: what factors say of a user.
 *
 *   taste(i) = x · y(i)        x  the vector of the user's items, folded in (maths/als/fold-in)        y(i)  the vector of item i
 *
 * Items that ranking has forgotten have no score; those that came after the training have vectors from their users (new-items.ts).
 */
import type { Value } from '../../runtime/contract/stage.js';
import { FoldIn } from '../maths/als/fold-in.js';
import type { FactorTable, StoredFactors } from './factor-table.js';
import type { ItemSignals } from './item-signals.js';
import { foldedItem, NEW_MAX, type NewItems, noteUser } from './new-items.js';

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
