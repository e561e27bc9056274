/**
 * ranker: candidates of all sources, each with its features, and the context in which weights are learnt (maths/rank/listwise-logit).
 *
 *   of each source        21 / (21 + rank), rank from 0; 0 for what it does not give
 *   of each half-life     log(1 + count faded by it), and log(1 + count): less the greatest among the candidates
 *   seen                  1 for an item of the history
 *   category              1 if it shares a main category with the newest item; with one of the newest three; the share of its categories in the history
 *   brand, price          1 if it has the newest item's brand; |Δ log(1 + price)| to the newest item that has one
 *   age, idle, new        log(1 + s) since its first and since its latest event; 1 if it has at most 2 events
 *   after                 log(1 + next(newest, x))
 *   als-score             taste(x) (factors.ts)
 *   position              log(1 + place) in the list in which it was shown; 0 where it is asked for
 *
 *   context   the length of the history (none, 1, 2 to 4, more), and whether more than 30 minutes passed since its newest item
 *
 * The newest item is no candidate: the user is looking at it. Half-lives count in whole seconds, so that the logarithms of an item are computed once a second
 * and event.
 */
import type { FeatureRows } from '../maths/rank/listwise-logit.js';
import { LATEST_MAX } from '../maths/rank/latest-items.js';
import { Scoreboard } from '../maths/rank/scoreboard.js';
import { LOGS } from './faded-counts.js';
import { HALF_LIVES_MS } from './item-signals.js';
import { type Judged, type Knowledge, type Situation, SOURCE_NAMES, SOURCES } from './sources.js';

const POPULARITIES = [...Object.keys(HALF_LIVES_MS), 'ever'].map((one) => `log-count-${one}`);
export const FEATURES: readonly string[] = [
  ...SOURCE_NAMES,
  ...POPULARITIES,
  'seen',
  ...['same-category', 'recent-category', 'category-share', 'same-brand', 'price-distance'],
  ...['age', 'idle', 'new', 'after', 'als-score', 'position'],
];
/** What each of them is a sign of, as explanations name it. */
export const SIGNS: readonly string[] = [
  ...SOURCE_NAMES,
  ...POPULARITIES.map(() => 'popularity'),
  'history',
  ...['category-fit', 'category-fit', 'category-fit', 'same-brand', 'price-distance'],
  ...['age', 'age', 'age', 'transitions', 'als', 'position'],
];
const WIDTH = FEATURES.length;
const [POPULARITY_AT, COUNTS] = [SOURCE_NAMES.length, LOGS];

/** Before anything is learnt, the rank in each source counts alike (Cormack, Clarke and Büttcher 2009: reciprocal rank fusion), and nothing else does. */
export const FIRST_WEIGHTS: readonly number[] = FEATURES.map((_, k) => (k < SOURCE_NAMES.length ? 0.2 : 0));

/** Lengths of histories: none, 1, 2 to 4, more; each with and without a pause. */
export const CONTEXTS = 8;
const PAUSE_MS = 30 * 60_000;

export function contextOf(length: number, sinceMs: number): number {
  const long = length < 2 ? length : length < 5 ? 2 : 3;
  return long * 2 + Number(length > 0 && sinceMs > PAUSE_MS);
}

/** Of the newest item by the one before. */
const TASTE_FADE = 0.8;

export interface Candidates {
  /** Numbers of items. */
  readonly items: readonly number[];
  /** Overwritten by the next question. */
  readonly rows: FeatureRows;
}

/** What a user chose, among which candidates, with which scores. */
export interface Choice extends Candidates {
  /** In the frame. */
  readonly row: number;
  readonly history: readonly number[];
  readonly chosen: number;
  readonly scores: Float64Array;
}

export class Ranker {
  private readonly board = new Scoreboard();
  private values = new Float64Array(0);
  /** By item: the question that it was last a candidate for, and its place among those. */
  private questions = new Float64Array(0);
  private places = new Uint32Array(0);
  private question = 0;

  constructor(private readonly known: Knowledge) {}

  /** `others`: further candidates. */
  candidates({ history, atMs }: Situation, others: readonly number[] = []): Candidates {
    const taste = this.known.factors.taste(history.slice(0, LATEST_MAX), (m) => TASTE_FADE ** m);
    const situation = { history, atMs: Math.floor(atMs / 1000) * 1000, taste };
    const lists = SOURCE_NAMES.map((name) => SOURCES[name](this.known, situation, this.board));
    const items = this.distinct([...lists, others], history[0]);
    if (this.values.length < items.length * WIDTH) this.values = new Float64Array(items.length * WIDTH * 2);
    const rows = { features: WIDTH, count: items.length, values: this.values.fill(0, 0, items.length * WIDTH) };
    lists.forEach((list, source) => {
      for (let rank = 0; rank < list.length; rank++) {
        const item = list[rank]!;
        if (item !== history[0]) rows.values[this.places[item]! * WIDTH + source] = 21 / (21 + rank);
      }
    });
    this.fill(items, rows.values, situation);
    return { items, rows };
  }

  /** The items of all lists but `without`, in order of first appearance; `places` says where each is. */
  private distinct(lists: readonly (readonly number[])[], without: number | undefined): readonly number[] {
    const { length } = this.known.signals.rows.values.count;
    if (this.questions.length < length) {
      this.questions = new Float64Array(length);
      this.places = new Uint32Array(length);
    }
    const question = ++this.question;
    const items: number[] = [];
    for (const list of lists) {
      for (const item of list) {
        if (item === without || this.questions[item] === question) continue;
        this.questions[item] = question;
        this.places[item] = items.push(item) - 1;
      }
    }
    return items;
  }

  private fill(items: readonly number[], values: Float64Array, situation: Judged): void {
    const { signals, faded, neighboursOf } = this.known;
    const { history, atMs, taste } = situation;
    const [last] = history;
    const table = signals.rows.values;
    const own = new Set(history);
    const shares = new Map<number, number>();
    let categories = 0;
    for (const item of history) {
      for (const one of signals.categoriesOf(item)) {
        shares.set(one, (shares.get(one) ?? 0) + 1);
        categories++;
      }
    }
    const ofLast = last === undefined ? [] : signals.categoriesOf(last);
    const recent = history.slice(0, 3).flatMap((item) => signals.categoriesOf(item));
    const brand = last === undefined ? 0 : table.brand[last]!;
    const priced = history.find((item) => table.price[item]! > 0);
    const price = priced === undefined ? 0 : Math.log1p(table.price[priced]!);
    const after = last === undefined ? undefined : neighboursOf(last)?.next;
    const greatest = new Float64Array(COUNTS).fill(-Infinity);

    for (let x = 0; x < items.length; x++) {
      const item = items[x]!;
      let at = x * WIDTH + POPULARITY_AT;
      const from = faded.logsAt(item, atMs);
      for (let k = 0; k < COUNTS; k++) {
        const one = faded.logs[from + k]!;
        if (one > greatest[k]!) greatest[k] = one;
        values[at++] = one;
      }
      if (own.has(item)) values[at] = 1;
      at++;
      let share = 0;
      for (const one of signals.categoriesOf(item)) {
        if (ofLast.includes(one)) values[at] = 1;
        if (recent.includes(one)) values[at + 1] = 1;
        share += shares.get(one) ?? 0;
      }
      if (categories > 0) values[at + 2] = share / categories;
      if (brand !== 0 && table.brand[item] === brand) values[at + 3] = 1;
      if (priced !== undefined && table.price[item]! > 0) {
        values[at + 4] = Math.abs(Math.log1p(table.price[item]!) - price);
      }
      at += 5;
      values[at++] = Math.log1p(Math.max(0, atMs - table.firstTime[item]!) / 1000);
      values[at++] = Math.log1p(Math.max(0, atMs - table.lastTime[item]!) / 1000);
      values[at++] = table.count[item]! <= 2 ? 1 : 0;
      if (after !== undefined) values[at] = Math.log1p(after.weightOf(item));
      at++;
      if (taste !== undefined) values[at] = taste.score(item);
    }
    for (let x = 0; x < items.length; x++) {
      const at = x * WIDTH + POPULARITY_AT;
      for (let k = 0; k < COUNTS; k++) values[at + k]! -= greatest[k]!;
    }
  }
}
