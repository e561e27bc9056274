/**
 * Pull metrics: values are counted elsewhere and collected when the metrics are read. A value that is no longer collected is no longer shown. Reading
 * some thousand values takes a few milliseconds and blocks the thread.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Distribution } from './distribution.js';

export type Labels = Readonly<Record<string, string | number>>;

export interface PulledValue {
  readonly labels: Labels;
  /** Absent: not shown. */
  readonly value: number | undefined;
}

export interface PulledDistribution {
  readonly labels: Labels;
  readonly distribution: Distribution;
}

export interface Description {
  readonly name: string;
  readonly help: string;
  /** Absent: a single value without labels. */
  readonly labelNames?: readonly string[];
}

type Values = () => readonly PulledValue[] | Promise<readonly PulledValue[]>;

const collector = (values: Values) =>
  async function collect(this: Pick<Counter | Gauge, 'reset' | 'inc'>): Promise<void> {
    const all = await values();
    this.reset();
    // For gauges too: after a reset `inc` sets the value, and `set` would sort the labels each time.
    for (const { labels, value } of all) if (value !== undefined) this.inc(labels, value);
  };

export function registerCounter(registry: Registry, about: Description, values: Values): void {
  new Counter({ ...about, registers: [registry], collect: collector(values) });
}

export function registerGauge(registry: Registry, about: Description, values: Values): void {
  new Gauge({ ...about, registers: [registry], collect: collector(values) });
}

export function registerHistogram(
  registry: Registry,
  about: Description,
  bounds: readonly number[],
  distributions: () => readonly PulledDistribution[],
): void {
  new CountedHistogram(registry, about, bounds, distributions);
}

type HistogramValues = Awaited<ReturnType<Histogram['get']>>;

/**
 * A histogram whose buckets are counted elsewhere. prom-client's own only accepts single observations, and a registry does not use its `get`, but does
 * use that of a gauge.
 */
class CountedHistogram extends Gauge {
  private readonly empty: Histogram;

  constructor(
    registry: Registry,
    about: Description,
    private readonly bounds: readonly number[],
    private readonly distributions: () => readonly PulledDistribution[],
  ) {
    super({ ...about, registers: [registry] });
    this.empty = new Histogram({ ...about, registers: [] });
  }

  override async get(): Promise<HistogramValues> {
    const about = await this.empty.get();
    const [bucket, sum, count] = [`${about.name}_bucket`, `${about.name}_sum`, `${about.name}_count`];
    const les = [...this.bounds, '+Inf'];
    const values: HistogramValues['values'] = [];
    for (const { labels, distribution } of this.distributions()) {
      let upTo = 0;
      for (const [i, le] of les.entries()) {
        values.push({ metricName: bucket, labels: { le, ...labels }, value: (upTo += distribution.counts[i]!) });
      }
      values.push({ metricName: sum, labels, value: distribution.sum }, { metricName: count, labels, value: upTo });
    }
    return { ...about, values };
  }
}
