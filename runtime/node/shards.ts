/** Which instances live together, and on which thread. */
import type { Topology } from '../contract/graph.js';
import type { ShardSpec } from '../shards/shard-spec.js';
import type { PartitionKey } from '../contract/stage.js';

/** What the façade reads of users' lists: it lives where the façade does. */
export const VIEW_STAGE = 'recommendations';
/** And of trending lists. */
export const TRENDING_STAGE = 'trending-lists';
/** And of what items are called. */
export const CATALOGUE_STAGE = 'catalogue';
/** Of the shards of views. */
const VIEW_NAMES: Readonly<Record<string, string>> = { [VIEW_STAGE]: 'view', [TRENDING_STAGE]: 'trending' };

/** Stages of one key and number share a store and a thread; each view has its own. */
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

/** Rough shares of the work. Reading files byte by byte costs about as much as all that is done per user … */
export const BOUNDED_WEIGHTS: Weights = { source: 4, user: 4, item: 1, whole: 0.1 };
/** … while live it is messages that cost, and the user's stages have most of them. */
export const LIVE_WEIGHTS: Weights = { source: 1.5, user: 4, item: 1, whole: 0.1 };

/** A shard's share of the work. */
export function weightOf(shard: string, shards: readonly ShardSpec[], weights: Weights): number {
  const kindOf = (name: string) => name.split('-')[0] as keyof Weights;
  return weights[kindOf(shard)] / shards.filter(({ name }) => kindOf(name) === kindOf(shard)).length;
}

/** Spreads shards over threads, heaviest first, each to the thread with the least so far. */
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
