/** Which instances live together, and on which thread. */
import type { Topology } from './graph.js';
import type { Unit } from './host.js';

/** The stage that the façade reads: it lives where the façade does. */
export const VIEW_STAGE = 'recommendations';

/** Stages of one key and number share a store and a thread; the view has its own. */
export function unitsOf(topology: Topology): { readonly pipeline: Unit[]; readonly view: Unit[] } {
  const pipeline: Unit[] = [];
  for (const key of ['source', 'user', 'item'] as const) {
    const stages = topology.stages.filter((stage) => stage.key === key && stage.id !== VIEW_STAGE).map(({ id }) => id);
    if (stages.length === 0) continue;
    for (let partition = 0; partition < topology.partitions[key]; partition++) {
      pipeline.push({ name: `${key}-${partition}`, partition, stages });
    }
  }
  const hasView = topology.stages.some(({ id }) => id === VIEW_STAGE);
  const view = hasView
    ? Array.from({ length: topology.count(VIEW_STAGE) }, (_, partition) => ({
        name: `view-${partition}`,
        partition,
        stages: [VIEW_STAGE],
        everywhere: true,
      }))
    : [];
  return { pipeline, view };
}

export const allUnits = (topology: Topology): Unit[] => {
  const { pipeline, view } = unitsOf(topology);
  return [...pipeline, ...view];
};

export type Weights = Readonly<Record<'source' | 'user' | 'item', number>>;

/** Rough shares of the work. Reading files byte by byte costs about as much as all that is done per user … */
export const BOUNDED_WEIGHTS: Weights = { source: 4, user: 4, item: 0.2 };
/** … while live it is messages that cost, and the user's stages have most of them. */
export const LIVE_WEIGHTS: Weights = { source: 1.5, user: 4, item: 0.5 };

/** A unit's share of the work. */
export function weightOf(unit: string, units: readonly Unit[], weights: Weights): number {
  const kindOf = (name: string) => name.split('-')[0] as keyof Weights;
  return weights[kindOf(unit)] / units.filter(({ name }) => kindOf(name) === kindOf(unit)).length;
}

/** Spreads units over threads, heaviest first, each to the thread with the least so far. */
export function spread(units: readonly Unit[], threads: number, weights: Weights): Unit[][] {
  const loads = Array.from({ length: threads }, () => ({ weight: 0, units: [] as Unit[] }));
  const weight = ({ name }: Unit): number => weightOf(name, units, weights);
  for (const unit of [...units].sort((a, b) => weight(b) - weight(a))) {
    const lightest = loads.reduce((least, load) => (load.weight < least.weight ? load : least));
    lightest.units.push(unit);
    lightest.weight += weight(unit);
  }
  return loads.map(({ units: own }) => own).filter((own) => own.length > 0);
}
