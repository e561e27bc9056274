/**
 * CountedPanes: views and clicks of items, by their numbers, in panes of one length; and the sums of windows over them.
 *
 *   views(p, i)  += events of item i in pane p that count as a view       clicks likewise
 *
 * A pane has a capacity in items; beyond it the sketch begins (maths/heavy-hitters).
 */
import type { Value } from '../../runtime/contract/stage.js';
import { betterHalf } from '../maths/heavy-hitters.js';
import { scoreOf, type ScoreWeights } from '../maths/trending.js';
import { type PaneTables, replacePane } from './trending-items.js';
import { rowsByWindow } from '../maths/window.js';
import { WindowSums } from '../maths/window-sums.js';

/** The floor of the sketch, per pane: no item that is not counted there has a higher score. */
export type Floors = Readonly<Record<number, number>>;

/** Engagements: the number of each one's item, and whether it is a view or a click. */
export interface Counted {
  readonly numbers: Uint32Array;
  readonly isView: Uint8Array;
  /** Numbers are below this. */
  readonly items: number;
}

/** For an engagement in no counted pane. */
export const NO_PANE = -Infinity;

export class CountedPanes {
  /** Derived from the panes, so that windows need not be summed up at each read. */
  private readonly sums: WindowSums[] = [];

  constructor(
    private readonly paneMs: number,
    readonly tables: PaneTables,
    private readonly floors: Value<Floors>,
  ) {}

  /** Counts of a moving window, kept up to date. */
  sumsOf(sizeMs: number): WindowSums {
    const sums = new WindowSums(sizeMs, this.paneMs, (pane) => {
      if (!this.tables.has(pane)) return undefined;
      const table = this.tables.table(pane);
      return { items: table.keyOf('item'), views: table.values.views, clicks: table.values.clicks };
    });
    this.sums.push(sums);
    return sums;
  }

  /** `panes`: of each engagement, NO_PANE where it is not counted. */
  count(panes: Float64Array, counted: Counted): void {
    for (const { start: pane, rows } of rowsByWindow(panes, (one) => (one === NO_PANE ? [] : [one]))) {
      this.countIn(pane, counted, rows);
    }
  }

  private countIn(pane: number, { numbers, isView, items }: Counted, at: Uint32Array): void {
    const table = this.tables.table(pane);
    const [before, floor] = [table.rows, this.floors.get()[pane] ?? 0];
    const found = table.upsert({ item: numbers }, at);
    const { views, clicks } = table.values;
    if (floor > 0) table.values.floor.fill(floor, before, table.rows);
    for (let i = 0; i < at.length; i++) {
      if (isView[at[i]!] === 1) views[found[i]!]!++;
      else clicks[found[i]!]!++;
    }
    for (const sums of this.sums) sums.add(pane, numbers, at, isView, items);
  }

  /** Reduces a pane that exceeds its capacity; returns its former items when some were removed. */
  makeRoom(pane: number, itemsMax: number, weights: ScoreWeights): Uint32Array | undefined {
    if (!this.tables.has(pane)) return undefined;
    const table = this.tables.table(pane);
    if (table.rows <= itemsMax) return undefined;
    const { views, clicks, floor: floors } = table.values;
    const estimates = Float64Array.from(
      { length: table.rows },
      (_, row) => scoreOf(views[row]!, clicks[row]!, weights) + floors[row]!,
    );
    const { rows, floor } = betterHalf(estimates);
    const items = table.keyOf('item').slice();
    replacePane(this.tables, pane, table.frame(rows));
    this.floors.set({ ...this.floors.get(), [pane]: floor });
    this.forgetSums();
    return items;
  }

  /** Drops panes; returns the items of each. */
  drop(panes: readonly number[]): Uint32Array[] {
    if (panes.length === 0) return [];
    const items = panes.map((pane) => this.tables.table(pane).keyOf('item').slice());
    for (const pane of panes) this.tables.drop(pane);
    for (const sums of this.sums) if (sums.hasOne(panes)) sums.forget();
    const floors = Object.entries(this.floors.get());
    if (floors.length > 0) {
      this.floors.set(Object.fromEntries(floors.filter(([pane]) => !panes.includes(Number(pane)))));
    }
    return items;
  }

  /** Items were renumbered. */
  forgetSums(): void {
    for (const sums of this.sums) sums.forget();
  }
}
