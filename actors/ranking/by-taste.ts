/**
 * by-taste: the lists of `als` and `als-trending`, of items that the user has done nothing with.
 *
 *   als            s(i) = taste(i), from all that the user did, as far as it is remembered (factors.ts)
 *   als-trending   s(i) = α · n(taste(i)) + (1 − α) · n(trend(i))       i  in the first LIST_MAX of als or in the trending list
 *
 *   trend(i)  its value in the trending list, 0 outside         n(v) = (v − min) / (max − min) over these items; 0 where all are alike
 */
import { LIST_MAX } from '../model.js';
import type { Knowledge } from './sources.js';

export interface TastedItem {
  /** Its number. */
  readonly item: number;
  readonly score: number;
  /** How much of the score is of taste, 0 to 1. */
  readonly ofTaste: number;
}

/** What trends, and how much; and how much taste counts beside it (α). */
export interface Trend {
  readonly values: ReadonlyMap<number, number>;
  readonly alpha: number;
}

/** Best first. `history`: all items of the user. Without a trend: `als`. */
export function tasted(
  { factors }: Knowledge,
  history: readonly number[],
  n: number,
  fits: (item: number) => boolean,
  trend?: Trend,
): readonly TastedItem[] {
  const taste = factors.taste(history, () => 1);
  const score = (item: number): number => taste?.score(item) ?? 0;
  if (trend === undefined) {
    return (taste?.best(n, fits) ?? []).map((item) => ({ item, score: score(item), ofTaste: 1 }));
  }
  const { values, alpha } = trend;
  const own = new Set(history);
  const trending = [...values.keys()].filter((item) => fits(item) && !own.has(item));
  const items = [...new Set([...(taste?.best(LIST_MAX, fits) ?? []), ...trending])];
  const tastes = normalised(items.map(score));
  const trends = normalised(items.map((item) => values.get(item) ?? 0));
  return items
    .map((item, i): TastedItem => {
      const [byTaste, byTrend] = [alpha * tastes[i]!, (1 - alpha) * trends[i]!];
      const both = byTaste + byTrend;
      return { item, score: both, ofTaste: both === 0 ? 0 : byTaste / both };
    })
    .sort((a, b) => b.score - a.score || a.item - b.item)
    .slice(0, n);
}

/** Min-max, to [0, 1]. */
function normalised(values: readonly number[]): readonly number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return values.map((value) => (most > least ? (value - least) / (most - least) : 0));
}
