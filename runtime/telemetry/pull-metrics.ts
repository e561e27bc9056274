/**
 * Pull metrics: their values are counted elsewhere, and collected when somebody reads the metrics. What is not collected any more is not shown any
 * more. Some thousand values are read in a few milliseconds, in which the thread does nothing else.
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
  /** None: it has one value. */
  readonly labelNames?: readonly string[];
}

type Values = () => readonly PulledValue[] | Promise<readonly PulledValue[]>;

const collector = (values: Values) =>
  async function collect(this: Pick<Counter | Gauge, 'reset' | 'inc'>): Promise<void> {
    const all = await values();
    this.reset();
    // Of a gauge too: what was reset and is increased is set, and `set` sorts the labels each time.
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
 * A histogram whose buckets are counted elsewhere. prom-client's own only takes single observations, and a registry reads one past its `get`; it reads
 * a gauge by that.
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
