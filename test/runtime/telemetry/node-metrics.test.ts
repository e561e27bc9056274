import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { newChildStatus } from '../../../runtime/supervision/supervisor.js';
import { type NodeSources, registerNodeMetrics } from '../../../runtime/telemetry/node-metrics.js';
import type { StreamInfo } from '../../../runtime/contract/ports.js';

/** The wall clock stands still, as one that was set back does. */
const WALL_MS = 1_000_000;

it('the log is asked how large the streams are once in 5 s, and what is a minute old is not shown', async () => {
  const registry = new Registry();
  let monotonicMs = 0;
  let asked = 0;
  let isUnreachable = false;
  registerNodeMetrics(registry, {
    ...{ version: '1.0.0', node: 'a', health: () => undefined, natsUnreachableSinceMs: () => undefined, shards: 1 },
    cluster: { members: [], shards: [], unreachableSinceMs: undefined },
    log: {
      info: (): Promise<StreamInfo> => {
        asked++;
        if (isUnreachable) return Promise.reject(new Error('away'));
        return Promise.resolve({ bytes: 500, firstSequence: 2, lastSequence: 9, identity: 'x' });
      },
    },
    streams: [{ name: 'LATE', bytesMax: 1_000, dropsOldest: true }],
    ...{ children: () => [], trending: () => [] },
    clock: { nowMs: () => WALL_MS, monotonicMs: () => monotonicMs },
  });
  const shown = async (): Promise<string[]> => (await registry.metrics()).match(/^rivulet_stream_.*$/gm) ?? [];
  const sizes = [
    'rivulet_stream_bytes{stream="LATE"} 500',
    'rivulet_stream_bytes_max{stream="LATE"} 1000',
    'rivulet_stream_messages{stream="LATE"} 8',
    'rivulet_stream_messages_stored_total{stream="LATE"} 9',
  ];
  // Two that read at once get all, and ask once.
  expect(await Promise.all([shown(), shown()])).toEqual([sizes, sizes]);
  monotonicMs = 4_999;
  expect(await shown()).toEqual(sizes);
  expect(asked).toBe(1);
  isUnreachable = true;
  monotonicMs = 5_000;
  expect(await shown()).toEqual(sizes);
  expect(asked).toBe(2);
  monotonicMs = 60_001;
  expect(await shown()).toEqual([]);
});

it('restarts are counted by level: the nats-server, threads and their shards', async () => {
  const registry = new Registry();
  const child = { ...newChildStatus(), restarts: 2 };
  registerNodeMetrics(registry, {
    ...{ version: '1.0.0', node: 'a', health: () => undefined, natsUnreachableSinceMs: () => undefined, shards: 1 },
    ...{ cluster: { members: [], shards: [], unreachableSinceMs: undefined }, streams: [], trending: () => [] },
    log: { info: () => Promise.reject(new Error('no stream')) },
    clock: { nowMs: () => WALL_MS, monotonicMs: () => 0 },
    children: () => [
      { ...child, level: 'server', name: 'nats-server', shards: [] },
      { ...child, level: 'thread', name: 'pipeline-0', shards: [{ ...child, level: 'shard', name: 'user-1' }] },
    ],
  } satisfies NodeSources);
  expect((await registry.metrics()).match(/^rivulet_supervisor_restarts_total\{.*$/gm)).toEqual([
    'rivulet_supervisor_restarts_total{level="server",child="nats-server"} 2',
    'rivulet_supervisor_restarts_total{level="thread",child="pipeline-0"} 2',
    'rivulet_supervisor_restarts_total{level="shard",child="user-1"} 2',
  ]);
});
