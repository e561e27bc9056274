/** Metrics of stages: a counter only where it is counted, and what a stage counts is what it declares. */
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { mainTopology } from '../../../actors/topology.js';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import type { Counters } from '../../../runtime/actor/instance.js';
import { stagesIn } from '../../../runtime/plan/chain.js';
import { registerStageMetrics } from '../../../runtime/telemetry/stage-metrics.js';
import { newStatus } from '../../../runtime/telemetry/status.js';
import { TopologyDriver } from '../../support/topology-driver.js';

const { config } = loadConfig({ env: {}, cwd: import.meta.dirname });
const topologyWith = (chaining: boolean) =>
  mainTopology({ ...pipelineOptions(config), trigger: { kind: 'frame' }, chaining });
const topology = topologyWith(false);
const MINUTE = 60_000;
const NOW = Date.UTC(2026, 0, 2);

const event = (id: number, atMs: number): string =>
  JSON.stringify({
    ...{ event_id: String(id), event_type: 'purchase', event_time: new Date(atMs).toISOString() },
    ...{ user_id: `u${id % 3}`, item_id: `i${id % 5}`, category_code: 'home.chair', price: 3 },
  });

it.each([
  ['apart', topology],
  ['as one', topologyWith(true)],
])(
  'an event counter is there for all partitions of the stages that count it, and for no others: %s',
  async (how, runs) => {
    const registry = new Registry();
    const statuses = runs.stages.flatMap((one) =>
      Array.from({ length: topology.count(one.id) }, (_, partition) => {
        const chained = stagesIn(one)
          .slice(1)
          .map(({ id }) => newStatus(id, partition));
        return { ...newStatus(one.id, partition), chained };
      }),
    );
    const countsOf = (stage: string) => topology.stage(stage).counts ?? [];
    registerStageMetrics(
      registry,
      () => statuses,
      () => NOW,
      countsOf,
    );
    const text = await registry.metrics();
    const stagesWith = (name: string): string[] =>
      [...text.matchAll(new RegExp(`^${name}\\{stage="([^"]+)"`, 'gm'))].map(([, stage]) => stage!);
    expect(stagesWith('rivulet_events_total')).toEqual(['parse-items', 'parse']);
    expect(stagesWith('rivulet_events_dead_letter_total')).toEqual(['parse-items', 'parse']);
    expect(stagesWith('rivulet_events_duplicate_total')).toEqual(['parse']);
    const windows = new Array<string>(topology.count('window')).fill('window');
    const watermarks = new Array<string>(topology.count('watermark')).fill('watermark');
    expect(stagesWith('rivulet_events_on_time_total').sort()).toEqual([...watermarks, ...windows]);
    expect(stagesWith('rivulet_events_late_total')).toEqual(windows);
    // What happens to any stage is reported of all; what a chain has once, of its first stage.
    const all = topology.stages.flatMap(({ id }) => new Array<string>(topology.count(id)).fill(id)).sort();
    expect(stagesWith('rivulet_stage_up').sort()).toEqual(all);
    expect(stagesWith('rivulet_stage_rows_out_total').sort()).toEqual(all);
    const mailboxes = how === 'apart' ? all : all.filter((id) => id !== 'interest-ranking');
    expect(stagesWith('rivulet_snapshots_total').sort()).toEqual(mailboxes);
    expect(stagesWith('rivulet_stage_quarantined_messages_total').sort()).toEqual(mailboxes);
  },
);

it('an instance that is elsewhere now is not shown any more', async () => {
  const registry = new Registry();
  let statuses = [newStatus('window', 0), newStatus('window', 1)];
  registerStageMetrics(
    registry,
    () => statuses,
    () => NOW,
    () => ['on_time'],
  );
  const partitionsOf = async (name: string): Promise<string[]> => {
    const text = await registry.getSingleMetricAsString(name);
    return [...new Set([...text.matchAll(/partition="(\d)"/g)].map(([, partition]) => partition!))];
  };
  const names = ['rivulet_stage_messages_in_total', 'rivulet_stage_up', 'rivulet_stage_step_seconds'];
  expect(await Promise.all(names.map(partitionsOf))).toEqual(names.map(() => ['0', '1']));
  statuses = statuses.slice(1);
  expect(await Promise.all(names.map(partitionsOf))).toEqual(names.map(() => ['1']));
});

it('the stages count what they declare, and nothing else', () => {
  const driver = new TopologyDriver(topology);
  driver.tick(NOW);
  for (let id = 0; id < 20; id++) driver.publish({ data: event(id, NOW - id * 1_000), user: `u${id % 3}` });
  driver.publish({ data: event(3, NOW - 3_000) }, { data: utf8('no event') });
  driver.tick(NOW + MINUTE);
  // In no window, and never late.
  driver.publish({ data: event(29, NOW).replace('purchase', 'impression') });
  driver.publish({ data: event(30, NOW) });
  driver.tick(NOW + 2 * MINUTE);
  driver.publish({ data: event(31, NOW - 300 * MINUTE) });
  driver.publishItems({ item_id: 'another' }, { title: 'of nothing' });
  driver.publish({ data: event(32, NOW) });
  const counted = (id: string): string[] =>
    (Object.entries(driver.counts(id)) as [keyof Counters, number][]).flatMap(([name, n]) => (n > 0 ? [name] : []));
  for (const { id, counts = [] } of topology.stages) {
    expect([id, counted(id).sort()]).toEqual([id, [...counts].sort()]);
  }
});
