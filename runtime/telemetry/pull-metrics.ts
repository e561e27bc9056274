/**
 * Metrics that are told when somebody reads them, out of what is counted elsewhere: nothing is kept per set of labels, nothing looked up, and what is not
 * told any more is not shown any more. Some thousand values are read in a few milliseconds, in which the thread does nothing else.
 */
import type { Metric, Registry } from 'prom-client';
import type { Distribution } from './distribution.js';

export type Labels = Readonly<Record<string, string | number>>;

export interface ToldValue {
  readonly labels: Labels;
  readonly value: number;
}

export interface ToldDistribution {
  readonly labels: Labels;
  readonly distribution: Distribution;
}

export interface Description {
  readonly name: string;
  readonly help: string;
}

/** What a registry asks of a metric, and no more. */
function register(
  registry: Registry,
  { name, help }: Description,
  type: 'counter' | 'gauge' | 'histogram',
  values: () => readonly (ToldValue & { readonly metricName?: string })[],
): void {
  const get = async () => ({ name, help, type, aggregator: 'sum', values: values() });
  registry.registerMetric({ name, help, type, aggregator: 'sum', get } as unknown as Metric);
}

export function registerCounter(registry: Registry, about: Description, told: () => readonly ToldValue[]): void {
  register(registry, about, 'counter', told);
}

export function registerGauge(registry: Registry, about: Description, told: () => readonly ToldValue[]): void {
  register(registry, about, 'gauge', told);
}

export function registerHistogram(
  registry: Registry,
  about: Description,
  bounds: readonly number[],
  told: () => readonly ToldDistribution[],
): void {
  const names = ['bucket', 'sum', 'count'].map((part) => `${about.name}_${part}`);
  const [bucket, sum, count] = names as [string, string, string];
  const les = [...bounds, '+Inf'];
  register(registry, about, 'histogram', () =>
    told().flatMap(({ labels, distribution }) => {
      let upTo = 0;
      return [
        ...les.map((le, i) => ({
          metricName: bucket,
          labels: { le, ...labels },
          value: (upTo += distribution.counts[i]!),
        })),
        { metricName: sum, labels, value: distribution.sum },
        { metricName: count, labels, value: upTo },
      ];
    }),
  );
}
