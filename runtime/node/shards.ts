/** How instances are grouped into shards, and on which thread each runs. */
import { kindOf } from '../cluster/placement.js';
import type { Topology } from '../contract/graph.js';
import type { ShardSpec } from '../shards/shard-spec.js';
import type { PartitionKey } from '../contract/stage.js';

/** The view of users' lists: it runs on the façade's thread. */
export const VIEW_STAGE = 'recommendations';
/** The view of trending lists. */
export const TRENDING_STAGE = 'trending-lists';
/** The view that ranks candidates. */
export const RANKING_STAGE = 'ranking-learner';
/** The view of the item catalogue. */
export const CATALOGUE_STAGE = 'catalogue';
/** The kinds of view shards. */
const VIEW_NAMES: Readonly<Record<string, string>> = {
  [VIEW_STAGE]: 'view',
  [TRENDING_STAGE]: 'trending',
  [RANKING_STAGE]: 'ranking',
};

/** Stages with the same key and partition share a store and a thread; each view has its own. */
export function shardsOf(topology: Topology): { readonly pipeline: ShardSpec[]; readonly view: ShardSpec[] } {
  const { stages, views, count } = topology;
  const pipeline: ShardSpec[] = [];
  for (const of of ['source', 'user', 'item', 'whole'] as const) {
    const ids = stages.filter(({ key, id }) => key === of && !views.has(id)).map(({ id }) => id);
    if (ids.length === 0) continue;
    for (let partition = 0; partition < count(ids[0]!); partition++) {
      pipeline.push({ name: `${of}-${partition}`, partition, stages: ids });
    }
  }
  const view = [...views].flatMap((id) =>
    Array.from({ length: count(id) }, (_, partition) => {
      return { name: `${VIEW_NAMES[id] ?? id}-${partition}`, partition, stages: [id], everywhere: true };
    }),
  );
  return { pipeline, view };
}

export const allShards = (topology: Topology): ShardSpec[] => {
  const { pipeline, view } = shardsOf(topology);
  return [...pipeline, ...view];
};

export type Weights = Readonly<Record<PartitionKey, number>>;

/** Rough shares of the work. Parsing files costs about as much as all stages of users … */
export const BOUNDED_WEIGHTS: Weights = { source: 4, user: 4, item: 0.1, whole: 1 };
/** … while in live operation messages dominate, and the users' stages have most of them. */
export const LIVE_WEIGHTS: Weights = { source: 1.5, user: 4, item: 1, whole: 0.1 };

/** A shard's share of the work. */
export function weightOf(shard: string, shards: readonly ShardSpec[], weights: Weights): number {
  const kind = kindOf(shard);
  return weights[kind as keyof Weights] / shards.filter(({ name }) => kindOf(name) === kind).length;
}

/** Distributes shards over threads, heaviest first, each to the least loaded thread. */
export function spread(shards: readonly ShardSpec[], threads: number, weights: Weights): ShardSpec[][] {
  const loads = Array.from({ length: threads }, () => ({ weight: 0, shards: [] as ShardSpec[] }));
  const weight = ({ name }: ShardSpec): number => weightOf(name, shards, weights);
  for (const shard of [...shards].sort((a, b) => weight(b) - weight(a))) {
    const lightest = loads.reduce((least, load) => (load.weight < least.weight ? load : least));
    lightest.shards.push(shard);
    lightest.weight += weight(shard);
  }
  return loads.map(({ shards: own }) => own).filter((own) => own.length > 0);
}
