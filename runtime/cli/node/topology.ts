/** `rivulet topology`: the live pipeline, printed. */
import { mainTopology } from '../../../actors/topology.js';
import { isSource, streamOf, toMermaid } from '../../contract/graph.js';
import { pipelineOptions } from './node-options.js';
import { type JsonOptions, settingsOf } from '../settings.js';

export function topology(options: JsonOptions): void {
  const graph = mainTopology(pipelineOptions(settingsOf(options).config));
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
