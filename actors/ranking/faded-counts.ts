/**
 * FadedCounts: the decayed counts of items as of a moment, computed once for as long as neither the moment nor the item's events change. When items get other
 * numbers, which is when they get another table, everything is forgotten.
 *
 *   logs(x)     log(1 + 2^(lately(x, h) − T / h)) of each half-life h, then log(1 + count)
 *   hours(x)    2^(lately(x, 6 h) − T / 6 h)
 */
import { logOfCount } from '../maths/rank/log-decay.js';
import { type HalfLife, HALF_LIVES_MS, type ItemSignals } from './item-signals.js';

const HALF_LIVES = Object.entries(HALF_LIVES_MS) as [HalfLife, number][];
/** Of half-lives, then of all events. */
export const LOGS = HALF_LIVES.length + 1;
/** A count that has faded to nothing is still above 0, so that old items have an order. */
const FADED_MIN = -50;

export class FadedCounts {
  private table: ItemSignals['rows'] | undefined;
  private moments = new Float64Array(0);
  private counts = new Float64Array(0);
  private hoursOf = new Float64Array(0);
  logs = new Float64Array(0);

  constructor(private readonly signals: ItemSignals) {}

  hours(item: number, atMs: number): number {
    this.update(item, atMs);
    return this.hoursOf[item]!;
  }

  /** Where its logarithms stand in `logs`. */
  logsAt(item: number, atMs: number): number {
    this.update(item, atMs);
    return item * LOGS;
  }

  private update(item: number, atMs: number): void {
    const { rows } = this.signals;
    if (this.table !== rows) this.grow(0);
    this.table = rows;
    const { values } = rows;
    const count = values.count[item]!;
    if (this.moments[item] === atMs && this.counts[item] === count) return;
    if (item >= this.moments.length) this.grow(values.count.length);
    for (let k = 0; k < HALF_LIVES.length; k++) {
      const [name, halfLifeMs] = HALF_LIVES[k]!;
      this.logs[item * LOGS + k] = logOfCount(values[name][item]!, atMs, halfLifeMs);
    }
    this.logs[item * LOGS + LOGS - 1] = Math.log1p(count);
    this.hoursOf[item] = 2 ** Math.max(FADED_MIN, values.hours[item]! - atMs / HALF_LIVES_MS.hours);
    this.moments[item] = atMs;
    this.counts[item] = count;
  }

  private grow(items: number): void {
    this.moments = new Float64Array(items).fill(NaN);
    this.counts = new Float64Array(items);
    this.hoursOf = new Float64Array(items);
    this.logs = new Float64Array(items * LOGS);
  }
}
