/**
 * plan: how the stages of a topology run. The topology says what flows between them; the plan says which neighbours are one chain.
 *
 * A stage is chained to the one before when
 *   - it has the same key, and all that it reads comes from there, partition by partition; side inputs may come from elsewhere where there are no
 *     epochs to align, or where the chain reads the same anyway;
 *   - neither is a view, which every node runs, nor divides its state over other partitions by rules of its own;
 *   - it counts nothing that another of the chain counts: a counter is one stage's;
 *   - its mailbox is not read by others: `rivulet events tail` reads the one behind the stage that takes in what publishers send.
 */
import { defineTopology, type Edge, edge, isSource, PUBLISHERS, type Topology } from '../contract/graph.js';
import { type AnyStage, RAW } from '../contract/stage.js';
import { chain, type ChainInput, nameInChain, type Port } from './chain.js';

/** The stages that run as one, in order, of all stages: most are alone. */
export function chainsOf(topology: Topology): readonly (readonly AnyStage[])[] {
  const chains: AnyStage[][] = [];
  for (const stage of topology.stages) {
    const before = chains.find((one) => mayFollow(topology, one, stage));
    if (before === undefined) chains.push([stage]);
    else before.push(stage);
  }
  return chains;
}

function mayFollow(topology: Topology, before: readonly AnyStage[], stage: AnyStage): boolean {
  const tail = before.at(-1)!;
  const { views, aligned } = topology;
  if (tail.key !== stage.key || [tail, stage].some(({ id, repartition }) => views.has(id) || repartition !== undefined))
    return false;
  if (aligned.has(tail.id) !== aligned.has(stage.id) || takesInPublished(topology, tail)) return false;
  if (before.some(({ counts = [] }) => counts.some((one) => stage.counts?.includes(one) === true))) return false;
  const upstreams = topology.upstreams(stage.id);
  const routes = topology.routes(tail.id).filter(({ to }) => to === stage.id);
  if (routes.length === 0 || routes.some(({ by }) => by !== 'same')) return false;
  return upstreams.every(({ id, side, output }) => {
    if (id === tail.id) return true;
    if (!side) return false;
    return !aligned.has(stage.id) || before.some((one) => reads(topology, one, id, output));
  });
}

const reads = (topology: Topology, stage: AnyStage, id: string, output: string | undefined): boolean =>
  topology.upstreams(stage.id).some((upstream) => upstream.id === id && upstream.output === output && upstream.side);

const takesInPublished = ({ edges }: Topology, { id, inputs }: AnyStage): boolean =>
  Object.values(inputs).some(({ type }) => type === RAW) &&
  edges.some(({ from, to }) => isSource(from) && to.stage === id && PUBLISHERS.has(from.id));

/** The topology as it runs: each chain is one stage, which has the id of its first. */
export function chained(topology: Topology): Topology {
  const chains = chainsOf(topology).filter((one) => one.length > 1);
  const chainOf = (id: string): readonly AnyStage[] | undefined =>
    chains.find((one) => one.some((stage) => stage.id === id));
  const made = new Map(chains.map((stages) => [stages[0]!.id, madeOf(topology, stages)]));
  const edges: Edge[] = [];
  for (const { from, to, by } of topology.edges) {
    const [source, target] = [isSource(from) ? undefined : chainOf(from.stage), chainOf(to.stage)];
    if (target !== undefined && source === target) continue;
    const start =
      isSource(from) || source === undefined
        ? from
        : made.get(source[0]!.id)!.stage.out[nameInChain({ stage: from.stage, name: from.name }, source[0]!)]!;
    const input = target && made.get(target[0]!.id)!.inputs.find((one) => leadsTo(one, to));
    const end = target === undefined ? to : made.get(target[0]!.id)!.stage.in[input!.name]!;
    if (!edges.some((one) => one.from === start && one.to === end)) edges.push(edge(start, end, { by }));
  }
  const isFirst = ({ id }: AnyStage): boolean => chainOf(id)?.[0]!.id === id || chainOf(id) === undefined;
  const runs = defineTopology({
    ...topology,
    stages: topology.stages.filter(isFirst).map((one) => made.get(one.id)?.stage ?? one),
    edges,
    aligned: new Set(topology.stages.filter((one) => isFirst(one) && topology.aligned.has(one.id)).map(({ id }) => id)),
  });
  return { ...runs, logical: topology };
}

const leadsTo = ({ to }: ChainInput, port: Port & { readonly stage: string }): boolean =>
  to.some(({ stage, name }) => stage === port.stage && name === port.name);

function madeOf(
  topology: Topology,
  stages: readonly AnyStage[],
): { readonly stage: AnyStage; readonly inputs: readonly ChainInput[] } {
  const ids = new Set(stages.map(({ id }) => id));
  const head = stages[0]!;
  const inputs = new Map<string, { readonly name: string; readonly to: Port[] }>();
  const inner: { readonly from: Port; readonly to: Port }[] = [];
  const outputs: Port[] = [];
  for (const { from, to } of topology.edges) {
    const [fromIn, toIn] = [!isSource(from) && ids.has(from.stage), ids.has(to.stage)];
    const start = isSource(from) ? { stage: from.id, name: '' } : { stage: from.stage, name: from.name };
    const end = { stage: to.stage, name: to.name };
    if (fromIn && toIn) inner.push({ from: start, to: end });
    else if (fromIn) {
      if (!outputs.some(({ stage, name }) => stage === start.stage && name === start.name)) outputs.push(start);
    } else if (toIn) {
      // What two sources, or two stages, send to one input is one input; what one sends to two is one, too.
      const known =
        [...inputs.values()].find((one) => leadsTo(one, end)) ??
        (to.side ? inputs.get(`${start.stage}.${start.name}`) : undefined);
      if (known === undefined) inputs.set(`${start.stage}.${start.name}`, { name: nameInChain(end, head), to: [end] });
      else if (!leadsTo(known, end)) known.to.push(end);
    }
  }
  const ins = [...inputs.values()];
  return { stage: chain({ stages, inputs: ins, inner, outputs }), inputs: ins };
}
