/** What runs as one says the same as what runs apart: live and over files, through any interleaving, snapshots and crashes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { popularItems } from '../../../actors/model.js';
import { recommendationReader } from '../../../actors/recommendations.js';
import { mainTopology, type PipelineOptions } from '../../../actors/topology.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import type { Topology } from '../../../runtime/contract/graph.js';
import { frameOf, partitionOf } from '../../../runtime/contract/stage.js';
import { chainsOf } from '../../../runtime/plan/plan.js';
import { TopologyDriver } from '../../support/topology-driver.js';

const { config } = loadConfig({ env: {}, cwd: import.meta.dirname });
const LIVE: PipelineOptions = { ...pipelineOptions(config), partitions: { source: 1, user: 2, item: 2 } };
const BOUNDED: PipelineOptions = {
  ...LIVE,
  mode: 'bounded',
  trigger: { kind: 'file' },
  popularity: { from: 'table' },
};

const chainIds = (topology: Topology): string[] =>
  chainsOf(topology)
    .filter((one) => one.length > 1)
    .map((one) => one.map(({ id }) => id).join(' '));

describe('the plan', () => {
  it('chains neighbours that have the same partitions, and nothing else in between', () => {
    expect(chainIds(mainTopology(LIVE))).toEqual(['window interest-ranking']);
    expect(chainIds(mainTopology(BOUNDED))).toEqual([
      'parse watermark',
      'window interest-ranking',
      'popularity-join fallback',
    ]);
  });

  it('leaves a stage alone that reads a table which the one before does not wait for', () => {
    expect(chainIds(mainTopology({ ...BOUNDED, items: true }))).toEqual([
      'window interest-ranking',
      'popularity-join fallback',
    ]);
  });

  it('has the same sources and topics, and what leads to them', () => {
    for (const options of [LIVE, BOUNDED]) {
      const [apart, together] = [mainTopology(options), mainTopology({ ...options, chaining: true })];
      const toTopics = ({ edges, topics }: Topology): string[] =>
        edges.filter(({ to }) => topics.some(({ id }) => id === to.stage)).map(({ to, by }) => `${to.stage} ${by}`);
      expect(toTopics(together)).toEqual(toTopics(apart));
    }
  });
});

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);
const TYPES = ['view', 'cart', 'purchase', 'click', 'rating'];

interface Step {
  readonly user: number;
  readonly item: number;
  readonly type: number;
  readonly agoMs: number;
  readonly past: boolean;
  /** What happens after it. */
  readonly then: 'nothing' | 'tick' | 'snapshot' | 'crash';
}

const steps = fc.array(
  fc.record<Step>({
    user: fc.nat(5),
    item: fc.nat(9),
    type: fc.nat(TYPES.length - 1),
    agoMs: fc.nat(20 * MINUTE),
    past: fc.boolean(),
    then: fc.constantFrom('nothing', 'nothing', 'tick', 'snapshot', 'crash'),
  }),
  { minLength: 1, maxLength: 40 },
);

const dataOf = ({ user, item, type, agoMs }: Step, n: number, nowMs: number): string =>
  JSON.stringify({
    ...{ event_id: `e${n}`, event_type: TYPES[type], event_time: new Date(nowMs - agoMs).toISOString() },
    ...{ user_id: `u${user}`, item_id: `i${item}`, category_code: `c${item % 3}.x`, price: item + 1 },
    ...(TYPES[type] === 'rating' ? { rating: 4 } : {}),
  });

const POPULAR = frameOf(
  popularItems,
  Array.from({ length: 8 }, (_, i) => ({
    item: `i${i}`,
    purchases: 10 - i,
    category: `c${i % 3}`,
    brand: 'b',
    price: 1,
    time: START,
  })),
);

/** Snapshots and crashes of every instance, in turn. */
const instancesOf = (topology: Topology): (readonly [string, number])[] =>
  topology.stages.flatMap(({ id }) => Array.from({ length: topology.count(id) }, (_, p) => [id, p] as const));

function live(options: PipelineOptions, story: readonly Step[], crashes: boolean) {
  const topology = mainTopology(options);
  const driver = new TopologyDriver(topology);
  const instances = instancesOf(topology);
  let nowMs = START;
  story.forEach((step, n) => {
    nowMs += MINUTE;
    driver.nowMs = nowMs;
    const headers = { 'content-type': 'application/json' };
    driver.publish({ data: dataOf(step, n, nowMs), type: step.past ? 'past' : 'view', headers });
    if (step.then === 'tick') driver.tick(nowMs);
    if (!crashes) return;
    const [id, partition] = instances[n % instances.length]!;
    if (step.then === 'snapshot') for (const [one, p] of instances) driver.snapshot(one, p);
    if (step.then === 'crash') driver.crash(id, partition);
  });
  for (let tick = 1; tick <= 70; tick++) driver.tick(nowMs + tick * 1_000);
  const users = [...new Set(story.map(({ user }) => `u${user}`))].sort();
  return {
    late: driver.rows('late'),
    deadLetters: driver.rows('dead-letter'),
    lists: users.map((user) => {
      const { instance } = driver.processor('recommendations', partitionOf(user, topology.count('recommendations')));
      const reader = recommendationReader(instance.states());
      return [user, reader.ownList(user, 100), [...reader.seen(user)]];
    }),
  };
}

function bounded(options: PipelineOptions, story: readonly Step[], crashes: boolean) {
  const topology = mainTopology(options);
  const driver = new TopologyDriver(topology);
  const instances = instancesOf(topology);
  const header = 'event_time,event_type,product_id,category_code,price,user_id\n';
  driver.table('popularity', 'popularity-table', 'item', POPULAR);
  story.forEach((step, n) => {
    const time = new Date(START + n * MINUTE - step.agoMs).toISOString();
    const line = `${time},${TYPES[step.type % 3]},i${step.item},c${step.item % 3}.x,${step.item + 1},u${step.user}\n`;
    const isLast = n === story.length - 1;
    const endsEpoch = isLast || step.then === 'tick';
    driver.chunk('parse', 'folder', { data: line, header, line: n + 2, endsEpoch, endsInput: isLast });
    if (!crashes) return;
    const [id, partition] = instances[n % instances.length]!;
    if (step.then === 'snapshot') for (const [one, p] of instances) driver.snapshot(one, p);
    if (step.then === 'crash') driver.crash(id, partition);
  });
  return Object.fromEntries(
    topology.topics.map(({ id }) => [
      id,
      driver
        .rows(id)
        .map((row) => JSON.stringify(row))
        .sort(),
    ]),
  );
}

describe('chained stages', () => {
  it('make the same lists of the same events, live', () => {
    fc.assert(
      fc.property(steps, (story) => {
        expect(live({ ...LIVE, chaining: true }, story, true)).toEqual(live(LIVE, story, false));
      }),
      { numRuns: 60 },
    );
  });

  it('write the same rows of the same files', () => {
    fc.assert(
      fc.property(steps, (story) => {
        expect(bounded({ ...BOUNDED, chaining: true }, story, true)).toEqual(bounded(BOUNDED, story, false));
      }),
      { numRuns: 60 },
    );
  });
});
