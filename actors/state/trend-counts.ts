/**
 * TrendCounts: views and clicks of each item, in panes of an hour and, of late, of a step, over states.
 *
 * Counted as they come, also within an epoch: whether an event is late depends on C alone, which only moves at the end of one. An event is late
 * when every hour and day that it is part of is closed. One that is late for the hour and not for the day is counted: the hour has been said.
 * In the last hour everything counts that is not late and happened in it, however far behind the latest event it comes.
 *
 * Marks each category that an item of has changed, and the list over all.
 */
import { ABSENT, type FrameOf, type Value } from '../../runtime/contract/stage.js';
import { categoriesIn } from './item-totals.js';
import { mainCategoryColumn } from '../maths/main-category.js';
import { NO_NAME, type NumberedNames, SaidNames } from './numbered-names.js';
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
  /** Items were let go whose categories have to be said yet. */
  readonly leaving: Value<boolean>;
}

export interface CountOptions extends ScoreWeights {
  /** Whether steps are counted too, for the last hour. */
  readonly withSteps: boolean;
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

export class TrendCounts {
  readonly categories: NumberedNames;
  private readonly hours: CountedPanes;
  /** The steps of two hours, so that the last hour has one before it. */
  private readonly recent: CountedPanes;
  /** Counts how often items were numbered anew: what others keep by number is void then. */
  numbering = 0;

  constructor(
    private readonly state: CountState,
    private readonly options: CountOptions,
  ) {
    this.categories = categoriesIn(state.names);
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
      // The hour that runs is that of the log's clock: an event from ahead waits in its own.
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
    // Behind the frame: items may be numbered anew.
    for (const pane of new Set(hours)) this.makeRoom(this.hours, pane);
    for (const step of new Set(steps)) this.makeRoom(this.recent, step);
  }

  /** Somebody has seen an event of this time: steps that no last hour has any more are forgotten. */
  knowOf(latestMs: number): void {
    const { asOf, recentPanes } = this.state;
    if (!(latestMs > asOf.get())) return;
    const before = stepOf(asOf.get());
    asOf.set(latestMs);
    const step = stepOf(latestMs);
    if (step === before) return;
    // All lists of the last hour are said anew with a new step: nothing has to be marked for that.
    this.recent.drop(recentPanes.numbers().filter((pane) => pane < recentFrom(step)));
  }

  /** Decayed sums by another half-life, or the first: from the panes that there are, each as if all of it had happened in its middle. */
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

  /** Forgets panes whose windows are closed. */
  closeUpTo(closedUpToMs: number): void {
    const { panes, closedUpTo } = this.state;
    if (!(closedUpToMs > closedUpTo.get())) return;
    closedUpTo.set(closedUpToMs);
    const over = panes.numbers().filter((pane) => isPaneOver(pane, closedUpToMs, this.options.delayMs));
    if (over.length > 0) this.letGo(this.hours.drop(over));
  }

  /** The numbers of the items of rows, with what their events say of them. */
  private know(frame: FrameOf<typeof engagements>, rows: Uint32Array): Uint32Array {
    const { time, type, category } = frame.columns;
    const { halfLifeMs, kinds, viewWeight, clickWeight } = this.options;
    const table = this.state.items.table(ITEMS);
    const numbers = table.upsert(frame.columns, rows);
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

  private makeRoom(panes: CountedPanes, pane: number): void {
    const items = panes.makeRoom(pane, this.options.itemsMax, this.options);
    if (items !== undefined) this.letGo([items]);
  }

  /** Of items that were let go the categories stay, until it was said what is left of their lists. */
  private letGo(itemsOfPanes: readonly Uint32Array[]): void {
    const { category } = this.state.items.table(ITEMS).values;
    for (const items of itemsOfPanes) for (const item of items) this.touch(category[item]!);
    this.state.leaving.set(true);
    if (!numberAnew(this.state)) return;
    this.numbering++;
    this.hours.forgetSums();
    this.recent.forgetSums();
  }

  /** When all lists that had changed are said. */
  saidAll(): void {
    if (!this.state.leaving.get()) return;
    this.state.leaving.set(false);
    releaseCategories(this.state, this.categories);
  }
}

const NO_STEPS = new Float64Array(0);

/** The step that each row is in, by where it begins; NO_PANE where that is before `fromMs`. */
function stepsOf(time: Float64Array, rows: Uint32Array, fromMs: number): Float64Array {
  const steps = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const at = time[rows[i]!]!;
    steps[i] = at < fromMs ? NO_PANE : paneOf(at, STEP_MS);
  }
  return steps;
}
