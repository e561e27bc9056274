/**
 * TrendCounts: views and clicks of each item, in panes of an hour, over cells.
 *
 *   views(p, i)  += events of item i in hour p that count as a view       clicks likewise
 *
 * Counted as they come, also within an epoch: whether an event is late depends on C alone, which only moves at the end of one. An event is late
 * when every window that it is part of is closed. One that is late for the hour and not for the day is counted: the hour has been said.
 *
 * Marks each category that an item of has changed, and the list over all.
 */
import { ABSENT, type Frame, type FrameOf, frameType, type Value } from '../../runtime/contract/stage.js';
import { betterHalf } from '../maths/heavy-hitters.js';
import { categoriesIn } from '../state/item-totals.js';
import { mainCategoryColumn } from '../maths/main-category.js';
import { NO_NAME, type NumberedNames, SaidNames } from '../state/numbered-names.js';
import { heated, isPaneOver, PANE_MS, paneOf, scoreOf, type ScoreWeights } from '../maths/trending.js';
import { ITEMS, numberAnew, releaseCategories, replacePane, type TrendingCells } from '../state/trending-items.js';
import { rowsByWindow } from '../maths/window.js';
import { WindowSums } from '../maths/window-sums.js';
import type { engagements } from '../model.js';

/** What the sketch has let go, per pane: no item that is not counted there has a higher score. */
export type Floors = Readonly<Record<number, number>>;

export interface CountCells extends TrendingCells {
  readonly floors: Value<Floors>;
  readonly closedUpTo: Value<number>;
  readonly asOf: Value<number>;
  /** Items were let go whose categories have to be said yet. */
  readonly leaving: Value<boolean>;
}

export interface CountOptions extends ScoreWeights {
  /** By code of the event type: 1 a view, 2 a click, 0 neither. */
  readonly kinds: Uint8Array;
  /** Items that a pane has room for. */
  readonly itemsMax: number;
  /** How far W stays behind the latest event. */
  readonly delayMs: number;
  /** Absent: nobody asks for decayed scores. */
  readonly halfLifeMs: number | undefined;
}

export const NEITHER = 0;
export const A_VIEW = 1;
export const A_CLICK = 2;

const byItem = frameType('by-item', { item: 'u32' });

export class TrendCounts {
  readonly categories: NumberedNames;
  /** Follow from the panes, so that windows need not be added up at each look. */
  private readonly sums: WindowSums[] = [];
  /** Counts how often items were numbered anew: what others keep by number is void then. */
  numbering = 0;

  constructor(
    private readonly cells: CountCells,
    private readonly options: CountOptions,
  ) {
    this.categories = categoriesIn(cells.names);
  }

  get items(): number {
    return this.cells.items.table(ITEMS).rows;
  }

  /** Counts of a moving window, kept up to date. */
  sumsOf(sizeMs: number): WindowSums {
    const sums = new WindowSums(sizeMs, (pane) => {
      if (!this.cells.panes.has(pane)) return undefined;
      const table = this.cells.panes.table(pane);
      return { items: table.keyOf('item'), views: table.values.views, clicks: table.values.clicks };
    });
    this.sums.push(sums);
    return sums;
  }

  take(frame: FrameOf<typeof engagements>): void {
    const { time, type, item } = frame.columns;
    const { kinds, delayMs } = this.options;
    const closedUpTo = this.cells.closedUpTo.get();
    const panes = new Float64Array(frame.rows);
    const kept = new Uint32Array(frame.rows);
    let [count, latestMs] = [0, this.cells.asOf.get()];
    for (let row = 0, pane = NaN, isOver = false; row < frame.rows; row++) {
      const at = time[row]!;
      if (!(at >= pane && at < pane + PANE_MS)) {
        pane = paneOf(at);
        isOver = isPaneOver(pane, closedUpTo, delayMs);
      }
      if (isOver || kinds[type[row]!] === NEITHER || item.codes[row] === ABSENT) continue;
      panes[count] = pane;
      kept[count++] = row;
      if (at > latestMs) latestMs = at;
    }
    if (count === 0) return;
    this.cells.asOf.set(latestMs);
    const rows = kept.subarray(0, count);
    const numbers = this.know(frame, rows);
    for (const { start: pane, rows: at } of rowsByWindow(panes.subarray(0, count), (one) => [one])) {
      this.count(pane, frame, rows, numbers, at);
    }
    // Behind the frame: items may be numbered anew.
    for (const pane of new Set(panes.subarray(0, count))) this.makeRoom(pane);
  }

  /** Decayed sums by another half-life, or the first: from the panes that there are, each as if all of it had happened in its middle. */
  heatAnew(halfLifeMs: number): void {
    const { items, panes } = this.cells;
    const table = items.table(ITEMS);
    const { heat } = table.values;
    table.touchWhole();
    heat.fill(0);
    for (const pane of panes.numbers()) {
      const counts = panes.table(pane);
      const { views, clicks } = counts.values;
      counts.keyOf('item').forEach((item, row) => {
        const score = scoreOf(views[row]!, clicks[row]!, this.options);
        heat[item] = heated(heat[item]!, score, pane + PANE_MS / 2, halfLifeMs);
      });
    }
  }

  /** Forgets panes whose windows are closed. */
  closeUpTo(closedUpToMs: number): void {
    const { panes, closedUpTo, floors } = this.cells;
    if (!(closedUpToMs > closedUpTo.get())) return;
    closedUpTo.set(closedUpToMs);
    const over = panes.numbers().filter((pane) => isPaneOver(pane, closedUpToMs, this.options.delayMs));
    if (over.length === 0) return;
    for (const pane of over) {
      this.touchAll(panes.table(pane).keyOf('item'));
      panes.drop(pane);
    }
    for (const sums of this.sums) if (sums.hasOne(over)) sums.forget();
    floors.set(Object.fromEntries(Object.entries(floors.get()).filter(([pane]) => !over.includes(Number(pane)))));
    this.tidy();
  }

  /** The numbers of the items of rows, with what their events say of them. */
  private know(frame: FrameOf<typeof engagements>, rows: Uint32Array): Uint32Array {
    const { time, type, category } = frame.columns;
    const { halfLifeMs, kinds, viewWeight, clickWeight } = this.options;
    const table = this.cells.items.table(ITEMS);
    const numbers = table.upsert(frame as unknown as Frame, rows);
    const { category: own, categoryTime, heat } = table.values;
    const mains = new SaidNames(this.categories, mainCategoryColumn(category));
    this.touch(NO_NAME);
    for (let i = 0; i < rows.length; i++) {
      const [row, number] = [rows[i]!, numbers[i]!];
      const was = own[number]!;
      own[number] = mains.latest(row, was, categoryTime, number, time[row]!);
      this.touch(was);
      this.touch(own[number]!);
      if (halfLifeMs === undefined) continue;
      const weight = kinds[type[row]!] === A_VIEW ? viewWeight : clickWeight;
      heat[number] = heated(heat[number]!, weight, time[row]!, halfLifeMs);
    }
    return numbers;
  }

  /** Says that a category's lists may have changed. */
  private touch(category: number): void {
    if (!this.categories.isMarked(category)) this.categories.mark(category, true);
  }

  /** Before items are let go: their categories stay until it was said what is left of their lists. */
  private touchAll(items: Uint32Array): void {
    const { category } = this.cells.items.table(ITEMS).values;
    for (const item of items) this.touch(category[item]!);
    this.cells.leaving.set(true);
  }

  /** When all lists that had changed are said. */
  saidAll(): void {
    if (!this.cells.leaving.get()) return;
    this.cells.leaving.set(false);
    releaseCategories(this.cells, this.categories);
  }

  /** `rows` of the frame have these `numbers`; those of this pane are `at`. */
  private count(
    pane: number,
    frame: FrameOf<typeof engagements>,
    rows: Uint32Array,
    numbers: Uint32Array,
    at: Uint32Array,
  ): void {
    const { panes, floors } = this.cells;
    const table = panes.table(pane);
    const [before, floor] = [table.rows, floors.get()[pane] ?? 0];
    const found = table.upsert({ type: byItem, rows: numbers.length, columns: { item: numbers } }, at);
    const { views, clicks } = table.values;
    if (floor > 0) table.values.floor.fill(floor, before, table.rows);
    const { type } = frame.columns;
    const isView = new Uint8Array(rows.length);
    for (let i = 0; i < at.length; i++) {
      if (this.options.kinds[type[rows[at[i]!]!]!] === A_VIEW) {
        isView[at[i]!] = 1;
        views[found[i]!]!++;
      } else clicks[found[i]!]!++;
    }
    for (const sums of this.sums) sums.add(pane, numbers, at, isView, this.items);
  }

  /** Where a pane has more items than it has room for: see heavy-hitters.ts. */
  private makeRoom(pane: number): void {
    const table = this.cells.panes.table(pane);
    if (table.rows <= this.options.itemsMax) return;
    const { views, clicks, floor: floors } = table.values;
    const estimates = Float64Array.from(
      { length: table.rows },
      (_, row) => scoreOf(views[row]!, clicks[row]!, this.options) + floors[row]!,
    );
    const { rows, floor } = betterHalf(estimates);
    this.touchAll(table.keyOf('item'));
    replacePane(this.cells.panes, pane, table.frame(rows));
    this.cells.floors.set({ ...this.cells.floors.get(), [pane]: floor });
    for (const sums of this.sums) sums.forget();
    this.tidy();
  }

  private tidy(): void {
    if (!numberAnew(this.cells)) return;
    this.numbering++;
    for (const sums of this.sums) sums.forget();
  }
}
