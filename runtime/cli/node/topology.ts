/** `rivulet topology`: the live pipeline, printed, or how it runs. */
import { mainTopology } from '../../../actors/topology.js';
import { isSource, streamOf, toMermaid, type Topology } from '../../contract/graph.js';
import { chainsOf } from '../../plan/plan.js';
import { pipelineOptions } from './node-options.js';
import { type JsonOptions, settingsOf } from '../settings.js';
import { table } from '../terminal.js';

export function topology({ plan, ...options }: JsonOptions & { readonly plan?: true }): void {
  const pipeline = pipelineOptions(settingsOf(options).config);
  // What flows between stages does not depend on how they run.
  const graph = mainTopology({ ...pipeline, chaining: false });
  if (plan === true) {
    const chains = planOf(graph, pipeline.chaining === true);
    process.stdout.write(options.json === true ? `${JSON.stringify(chains, undefined, 2)}\n` : asText(chains));
    return;
  }
  if (options.json !== true) {
    process.stdout.write(`${toMermaid(graph)}\n`);
    return;
  }
  const { partitions, stages, topics, edges, strategies } = graph;
  const node = ({ id, key }: { readonly id: string; readonly key: string }) => ({ id, key, stream: streamOf(id) });
  const document = {
    partitions,
    stages: stages.map((stage) => ({ ...node(stage), version: stage.version, strategy: strategies?.[stage.id] })),
    topics: topics.map(node),
    edges: edges.map(({ from, to, by }) => ({
      from: isSource(from) ? from.id : from.stage,
      output: isSource(from) ? undefined : from.name,
      to: to.stage,
      input: to.name,
      by,
    })),
  };
  process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
}

interface PlannedChain {
  readonly stages: readonly string[];
  readonly mailbox: string;
  readonly partitions: number;
  readonly key: string;
}

/** Each chain has the mailbox of its first stage. */
const planOf = (graph: Topology, chaining: boolean): readonly PlannedChain[] =>
  (chaining ? chainsOf(graph) : graph.stages.map((stage) => [stage])).map((stages) => {
    const { id, key } = stages[0]!;
    return { stages: stages.map((stage) => stage.id), mailbox: streamOf(id), partitions: graph.count(id), key };
  });

function asText(plan: readonly PlannedChain[]): string {
  const rows = plan.map(({ stages, mailbox, partitions, key }) => [
    stages.join(' + '),
    mailbox,
    String(partitions),
    key,
  ]);
  return `${table(['STAGES', 'MAILBOX', 'INSTANCES', 'BY'], rows, new Set([2]))}\n`;
}
