/**
 * The items of the demo, and their popularity.
 *
 *   w(i) → 1 / rank(i)^ZIPF        weight of item i; it moves a tenth of the way to this every DRIFT_EVERY_MS
 *
 * Ranks change: now and then a rarely bought item becomes a hit, and all items below it lose one rank. So hits rise and fade over minutes.
 */

import type { Random } from '../../../actors/maths/random.js';

export const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

export interface DemoItem {
  readonly id: string;
  /** Main categories, or genres: at least one. */
  readonly groups: readonly string[];
}

const ZIPF = 0.9;
const DRIFT_EVERY_MS = 5_000;
const DRIFT_PART = 0.1;
const NEW_HIT = 0.25;
/** The best rank of a new hit is drawn from this many. */
const HIT_RANKS = 15;
const EVERYTHING = '';

export class DemoCatalogue<I extends DemoItem> {
  /** Item numbers, most popular first: the targets of the weights. */
  private readonly ranking: number[];
  private readonly weights: Float64Array;
  /** By group, and for all items: the items, and the cumulative sums of their weights. */
  private readonly shelves: readonly {
    readonly group: string;
    readonly items: readonly number[];
    readonly sums: Float64Array;
  }[];
  private driftedMs: number | undefined;

  constructor(
    private readonly random: Random,
    readonly items: readonly I[],
    groups: readonly string[],
  ) {
    this.ranking = this.items.map((_, i) => i);
    this.weights = Float64Array.from(this.items, (_, i) => weightOf(i));
    this.shelves = [EVERYTHING, ...groups].map((group) => {
      const items = this.ranking.filter((i) => group === EVERYTHING || this.items[i]!.groups.includes(group));
      return { group, items, sums: new Float64Array(items.length) };
    });
    this.sum();
  }

  /** A random item, popular ones more often; of a group when it is given and has items. */
  draw(group: string = EVERYTHING): I {
    const shelf = this.shelves.find((one) => one.group === group && one.items.length > 0) ?? this.shelves[0]!;
    const { items, sums } = shelf;
    const wanted = this.random() * sums[sums.length - 1]!;
    let [low, high] = [0, items.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return this.items[items[low]!]!;
  }

  /** Moves the weights up to a time. */
  drift(timeMs: number): void {
    this.driftedMs ??= timeMs;
    if (timeMs - this.driftedMs < DRIFT_EVERY_MS) return;
    for (; timeMs - this.driftedMs >= DRIFT_EVERY_MS; this.driftedMs += DRIFT_EVERY_MS) this.step();
    this.sum();
  }

  private step(): void {
    if (this.random() < NEW_HIT) {
      const from = Math.floor(this.random() * this.ranking.length);
      const to = Math.floor(this.random() * Math.min(HIT_RANKS, this.ranking.length));
      this.ranking.splice(to, 0, ...this.ranking.splice(from, 1));
    }
    this.ranking.forEach((item, rank) => {
      this.weights[item]! += (weightOf(rank) - this.weights[item]!) * DRIFT_PART;
    });
  }

  private sum(): void {
    for (const { items, sums } of this.shelves) {
      let sum = 0;
      items.forEach((item, i) => (sums[i] = sum += this.weights[item]!));
    }
  }
}

const weightOf = (rank: number): number => 1 / (rank + 1) ** ZIPF;
