/** Trending live, in memory: instances by item, and the view that reads them. */
import { trending, type TrendingOptions } from '../../actors/trending.js';
import { trendingLists, trendingReader } from '../../actors/trending-lists.js';
import { partitionOf } from '../../runtime/contract/stage.js';
import { StageDriver } from './stage-driver.js';
import { type Engagement, rowOf } from './trending-oracle.js';

const DELAY_MS = 600_000;

export class LiveTrending {
  readonly view = new StageDriver(trendingLists());
  private instances: StageDriver[];
  private asOfMs = -Infinity;

  constructor(
    private readonly partitions: number,
    options: TrendingOptions = {},
  ) {
    this.instances = Array.from({ length: partitions }, (_, p) => new StageDriver(stageOf(options), p));
  }

  /** All at once, then the end of an epoch, which tells every instance of the latest event. */
  happened(...events: readonly Engagement[]): void {
    this.asOfMs = Math.max(this.asOfMs, ...events.map(({ time }) => time));
    this.instances.forEach((instance, p) => {
      const own = events.filter(({ item }) => partitionOf(item, this.partitions) === p);
      if (own.length > 0) instance.feed('events', own.map(rowOf));
      instance.endEpoch(this.asOfMs - DELAY_MS, this.asOfMs);
    });
  }

  /** Of all instances, or of some. */
  tick(timeMs: number, ...of: readonly number[]): void {
    this.instances.forEach((instance, p) => {
      if (of.length > 0 && !of.includes(p)) return;
      for (const { frame, progress } of instance.instance.tick(timeMs)) {
        if (frame.rows > 0) this.view.feed('tops', frame);
        if (progress?.tickMs !== undefined) this.view.tick(progress.tickMs);
      }
    });
  }

  /** Every instance from its snapshot, with other options. */
  restart(options: TrendingOptions): void {
    this.instances = this.instances.map((instance) => instance.with(stageOf(options)));
  }

  list(...[window, ranking, category]: Parameters<ReturnType<typeof trendingReader>>) {
    return trendingReader(this.view.instance.states())(window, ranking, category);
  }

  /** As `a=3`, best first; values rounded. */
  values(...of: Parameters<ReturnType<typeof trendingReader>>): string[] {
    return this.list(...of).list.map(({ item, value }) => `${item}=${Math.round(value * 1e6) / 1e6}`);
  }
}

const stageOf = (options: TrendingOptions) => trending({ published: 'live', delayMs: DELAY_MS, ...options });
