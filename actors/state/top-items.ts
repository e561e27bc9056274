/**
 * TopItems: the lists that follow from the counts of a trending instance, complete, best first.
 *
 *   newest()      of the newest windows: all lists when an hour has begun, else those of the marked categories, which it unmarks; and all of
 *                 the last hour and all by velocity when a step has begun, since they change with time
 *
 * A list without items has one row with an absent item.
 */
import { ABSENT, type FrameOf, type Value } from '../../runtime/contract/stage.js';
import { FrameChunks } from '../maths/frame-chunks.js';
import { NumberedOrder } from '../maths/item-order.js';
import { NO_NAME } from './numbered-names.js';
import { topRows } from '../maths/top-rows.js';
import { heatAt, scoreOf, type ScoreWeights, SIZE_MS, startOf, stepOf, velocity } from '../maths/trending.js';
import { itemOf, ITEMS } from './trending-items.js';
import type { WindowSums } from '../maths/window-sums.js';
import {
  TRENDING_RANKINGS,
  type TrendingRanking,
  TRENDING_WINDOWS,
  type TrendingWindow,
  trendingTops,
} from '../model.js';
import type { CountState, TrendCounts } from './trend-counts.js';

export interface TopItemsOptions extends ScoreWeights {
  readonly origin: number;
  readonly listSize: number;
  readonly halfLifeMs: number | undefined;
  readonly rankings: readonly TrendingRanking[];
}

export interface TopState extends CountState {
  /** The step as of which lists were last published; -Infinity: all must be published again. */
  readonly newest: Value<number>;
}

type Tops = FrameOf<typeof trendingTops>;
type Chunks = FrameChunks<(typeof trendingTops)['columns']>;

/** A window, and the previous one. */
interface WindowScores {
  readonly window: TrendingWindow;
  readonly startMs: number;
  readonly sums: WindowSums;
  /** Absent without a ranking by velocity. */
  readonly before: WindowSums | undefined;
}

export class TopItems {
  private readonly sums: Readonly<Record<TrendingWindow, WindowSums>>;
  private readonly before: Readonly<Record<TrendingWindow, WindowSums>>;
  private readonly order = new NumberedOrder((item) => itemOf(this.state.items, item));
  private numbering = 0;
  /** A reused buffer for scores. */
  private scores = new Float64Array(0);

  constructor(
    private readonly state: TopState,
    private readonly counts: TrendCounts,
    private readonly options: TopItemsOptions,
  ) {
    const sums = (): Record<TrendingWindow, WindowSums> => ({
      hour: counts.sumsOf('hour'),
      day: counts.sumsOf('day'),
      'last-hour': counts.sumsOf('last-hour'),
    });
    this.sums = sums();
    this.before = sums();
  }

  newest(): Tops[] {
    const { asOf, newest } = this.state;
    const { names } = this.counts.categories;
    if (asOf.get() === -Infinity) return [];
    const [step, said] = [stepOf(asOf.get()), newest.get()];
    if (step > said) newest.set(step);
    if (!(startOf('hour', step) <= startOf('hour', said))) names.markAll();
    const marked = names.marked();
    const every = step > said ? names.all() : marked;
    const requests = TRENDING_WINDOWS.flatMap((window) =>
      this.options.rankings.map((ranking) => {
        const changesWithTime = ranking === 'velocity' || window === 'last-hour';
        return { window, ranking, lists: changesWithTime ? every : marked };
      }),
    ).filter(({ lists }) => lists.length > 0);
    if (requests.length === 0) return [];
    const chunks = this.chunks(Math.max(...requests.map(({ lists }) => lists.length)) * this.options.rankings.length);
    for (const { window, ranking, lists } of requests) {
      this.appendLists(chunks, this.windowScores(window, startOf(window, step), true), ranking, lists);
    }
    for (const number of marked) names.mark(number, false);
    const frames = chunks.finish();
    this.counts.saidAll();
    return frames;
  }

  private chunks(lists: number): Chunks {
    return new FrameChunks(trendingTops, lists * this.options.listSize);
  }

  private windowScores(window: TrendingWindow, startMs: number, withBefore: boolean): WindowScores {
    const [sums, before] = [this.sums[window], withBefore ? this.before[window] : undefined];
    sums.moveTo(startMs, this.counts.items);
    before?.moveTo(startMs - SIZE_MS[window], this.counts.items);
    return { window, startMs, sums, before };
  }

  private appendLists(chunks: Chunks, look: WindowScores, ranking: TrendingRanking, lists: readonly number[]): void {
    if (lists.length === 0) return;
    const { items, categories } = this.counts;
    const { listSize } = this.options;
    if (this.numbering !== this.counts.numbering) this.order.forget();
    this.numbering = this.counts.numbering;
    const scores = this.scoresOf(look, ranking);
    const isAsked = new Uint8Array(categories.names.rows.rows);
    for (const list of lists) isAsked[list] = 1;
    const category = this.state.items.table(ITEMS).values.category.subarray(0, items);
    const groups = { of: category, listsOf: (number: number) => categories.namesOf(number) };
    const best = topRows(scores, groups, isAsked, listSize, (a, b) => this.order.isBefore(a, b));
    for (const list of lists) {
      this.append(chunks, look, ranking, list, best.subarray(list * listSize, (list + 1) * listSize), scores);
    }
  }

  /** By number of the item; NaN without events in the window, or without events that count. */
  private scoresOf({ sums, before, startMs, window }: WindowScores, ranking: TrendingRanking): Float64Array {
    const { halfLifeMs } = this.options;
    const stepMs = stepOf(this.state.asOf.get());
    const { views, clicks } = sums;
    const { heat } = this.state.items.table(ITEMS).values;
    const { items } = this.counts;
    if (this.scores.length < items) this.scores = new Float64Array(items * 2);
    const scores = this.scores.subarray(0, items);
    for (let item = 0; item < items; item++) {
      const [viewed, clicked] = [views[item]!, clicks[item]!];
      if (viewed + clicked === 0) scores[item] = NaN;
      else if (ranking === 'decayed') scores[item] = heatAt(heat[item]!, startMs + SIZE_MS[window], halfLifeMs!);
      else {
        const score = scoreOf(viewed, clicked, this.options);
        if (ranking === 'score') scores[item] = score > 0 ? score : NaN;
        else scores[item] = velocity(score, this.scoreIn(before!, item), startMs, SIZE_MS[window], stepMs);
      }
    }
    return scores;
  }

  private scoreIn({ views, clicks }: WindowSums, item: number): number {
    return scoreOf(views[item]!, clicks[item]!, this.options);
  }

  /** `best`: numbers of items + 1, 0 beyond the end. */
  private append(
    chunks: Chunks,
    { window, startMs, sums, before }: WindowScores,
    ranking: TrendingRanking,
    list: number,
    best: Uint32Array,
    scores: Float64Array,
  ): void {
    const end = best.indexOf(0);
    const length = Math.max(1, end < 0 ? best.length : end);
    const stepMs = stepOf(this.state.asOf.get());
    const table = this.state.items.table(ITEMS);
    const { categories } = this.counts;
    const [itemWords, categoryWords] = [table.dictionary('item'), categories.names.rows.dictionary('name')];
    chunks.group();
    const { frame } = chunks;
    frame.reserve(length);
    const { columns } = frame;
    const code = columns.category.dictionary.addFrom(categoryWords, list);
    for (let i = 0; i < length; i++, frame.rows++) {
      const row = frame.rows;
      const item = best[i]! - 1;
      columns.window[row] = TRENDING_WINDOWS.indexOf(window);
      columns.ranking[row] = TRENDING_RANKINGS.indexOf(ranking);
      columns.start[row] = startMs;
      columns.asOf[row] = stepMs;
      columns.category.codes[row] = code;
      columns.origin[row] = this.options.origin;
      columns.item.codes[row] = item < 0 ? ABSENT : columns.item.dictionary.addFrom(itemWords, item + 1);
      const own = list === NO_NAME && item >= 0 ? categories.first(table.values.category[item]!) : list;
      columns.itemCategory.codes[row] = item < 0 ? ABSENT : columns.itemCategory.dictionary.addFrom(categoryWords, own);
      columns.views[row] = item < 0 ? 0 : sums.views[item]!;
      columns.clicks[row] = item < 0 ? 0 : sums.clicks[item]!;
      columns.value[row] = item < 0 ? NaN : scores[item]!;
      columns.score[row] = item < 0 ? NaN : this.scoreIn(sums, item);
      columns.before[row] = item < 0 || before === undefined ? 0 : this.scoreIn(before, item);
    }
  }
}
