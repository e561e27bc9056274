/**
 * sources: where candidates come from, each source at most DEPTH of them, best first.
 *
 *   popular-10m, last-hour    top(h)                                       popular        top
 *   category          Σ over the 4 main categories that weigh most in the history:        weight · lately(x)     for x in top(c)
 *   next-category     Σ over the 6 likeliest c after those of the newest item:      P(c) · lately(x) / (Σ lately + 3)      for x in top(c)
 *   brand             Σ over m < 10, c of item j:                           0.8^m · lately(x)                    for x in top(c, brand of j)
 *   co-visitation     Σ over m < 3:                                         0.7^m · together(j, x)
 *   transitions       Σ over m < 3:                                         0.6^m · next(j, x)
 *   item-knn          Σ over m < 20:                                        0.9^m · similar(j, x) / √((n(x) + 2) (n(j) + 2))
 *   recent            the history itself
 *   als               taste(x) (factors.ts), with weight 0.8^m
 *
 *   j = history[m], m = 0 the newest        lately(x) = 2^(lately(x, 6 h) − T / 6 h)      n  count      weight(c) = Σ over m < 20 with c of 0.8^m / k
 */
import type { Scoreboard } from '../maths/rank/scoreboard.js';
import type { ItemFactors, Taste } from './factors.js';
import type { FadedCounts } from './faded-counts.js';
import type { ItemSignals } from './item-signals.js';
import type { Neighbours } from './neighbours.js';

export interface Knowledge {
  readonly signals: ItemSignals;
  readonly faded: FadedCounts;
  readonly neighboursOf: (item: number) => Neighbours | undefined;
  readonly categoryNeighbours: (category: number) => Neighbours | undefined;
  readonly factors: ItemFactors;
}

/** What a user did, in items that are known, newest first; and when the question comes, epoch ms. */
export interface Situation {
  readonly history: readonly number[];
  readonly atMs: number;
}

/** With what is found out once for all sources. */
export interface Judged extends Situation {
  readonly taste: Taste | undefined;
}

type Source = (known: Knowledge, situation: Judged, board: Scoreboard) => readonly number[];

export const DEPTH = 50;

const top =
  (by: 'minutes' | 'hour' | 'count'): Source =>
  ({ signals }) =>
    signals.top(by).slice(0, DEPTH);

/** The first n keys by value desc, then by key asc. */
const largest = (values: ReadonlyMap<number, number>, n: number): (readonly [number, number])[] =>
  [...values].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, n);

function addTo(sums: Map<number, number>, key: number, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}

const category: Source = ({ signals, faded }, { history, atMs }, board) => {
  const weights = new Map<number, number>();
  for (let m = 0, weight = 1; m < 20 && m < history.length; m++, weight *= 0.8) {
    const own = signals.categoriesOf(history[m]!);
    for (const one of own) addTo(weights, one, weight / own.length);
  }
  for (const [one, weight] of largest(weights, 4)) {
    for (const item of signals.group(one)) board.add(item, weight * faded.hours(item, atMs));
  }
  return board.take(DEPTH);
};

const nextCategory: Source = ({ signals, faded, categoryNeighbours }, { history, atMs }, board) => {
  if (history.length === 0) return [];
  const counts = new Map<number, number>();
  let total = 0;
  for (const one of signals.categoriesOf(history[0]!)) {
    const next = categoryNeighbours(one)?.next;
    for (let i = 0; next !== undefined && i < next.size; i++) {
      addTo(counts, next.others[i]!, next.weights[i]!);
      total += next.weights[i]!;
    }
  }
  for (const [one, count] of largest(counts, 6)) {
    const scores = signals.group(one).map((item) => [item, faded.hours(item, atMs)] as const);
    const sum = scores.reduce((before, [, score]) => before + score, 0);
    for (const [item, score] of scores) board.add(item, ((count / total) * score) / (sum + 3));
  }
  return board.take(DEPTH);
};

const brand: Source = ({ signals, faded }, { history, atMs }, board) => {
  for (let m = 0, weight = 1; m < 10 && m < history.length; m++, weight *= 0.8) {
    const of = signals.rows.values.brand[history[m]!]!;
    if (of === 0) continue;
    for (const one of signals.categoriesOf(history[m]!)) {
      for (const item of signals.group(one, of)) board.add(item, weight * faded.hours(item, atMs));
    }
  }
  return board.take(DEPTH);
};

const neighbours =
  (list: 'together' | 'next', fade: number): Source =>
  ({ neighboursOf }, { history }, board) => {
    for (let m = 0, weight = 1; m < 3 && m < history.length; m++, weight *= fade) {
      const found = neighboursOf(history[m]!)?.[list];
      for (let i = 0; found !== undefined && i < found.size; i++) {
        board.add(found.others[i]!, weight * found.weights[i]!);
      }
    }
    return board.take(DEPTH);
  };

const similar: Source = ({ signals, neighboursOf }, { history }, board) => {
  const { count } = signals.rows.values;
  for (let m = 0, weight = 1; m < 20 && m < history.length; m++, weight *= 0.9) {
    const found = neighboursOf(history[m]!)?.similar;
    if (found === undefined) continue;
    const own = weight / Math.sqrt(count[history[m]!]! + 2);
    for (let i = 0; i < found.size; i++) {
      const other = found.others[i]!;
      board.add(other, (own * found.weights[i]!) / Math.sqrt(count[other]! + 2));
    }
  }
  return board.take(DEPTH);
};

/** In the order of their features. */
export const SOURCES = {
  'popular-10m': top('minutes'),
  'last-hour': top('hour'),
  popular: top('count'),
  category,
  'next-category': nextCategory,
  brand,
  'co-visitation': neighbours('together', 0.7),
  transitions: neighbours('next', 0.6),
  'item-knn': similar,
  recent: (_, { history }) => history.slice(0, DEPTH),
  als: (_, { taste }) => taste?.best(DEPTH) ?? [],
} satisfies Record<string, Source>;

export type SourceName = keyof typeof SOURCES;
export const SOURCE_NAMES = Object.keys(SOURCES) as readonly SourceName[];
