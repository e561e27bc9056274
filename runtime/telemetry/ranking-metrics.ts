/** ranking-metrics: how good lists are, judged by what users of a sample did next. None while the view is being restored. */
import type { Registry } from 'prom-client';
import { reactionOf } from '../contract/errors.js';
import { registerCounter, registerGauge } from './pull-metrics.js';

interface Arm {
  readonly arm: string;
  readonly shown: number;
  readonly followed: number;
}

interface Ranking {
  report(): {
    readonly judged: number;
    readonly hitRates: readonly { readonly model: string; readonly hitRate: number }[];
    readonly factors: { readonly trainedMs: number } | undefined;
    readonly experiment: { readonly name: string; readonly arms: readonly Arm[] } | undefined;
  };
}

export function registerRankingMetrics(registry: Registry, ranking: Ranking): void {
  const report = (): ReturnType<Ranking['report']> | undefined => {
    try {
      return ranking.report();
    } catch (error) {
      if (reactionOf(error) === 'transient') return undefined;
      throw error;
    }
  };
  const judged = 'Events whose item was looked for in the lists of just before';
  registerCounter(registry, { name: 'rivulet_ranking_judged_total', help: judged }, () => [
    { labels: {}, value: report()?.judged },
  ]);
  const rate = 'How often it was among the first ten of a source of candidates, or of hybrid, lately';
  registerGauge(registry, { name: 'rivulet_ranking_hit_rate', help: rate, labelNames: ['model'] }, () =>
    (report()?.hitRates ?? []).map(({ model, hitRate }) => ({ labels: { model }, value: hitRate })),
  );
  const ofArms = (valueOf: (arm: Arm) => number) => () => {
    const { name, arms } = report()?.experiment ?? { name: '', arms: [] };
    return arms.map((one) => ({ labels: { arm: `${name}/${one.arm}` }, value: valueOf(one) }));
  };
  const shown = 'Items shown to users of the sample, as clients report, by arm of an experiment, name/arm';
  registerGauge(
    registry,
    { name: 'rivulet_experiment_impressions', help: shown, labelNames: ['arm'] },
    ofArms((of) => of.shown),
  );
  const followed = 'Of these, how many the user did something with within half an hour';
  registerGauge(
    registry,
    { name: 'rivulet_experiment_clicks', help: followed, labelNames: ['arm'] },
    ofArms((of) => of.followed),
  );
  const trained = 'When the factors were trained that als is ranked by, unix seconds; none before the first training';
  registerGauge(registry, { name: 'rivulet_ranking_factors_trained_timestamp_seconds', help: trained }, () => [
    { labels: {}, value: trainedSeconds(report()?.factors) },
  ]);
}

const trainedSeconds = (factors: { readonly trainedMs: number } | undefined): number | undefined =>
  factors && factors.trainedMs / 1000;
