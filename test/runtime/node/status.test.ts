/** GET /status out of what a node knows: by hand. */
import { expect, it } from 'vitest';
import { mainTopology } from '../../../actors/topology.js';
import { statusReport as schema } from '../../../connectors/http/routes/status-report.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import { toMermaid } from '../../../runtime/contract/graph.js';
import { statusReport, type StatusSources } from '../../../runtime/node/status.js';
import {
  type ChildStatus,
  type Level,
  newChildStatus,
  type SupervisedStatus,
} from '../../../runtime/supervision/supervisor.js';
import { type ActorStatus, newStatus } from '../../../runtime/telemetry/status.js';

const { config } = loadConfig({ env: {}, cwd: import.meta.dirname });
const topology = mainTopology(pipelineOptions(config));
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

const sources = (statuses: readonly ActorStatus[], more: Partial<StatusSources> = {}): StatusSources => ({
  ...{
    version: '1.2.3',
    subject: 'items',
    node: 'node-a',
    startedAtMs: NOW - 60_000,
    topology,
    statuses: () => statuses,
  },
  children: () => [],
  health: () => ({ serving: true, takesEvents: true, reasons: [], warnings: [] }),
  latencies: () => ({ p50Ms: 12, p99Ms: 40.5, count: 7 }),
  requests: () => ({ http: 3, grpc: 4 }),
  answers: () => ({ count: 5, fallback: 2, empty: 1 }),
  nowMs: () => NOW,
  ...more,
});

const status = (stage: string, partition: number, more: Partial<ActorStatus> = {}): ActorStatus =>
  Object.assign(newStatus(stage, partition), more);

it('is what the schema says, of a node that has seen nothing and of one that has', () => {
  const nothing = statusReport(
    sources([], { health: () => undefined, latencies: () => ({ p50Ms: NaN, p99Ms: NaN, count: 0 }) }),
  );
  expect(schema.parse(nothing)).toEqual(nothing);
  expect(nothing).toMatchObject({ serving: false, reasons: ['the node starts'], latency: { count: 0 } });
  expect(Object.keys(nothing)).not.toContain('as_of');
  const seen = statusReport(
    sources([status('window', 0, { watermarkMs: NOW, asOfMs: NOW, lastError: 'gone', counters: counts(5) })]),
  );
  expect(schema.parse(seen)).toEqual(seen);
});

const counts = (n: number): ActorStatus['counters'] => ({
  ...{ events: n, on_time: n + 1, late: n + 2, dead_letter: n + 3, duplicates: n + 4 },
});

it('has the supervision tree: the server and the threads, their shards in order, the instances of each', () => {
  const child = (level: Level, name: string, more: Partial<ChildStatus> = {}): SupervisedStatus => ({
    ...{ level, name, ...newChildStatus(), state: 'running' },
    ...more,
  });
  const children = [
    { ...child('server', 'nats-server'), shards: [] },
    {
      ...child('thread', 'pipeline-0', { restarts: 1, sinceMs: NOW, lastError: 'it ended' }),
      shards: [child('shard', 'user-2', { state: 'backoff', restarts: 4 }), child('shard', 'source-0')],
    },
  ];
  const report = statusReport(
    sources([status('window', 2, { restarts: 3 }), status('window', 1), status('parse', 0)], {
      children: () => children,
    }),
  );
  expect(schema.parse(report)).toEqual(report);
  expect(report.supervision).toEqual([
    { level: 'server', name: 'nats-server', state: 'running', restarts: 0, shards: [] },
    {
      ...{ level: 'thread', name: 'pipeline-0', state: 'running', restarts: 1 },
      ...{ since: '2026-01-02T03:04:05.678Z', last_error: 'it ended' },
      shards: [
        {
          ...{ name: 'source-0', state: 'running', restarts: 0 },
          instances: [{ name: 'parse.0', state: 'restoring', restarts: 0 }],
        },
        {
          ...{ name: 'user-2', state: 'backoff', restarts: 4 },
          instances: [{ name: 'window.2', state: 'restoring', restarts: 3 }],
        },
      ],
    },
  ]);
});

it('tells of each partition, in the order of the topology', () => {
  const report = statusReport(
    sources([
      status('window', 2, { state: 'backoff', restarts: 3, lastError: 'it broke', counters: counts(10) }),
      status('window', 0, {
        ...{ state: 'running', messagesIn: 5, rowsOut: 6, busyMs: 1_500, stateKeys: 7, snapshots: 2 },
        ...{ lagMessages: 9, lagSinceMs: NOW - 1_500 },
        ...{ snapshotMs: 250, snapshotBytes: 4096, watermarkMs: NOW - 1, asOfMs: NOW - 2, counters: counts(1) },
      }),
      status('parse', 0, { watermarkMs: -Infinity, asOfMs: NOW - 5 }),
    ]),
  );
  expect(report.stages.map(({ stage }) => stage)).toEqual(topology.stages.map(({ id }) => id));
  expect(report.stages.find(({ stage }) => stage === 'window')!.partitions).toEqual([
    {
      ...{
        partition: 0,
        state: 'running',
        messages_in: 5,
        rows_out: 6,
        busy_seconds: 1.5,
        state_keys: 7,
        snapshots: 2,
      },
      ...{ snapshot_seconds: 0.25, snapshot_bytes: 4096, watermark: '2026-01-02T03:04:05.677Z', restarts: 0 },
      ...{ lag_messages: 9, lag_seconds: 1.5 },
    },
    expect.objectContaining({ partition: 2, state: 'backoff', restarts: 3, last_error: 'it broke' }),
  ]);
  expect(report.stages.find(({ stage }) => stage === 'parse')!.partitions[0]).not.toHaveProperty('watermark');
  expect(report).toMatchObject({
    ...{ version: '1.2.3', node: 'node-a', serving: true, reasons: [], as_of: '2026-01-02T03:04:05.676Z' },
    ...{ now: '2026-01-02T03:04:05.678Z', started_at: '2026-01-02T03:03:05.678Z' },
    ...{ counters: { events: 11, on_time: 13, late: 15, dead_letter: 17, duplicates: 19 } },
    ...{ latency: { p50_seconds: 0.012, p99_seconds: 0.0405, count: 7 } },
    ...{ requests: { http_total: 3, grpc_total: 4 }, answers: { count: 5, fallback: 2, empty: 1 } },
  });
});

it('tells of the stages of a chain as of others, but for their mailbox, and that they run as one', () => {
  const chained = [status('interest-ranking', 0, { messagesIn: 3, rowsOut: 4, stateKeys: 5 })];
  const window = status('window', 0, { state: 'running', lagMessages: 2, snapshots: 1, counters: counts(1), chained });
  const shards = [{ level: 'shard', name: 'user-0', ...newChildStatus() }] as const;
  const report = statusReport(
    sources([window], {
      topology: mainTopology({ ...pipelineOptions(config), chaining: true }),
      children: () => [{ level: 'thread', name: 'pipeline-0', ...newChildStatus(), shards }],
    }),
  );
  expect(schema.parse(report)).toEqual(report);
  const apart = statusReport(sources([]));
  expect([apart.chains, report.chains]).toEqual([[], [['window', 'interest-ranking']]]);
  expect(report.edges).toEqual(apart.edges);
  expect(report.stages.map(({ stage }) => stage)).toEqual(topology.stages.map(({ id }) => id));
  const [one] = report.stages.find(({ stage }) => stage === 'interest-ranking')!.partitions;
  expect(one).toMatchObject({ state: 'running', messages_in: 3, rows_out: 4, state_keys: 5, snapshots: 1 });
  expect(one).not.toHaveProperty('lag_messages');
  expect(report.supervision[0]!.shards[0]!.instances[0]!.name).toBe('window.0 + interest-ranking.0');
  expect(report.counters.events).toBe(1);
});

it('has the edges that rivulet topology draws', () => {
  const { edges } = statusReport(sources([]));
  const drawn = toMermaid(topology).replaceAll(/\(\[[^\]]+\]\)|\[\([^)]+\)\]/g, '');
  expect(drawn.split('\n').slice(1)).toEqual(edges.map(({ from, to, label }) => `  ${from} -->|${label}| ${to}`));
  expect(edges).toContainEqual({ from: 'events', to: 'parse', label: 'source' });
});
