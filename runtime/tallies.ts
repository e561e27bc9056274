/**
 * What becomes of calls or requests, tallied by what they are of: how many have begun and ended, how, and how long they took. Counted in plain numbers, and
 * told when somebody reads the metrics: a call must not pay for labels.
 */
import type { Registry } from 'prom-client';
import { type Distribution, newDistribution, observe } from './telemetry/distribution.js';
import {
  type Description,
  type Labels,
  registerCounter,
  registerGauge,
  registerHistogram,
} from './telemetry/pull-metrics.js';

export interface Tally {
  readonly labels: Labels;
  began: number;
  ended: number;
  /** By status. */
  readonly outcomes: Map<string | number, number>;
  readonly seconds: Distribution;
}

export interface TallyFamilies {
  readonly inFlight: Description;
  /** `label`: of the status. */
  readonly ended: Description & { readonly label: string };
  readonly seconds: Description;
  /** Upper bounds of the histogram's buckets, seconds. */
  readonly bounds: readonly number[];
}

export class Tallies {
  private readonly byKey = new Map<string, Tally>();

  constructor(
    private readonly registry: Registry,
    private readonly families: TallyFamilies,
  ) {
    const { inFlight, ended, seconds, bounds } = families;
    registerCounter(registry, ended, () =>
      this.all.flatMap(({ labels, outcomes }) =>
        [...outcomes].map(([outcome, value]) => ({ labels: { ...labels, [ended.label]: outcome }, value })),
      ),
    );
    registerGauge(registry, inFlight, () =>
      this.all.map(({ labels, began, ended: over }) => ({ labels, value: began - over })),
    );
    registerHistogram(registry, seconds, bounds, () =>
      this.all.map(({ labels, seconds: distribution }) => ({ labels, distribution })),
    );
  }

  /** A counter of those that have begun. */
  countBegun(about: Description): void {
    registerCounter(this.registry, about, () => this.all.map(({ labels, began }) => ({ labels, value: began })));
  }

  get size(): number {
    return this.byKey.size;
  }

  /** All that have ended since the start. */
  get total(): number {
    let total = 0;
    for (const { ended } of this.byKey.values()) total += ended;
    return total;
  }

  known(key: string): Tally | undefined {
    return this.byKey.get(key);
  }

  add(key: string, labels: Labels): Tally {
    const seconds = newDistribution(this.families.bounds);
    const tally: Tally = { labels, began: 0, ended: 0, outcomes: new Map(), seconds };
    this.byKey.set(key, tally);
    return tally;
  }

  end(tally: Tally, outcome: string | number, ms: number): void {
    tally.ended++;
    tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
    observe(tally.seconds, this.families.bounds, ms / 1000);
  }

  private get all(): readonly Tally[] {
    return [...this.byKey.values()];
  }
}
