/** GET /status, out of what the node knows of itself (composition). */
import type { PartitionStatus, StatusReport } from '../connectors/http/status-report.js';
import { edgesOf, type Topology } from './graph.js';
import type { Health } from './health.js';
import type { Counters } from './instance.js';
import type { ActorStatus } from './status.js';
import type { Telemetry } from './telemetry.js';

/** What waits in a mailbox: messages, and how long the oldest has; absent: not known. */
export interface Lag {
  readonly messages?: number | undefined;
  readonly seconds?: number | undefined;
}

export interface StatusSources {
  readonly version: string;
  readonly node: string;
  readonly startedAtMs: number;
  readonly topology: Topology;
  readonly statuses: () => readonly ActorStatus[];
  readonly health: () => Health | undefined;
  readonly latencies: Telemetry['latencies'];
  readonly lagOf: (stage: string, partition: number) => Lag | undefined;
  /** Since the start. */
  readonly requests: () => { readonly http: number; readonly grpc: number };
  readonly nowMs: () => number;
}

export function statusReport(sources: StatusSources): StatusReport {
  const { version, node, topology, startedAtMs, lagOf } = sources;
  const statuses = sources.statuses();
  const health = sources.health();
  const { http, grpc } = sources.requests();
  const asOfMs = Math.max(-Infinity, ...statuses.flatMap((status) => status.asOfMs ?? []));
  return {
    version,
    node,
    now: instant(sources.nowMs()),
    started_at: instant(startedAtMs),
    serving: health?.serving ?? false,
    reasons: health === undefined ? ['the node starts'] : [...health.reasons],
    ...(Number.isFinite(asOfMs) ? { as_of: instant(asOfMs) } : {}),
    partitions: topology.partitions.user,
    edges: edgesOf(topology).map((edge) => ({ ...edge })),
    stages: stagesOf(topology, statuses, lagOf),
    counters: sumOf(statuses),
    latency: latencyOf(sources.latencies()),
    requests: { http_total: http, grpc_total: grpc },
  };
}

/** In the order of the topology; partitions ascending. */
function stagesOf(
  topology: Topology,
  statuses: readonly ActorStatus[],
  lagOf: StatusSources['lagOf'],
): StatusReport['stages'] {
  return topology.stages.map(({ id }) => {
    const own = statuses.filter(({ stage }) => stage === id).sort((a, b) => a.partition - b.partition);
    return { stage: id, partitions: own.map((status) => partitionOf(status, lagOf(id, status.partition))) };
  });
}

function partitionOf(status: ActorStatus, lag: Lag | undefined): PartitionStatus {
  const { watermarkMs, lastError } = status;
  return {
    partition: status.partition,
    state: status.state,
    messages_in: status.messagesIn,
    rows_out: status.rowsOut,
    busy_seconds: status.busyMs / 1000,
    ...(lag?.messages === undefined ? {} : { lag_messages: lag.messages }),
    ...(lag?.seconds === undefined ? {} : { lag_seconds: lag.seconds }),
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
    for (const name of Object.keys(sum) as (keyof Counters)[]) sum[name] += counters[name];
  }
  return sum;
}

/** Percentiles of nothing are not known. */
function latencyOf({ p50Ms, p99Ms, count }: ReturnType<Telemetry['latencies']>): StatusReport['latency'] {
  if (count === 0) return { count };
  return { p50_seconds: p50Ms / 1000, p99_seconds: p99Ms / 1000, count };
}

/** A watermark may be infinite, before the first event and at the end of all input. */
const isInstant = (ms: number | null): ms is number => ms !== null && Math.abs(ms) <= INSTANT_MS_MAX;
const INSTANT_MS_MAX = Date.UTC(9999, 11, 31);

const instant = (ms: number): string => new Date(ms).toISOString();
