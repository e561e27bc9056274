/** The order of a backup: copies first, then each stream after all that it feeds. */
import { expect, it } from 'vitest';
import { mainTopology } from '../../../actors/topology.js';
import { streamsToSave } from '../../../runtime/cli/backup/order.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import { isSource, streamOf } from '../../../runtime/contract/graph.js';

it('saves the manifests of the copies, the copies, then downstream before upstream, parse, and last the records of what was skipped and of files', () => {
  const topology = mainTopology(pipelineOptions(loadConfig({ env: {}, flags: [] }).config));
  const streams = streamsToSave(topology);
  const names = streams.map(({ name }) => name);
  expect(names.slice(0, 3)).toEqual(['KV_RIVULET_DEPLOYMENT', 'KV_RIVULET_COPIES', 'OBJ_RIVULET_STATE']);
  expect(names.slice(-3)).toEqual(['RIVULET_PARSE', 'RIVULET_QUARANTINE', 'KV_RIVULET_FILES']);
  expect(new Set(names).size).toBe(5 + topology.stages.length + topology.topics.length);
  for (const { from, to } of topology.edges) {
    if (isSource(from)) continue;
    const [upstream, downstream] = [names.indexOf(streamOf(from.stage)), names.indexOf(streamOf(to.stage))];
    expect(downstream, `${from.stage} → ${to.stage}`).toBeLessThan(upstream);
    expect(downstream).toBeGreaterThan(2);
  }
  // Only what people read may lose its oldest meanwhile.
  expect(
    streams
      .filter(({ loses }) => loses === 'oldest')
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['RIVULET_DEAD_LETTER', 'RIVULET_HISTORY', 'RIVULET_LATE']);
});
