/** GET /status, from the node's own data (composition). */
import type { PartitionStatus, StatusReport, SupervisionTree } from '../../connectors/http/routes/status-report.js';
import { edgesOf, type Topology } from '../contract/graph.js';
import type { Health } from '../supervision/health.js';
import type { ChildStatus, SupervisedStatus } from '../supervision/supervisor.js';
import type { Counters } from '../actor/instance.js';
import { type ActorStatus, lagSecondsOf, perStage } from '../telemetry/status.js';
import type { Telemetry } from '../telemetry/registry.js';
import type { RecentAnswers } from '../telemetry/answer-metrics.js';
import { allShards } from './shards.js';

const ITEMS_STAGE = 'parse-items';

/** A child of the node, with the shards on it. */
export interface NodeChild extends SupervisedStatus {
  readonly shards: readonly SupervisedStatus[];
}

export interface StatusSources {
  readonly version: string;
  readonly subject: StatusReport['subject'];
  readonly node: string;
  readonly startedAtMs: number;
  readonly topology: Topology;
  readonly statuses: () => readonly ActorStatus[];
  readonly children: () => readonly NodeChild[];
  readonly health: () => Health | undefined;
  readonly latencies: Telemetry['latencies'];
  readonly answers: () => RecentAnswers;
  /** Since the start. */
  readonly requests: () => { readonly http: number; readonly grpc: number };
  readonly nowMs: () => number;
}

export function statusReport(sources: StatusSources): StatusReport {
  const { version, subject, node, topology, startedAtMs } = sources;
  const logical = topology.logical ?? topology;
  const nowMs = sources.nowMs();
  const statuses = sources.statuses();
  const health = sources.health();
  const { http, grpc } = sources.requests();
  const asOfMs = Math.max(-Infinity, ...statuses.flatMap((status) => status.asOfMs ?? []));
  return {
    version,
    subject,
    node,
    now: instant(nowMs),
    started_at: instant(startedAtMs),
    serving: health?.serving ?? false,
    reasons: health === undefined ? ['the node starts'] : [...health.reasons],
    ...(Number.isFinite(asOfMs) ? { as_of: instant(asOfMs) } : {}),
    partitions: topology.partitions.user,
    edges: edgesOf(logical).map((edge) => ({ ...edge })),
    chains: topology.stages.flatMap(({ chain }) => (chain === undefined ? [] : [chain.map(({ id }) => id)])),
    stages: stagesOf(logical, perStage(statuses), nowMs),
    supervision: treeOf(topology, sources.children(), statuses),
    // A refused item of the catalogue is not an event.
    counters: sumOf(statuses.filter(({ stage }) => stage !== ITEMS_STAGE)),
    latency: latencyOf(sources.latencies()),
    requests: { http_total: http, grpc_total: grpc },
    answers: { ...sources.answers() },
  };
}

/** In the order of the topology; partitions ascending. */
function stagesOf(topology: Topology, statuses: readonly ActorStatus[], nowMs: number): StatusReport['stages'] {
  return topology.stages.map(({ id }) => {
    const own = statuses.filter(({ stage }) => stage === id).sort((a, b) => a.partition - b.partition);
    return { stage: id, partitions: own.map((status) => partitionOf(status, nowMs)) };
  });
}

function treeOf(topology: Topology, children: readonly NodeChild[], statuses: readonly ActorStatus[]): SupervisionTree {
  const specs = new Map(allShards(topology).map((shard) => [shard.name, shard]));
  const instancesOf = (shard: string) => {
    const { stages, partition } = specs.get(shard)!;
    return stages
      .flatMap((id) => statuses.filter((status) => status.stage === id && status.partition === partition))
      .map((status) => {
        const stages = [status, ...status.chained].map(({ stage }) => `${stage}.${partition}`);
        return childOf(stages.join(' + '), status);
      });
  };
  return children.map(({ level, name, shards, ...status }) => ({
    ...childOf(name, status),
    level: level === 'server' ? 'server' : 'thread',
    shards: [...shards]
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
      .map((shard) => ({ ...childOf(shard.name, shard), instances: instancesOf(shard.name) })),
  }));
}

const childOf = (name: string, { state, sinceMs, restarts, lastError }: Readonly<ChildStatus>) => ({
  ...{ name, state, restarts },
  ...(sinceMs === 0 ? {} : { since: instant(sinceMs) }),
  ...(lastError === undefined ? {} : { last_error: lastError }),
});

function partitionOf(status: ActorStatus, nowMs: number): PartitionStatus {
  const { watermarkMs, lastError, lagMessages } = status;
  const lagSeconds = lagSecondsOf(status, nowMs);
  return {
    partition: status.partition,
    state: status.state,
    messages_in: status.messagesIn,
    rows_out: status.rowsOut,
    busy_seconds: status.busyMs / 1000,
    ...(lagMessages === undefined ? {} : { lag_messages: lagMessages }),
    ...(lagSeconds === undefined ? {} : { lag_seconds: lagSeconds }),
    ...(isInstant(watermarkMs) ? { watermark: instant(watermarkMs) } : {}),
    restarts: status.restarts,
    ...(lastError === undefined ? {} : { last_error: lastError }),
    state_keys: status.stateKeys,
    snapshots: status.snapshots,
    snapshot_seconds: status.snapshotMs / 1000,
    snapshot_bytes: status.snapshotBytes,
  };
}

function sumOf(statuses: readonly ActorStatus[]): StatusReport['counters'] {
  const sum = { events: 0, on_time: 0, late: 0, dead_letter: 0, duplicates: 0 } satisfies Counters;
  for (const { counters } of statuses) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += counters[name];
  }
  return sum;
}

/** Percentiles of no values are unknown. */
function latencyOf({ p50Ms, p99Ms, count }: ReturnType<Telemetry['latencies']>): StatusReport['latency'] {
  if (count === 0) return { count };
  return { p50_seconds: p50Ms / 1000, p99_seconds: p99Ms / 1000, count };
}

/** A watermark may be infinite, before the first event and at the end of all input. */
const isInstant = (ms: number | null): ms is number => ms !== null && Math.abs(ms) <= INSTANT_MS_MAX;
const INSTANT_MS_MAX = Date.UTC(9999, 11, 31);

const instant = (ms: number): string => new Date(ms).toISOString();
