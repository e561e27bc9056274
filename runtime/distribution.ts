/**
 * How values are distributed, as plain counts: what is on a hot path counts here, and a histogram is told of it when somebody reads the metrics. To
 * observe each value by its labels would cost as much as many a step. It may be posted between threads.
 */
import type { Histogram, Registry } from 'prom-client';

export interface Distribution {
  /** Values that were no larger than a bound, and larger than the one before; the last for those above all bounds. */
  readonly counts: number[];
  sum: number;
}

export const newDistribution = (bounds: readonly number[]): Distribution => ({
  counts: new Array<number>(bounds.length + 1).fill(0),
  sum: 0,
});

export function observe(distribution: Distribution, bounds: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
  distribution.counts[bucket]!++;
  distribution.sum += value;
}

export type Labels = Readonly<Record<string, string | number>>;

export interface Labelled {
  readonly labels: Labels;
  readonly distribution: Distribution;
}

/** A histogram that is told from what was counted. What a registry asks of a metric, and no more. */
class ToldHistogram {
  readonly type = 'histogram';
  readonly aggregator = 'sum';

  constructor(
    readonly name: string,
    readonly help: string,
    private readonly bounds: readonly number[],
    private readonly told: () => Iterable<Labelled>,
  ) {}

  get() {
    const { name, help, type, aggregator, bounds } = this;
    const values = [...this.told()].flatMap(({ labels, distribution: { counts, sum } }) => {
      let count = 0;
      const buckets = [...bounds, '+Inf'].map((le, i) => ({
        metricName: `${name}_bucket`,
        labels: { le, ...labels },
        value: (count += counts[i]!),
      }));
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    });
    return Promise.resolve({ name, help, type, aggregator, values });
  }
}

export function registerHistogram(
  registry: Registry,
  name: string,
  help: string,
  bounds: readonly number[],
  told: () => Iterable<Labelled>,
): void {
  registry.registerMetric(new ToldHistogram(name, help, bounds, told) as unknown as Histogram);
}
