/**
 * TrendCounts: views and clicks of each item, in panes of an hour and, for the last two hours, of a step, over states.
 *
 * Counted on arrival, also within an epoch: whether an event is late depends on C alone, which changes only at the end of one. An event is late when
 * every hour and day that contains it is closed. One that is late for the hour but not for the day is counted in the day: the list of the hour is
 * published already. In the last hour every event counts that is not late and happened in it, however far it is behind the latest event.
 *
 * Marks each category with a changed item, and the list over all.
 */
import { ABSENT, type FrameOf, type Value } from '../../runtime/contract/stage.js';
import { ItemCategories } from './item-categories.js';
import { mainCategoryColumn } from '../maths/main-category.js';
import { NO_NAME, NamesOfColumn } from './numbered-names.js';
import {
  heated,
  HOUR_MS,
  isPaneOver,
  PANE_MS,
  paneOf,
  recentFrom,
  scoreOf,
  type ScoreWeights,
  SIZE_MS,
  STEP_MS,
  stepOf,
} from '../maths/trending.js';
import { ITEMS, numberAnew, releaseCategories, type TrendingItems } from './trending-items.js';
import type { WindowSums } from '../maths/window-sums.js';
import type { engagements, TrendingWindow } from '../model.js';
import { type Counted, CountedPanes, type Floors, NO_PANE } from './counted-panes.js';

export interface CountState extends TrendingItems {
  readonly floors: Value<Floors>;
  readonly recentFloors: Value<Floors>;
  readonly closedUpTo: Value<number>;
  readonly asOf: Value<number>;
  /** Items were removed whose categories must be published again. */
  readonly leaving: Value<boolean>;
}

export interface CountOptions extends ScoreWeights {
  /** Whether steps are counted too, for the last hour. */
  readonly withSteps: boolean;
  /** By code of the event type: 1 a view, 2 a click, 0 neither. */
  readonly kinds: Uint8Array;
  /** Capacity of a pane in items. */
  readonly itemsMax: number;
  /** The distance of W from the latest event. */
  readonly delayMs: number;
  /** Absent without a ranking by decayed score. */
  readonly halfLifeMs: number | undefined;
}

export const NEITHER = 0;
export const A_VIEW = 1;
export const A_CLICK = 2;

export class TrendCounts {
  readonly categories: ItemCategories;
  private readonly hours: CountedPanes;
  /** The steps of two hours: the last hour and the one before it. */
  private readonly recent: CountedPanes;
  /** Increases when items are renumbered: data by number that others hold is invalid then. */
  numbering = 0;

  constructor(
    private readonly state: CountState,
    private readonly options: CountOptions,
  ) {
    this.categories = new ItemCategories(state.names);
    this.hours = new CountedPanes(HOUR_MS, state.panes, state.floors);
    this.recent = new CountedPanes(STEP_MS, state.recentPanes, state.recentFloors);
  }

  get items(): number {
    return this.state.items.table(ITEMS).rows;
  }

  /** Counts of a moving window, kept up to date. */
  sumsOf(window: TrendingWindow): WindowSums {
    return (PANE_MS[window] === HOUR_MS ? this.hours : this.recent).sumsOf(SIZE_MS[window]);
  }

  take(frame: FrameOf<typeof engagements>): void {
    const { time, type, item, storedAt } = frame.columns;
    const { kinds, delayMs, withSteps } = this.options;
    const closedUpTo = this.state.closedUpTo.get();
    const panes = new Float64Array(frame.rows);
    const kept = new Uint32Array(frame.rows);
    const views = new Uint8Array(frame.rows);
    let [count, latestMs] = [0, this.state.asOf.get()];
    for (let row = 0, pane = NaN, isOver = false; row < frame.rows; row++) {
      const at = time[row]!;
      if (!(at >= pane && at < pane + HOUR_MS)) {
        pane = paneOf(at, HOUR_MS);
        isOver = isPaneOver(pane, closedUpTo, delayMs);
      }
      const kind = kinds[type[row]!];
      if (isOver || kind === NEITHER || item.codes[row] === ABSENT) continue;
      panes[count] = pane;
      views[count] = kind === A_VIEW ? 1 : 0;
      kept[count++] = row;
      // The current hour is that of the log's clock: an event from the future waits in its own.
      const knownMs = at > storedAt[row]! ? storedAt[row]! : at;
      if (knownMs > latestMs) latestMs = knownMs;
    }
    if (count === 0) return;
    const rows = kept.subarray(0, count);
    const hours = panes.subarray(0, count);
    const counted: Counted = {
      numbers: this.know(frame, rows),
      isView: views.subarray(0, count),
      items: this.items,
    };
    const steps = withSteps ? stepsOf(time, rows, recentFrom(stepOf(latestMs))) : NO_STEPS;
    this.hours.count(hours, counted);
    this.recent.count(steps, counted);
    this.knowOf(latestMs);
    // After the frame: items may be renumbered.
    for (const pane of new Set(hours)) this.makeRoom(this.hours, pane);
    for (const step of new Set(steps)) this.makeRoom(this.recent, step);
  }

  /** Advances to the time of the latest event: drops steps that are not in the last two hours any more. */
  knowOf(latestMs: number): void {
    const { asOf, recentPanes } = this.state;
    if (!(latestMs > asOf.get())) return;
    const before = stepOf(asOf.get());
    asOf.set(latestMs);
    const step = stepOf(latestMs);
    if (step === before) return;
    // All lists of the last hour are published again with a new step: nothing has to be marked.
    this.recent.drop(recentPanes.numbers().filter((pane) => pane < recentFrom(step)));
  }

  /** Recomputes decayed sums with another half-life, or the first one: from the existing panes, as if each pane's events were at its middle. */
  heatAnew(halfLifeMs: number): void {
    const { items, panes } = this.state;
    const table = items.table(ITEMS);
    const { heat } = table.values;
    table.touchWhole();
    heat.fill(0);
    for (const pane of panes.numbers()) {
      const counts = panes.table(pane);
      const { views, clicks } = counts.values;
      counts.keyOf('item').forEach((item, row) => {
        const score = scoreOf(views[row]!, clicks[row]!, this.options);
        heat[item] = heated(heat[item]!, score, pane + HOUR_MS / 2, halfLifeMs);
      });
    }
  }

  /** Drops panes whose windows are closed. */
  closeUpTo(closedUpToMs: number): void {
    const { panes, closedUpTo } = this.state;
    if (!(closedUpToMs > closedUpTo.get())) return;
    closedUpTo.set(closedUpToMs);
    const over = panes.numbers().filter((pane) => isPaneOver(pane, closedUpToMs, this.options.delayMs));
    if (over.length > 0) this.letGo(this.hours.drop(over));
  }

  /** The numbers of the items of rows, updated with the names in their events. */
  private know(frame: FrameOf<typeof engagements>, rows: Uint32Array): Uint32Array {
    const { time, type, category } = frame.columns;
    const { halfLifeMs, kinds, viewWeight, clickWeight } = this.options;
    const table = this.state.items.table(ITEMS);
    const numbers = table.upsert(frame.columns, rows);
    const { category: own, categoryTime, heat } = table.values;
    const mains = new NamesOfColumn(this.categories, mainCategoryColumn(category));
    this.touchList(NO_NAME);
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

  /** Marks the main categories of an item, whose lists may have changed. */
  private touch(category: number): void {
    for (const name of this.categories.namesOf(category)) this.touchList(name);
  }

  private touchList(name: number): void {
    const { names } = this.categories;
    if (!names.isMarked(name)) names.mark(name, true);
  }

  private makeRoom(panes: CountedPanes, pane: number): void {
    const items = panes.makeRoom(pane, this.options.itemsMax, this.options);
    if (items !== undefined) this.letGo([items]);
  }

  /** The categories of removed items stay until their remaining lists are published. */
  private letGo(itemsOfPanes: readonly Uint32Array[]): void {
    const { category } = this.state.items.table(ITEMS).values;
    for (const items of itemsOfPanes) for (const item of items) this.touch(category[item]!);
    this.state.leaving.set(true);
    if (!numberAnew(this.state)) return;
    this.numbering++;
    this.hours.forgetSums();
    this.recent.forgetSums();
  }

  /** Call when all changed lists have been published. */
  saidAll(): void {
    if (!this.state.leaving.get()) return;
    this.state.leaving.set(false);
    releaseCategories(this.state, this.categories);
  }
}

const NO_STEPS = new Float64Array(0);

/** The start of each row's step; NO_PANE where that is before `fromMs`. */
function stepsOf(time: Float64Array, rows: Uint32Array, fromMs: number): Float64Array {
  const steps = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const at = time[rows[i]!]!;
    steps[i] = at < fromMs ? NO_PANE : paneOf(at, STEP_MS);
  }
  return steps;
}
