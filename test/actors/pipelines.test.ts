/** A pipeline is a value: to build one changes no state. What it does before its first input, it does when it is subscribed to. */
import { NEVER } from 'rxjs';
import { expect, it } from 'vitest';
import { mainTopology } from '../../actors/topology.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';

const options = pipelineOptions(loadConfig({ env: {}, cwd: import.meta.dirname }).config);

const STAGES = (['live', 'bounded'] as const).flatMap((mode) =>
  mainTopology({ ...options, mode, trending: { ...options.trending, rankings: ['decayed'] } }).stages.map(
    (stage) => [mode, stage.id, stage] as const,
  ),
);

it.each(STAGES)('%s: to build the pipeline of %s changes no state', (_mode, _id, stage) => {
  const state = Object.fromEntries(Object.entries(stage.state).map(([name, spec]) => [name, spec.create()]));
  const inputs = Object.fromEntries(Object.keys(stage.inputs).map((name) => [name, NEVER]));
  const context = { inputs, epochEnds: NEVER, ticks: NEVER, inputEnd: NEVER, state, out: {}, partition: 0 };
  stage.pipeline({ ...context, count: () => undefined } as never);
  expect(Object.entries(state).flatMap(([name, one]) => [...one.cut()].map(({ key }) => `${name}/${key}`))).toEqual([]);
});
