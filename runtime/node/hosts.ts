/** The threads of a node, the views on this one, and the metrics of both (composition). */
import type { Worker } from 'node:worker_threads';
import type { PipelineOptions } from '../../actors/topology.js';
import type { RecommendationAnswers } from '../../connectors/facade/ports.js';
import type { NatsOptions } from '../../connectors/nats/connection/connect.js';
import type { ActorTuning } from '../actor/options.js';
import { systemClock } from '../contract/clock.js';
import { Deadline } from '../supervision/deadline.js';
import type { Topology } from '../contract/graph.js';
import type { Identity } from './cluster.js';
import { threadName } from './loading.js';
import type { HostData } from './messages.js';
import type { StoresAhead } from './stores.js';
import { Threads } from './threads.js';
import { shardsOf, VIEW_STAGE } from './shards.js';
import type { Undo } from './undo.js';
import { countedAnswers, type Views, viewsOf } from './views.js';
import { type StartedHost, startHost, storesOf } from './worker.js';
import { newChildStatus, type Supervisor } from '../supervision/supervisor.js';
import type { NodeChild } from './status.js';
import { QUIET_EVERY_MS } from '../shards/ticker.js';
import { type ActorStatus } from '../telemetry/status.js';
import { registerRankingMetrics } from '../telemetry/ranking-metrics.js';
import { Telemetry } from '../telemetry/registry.js';
import type { NamedVitals } from '../telemetry/thread-vitals.js';

const STATUS_EVERY_MS = 1_000;
const FACADE = 'facade';

export interface HostsOptions {
  readonly dataDir: string;
  readonly pipeline: PipelineOptions;
  readonly tuning: ActorTuning;
  readonly tickEveryMs: number;
  readonly logLevel: string;
  readonly copyEveryMs: number;
  readonly replicas: number;
}

export interface StartedHosts {
  readonly threads: Threads;
  readonly view: StartedHost;
  readonly views: Views;
  /** Those of the views, counted by their kind: for the façades. */
  readonly answers: RecommendationAnswers;
  readonly telemetry: Telemetry;
  readonly statuses: () => ActorStatus[];
  /** The nats-server and the threads under the node's supervisor; the thread of the façades, which the node is itself. */
  readonly children: () => readonly NodeChild[];
}

/** Ticks reach the views at the interval at which they come when nothing else does, or at the end of epochs, and some seconds later on a busy machine. */
const TICK_AWAY_MS = 5_000;

const staleAfterMs = ({ tickEveryMs, pipeline: { trigger } }: HostsOptions): number =>
  TICK_AWAY_MS + Math.max(tickEveryMs, QUIET_EVERY_MS) + (trigger.kind === 'interval' ? trigger.everyMs : 0);

/** Begins to open the stores of the views. */
export function openViewStores(options: HostsOptions, topology: Topology): StoresAhead {
  const stores = storesOf({ ...options, name: FACADE });
  stores.begin(shardsOf(topology).view);
  return stores;
}

/** Starts threads without shards: the cluster assigns them. */
export async function startHosts(
  options: HostsOptions,
  {
    identity: { node, process },
    topology,
    nats,
    viewStores,
    loading,
    supervisor,
    onFatal,
    undo,
  }: {
    readonly identity: Identity;
    readonly topology: Topology;
    readonly nats: { readonly options: NatsOptions };
    readonly viewStores: StoresAhead;
    readonly loading: Worker[];
    /** The node's supervisor. */
    readonly supervisor: Supervisor;
    readonly onFatal: (error: Error) => void;
    readonly undo: Undo;
  },
): Promise<StartedHosts> {
  const { pipeline, dataDir, tuning, tickEveryMs, logLevel, copyEveryMs, replicas } = options;
  const shared: Omit<HostData, 'name'> = {
    ...{ nats: nats.options, process, pipeline, dataDir, tuning, tickEveryMs, logLevel, own: [] },
    copying: { everyMs: copyEveryMs, node, replicas },
  };
  const wanted = Math.min(loading.length, shardsOf(topology).pipeline.length);
  const hosts = Array.from({ length: wanted }, (_, i): HostData => ({ ...shared, name: threadName(i) }));
  const threads = await Threads.start(hosts, STATUS_EVERY_MS, supervisor, loading);
  undo.add('the threads', () => threads.stop(new Deadline(STATUS_EVERY_MS, systemClock)));
  const statuses = (): ActorStatus[] => [...threads.statuses(), ...view.host.statuses];
  const children = (): NodeChild[] => [
    ...supervisor.statuses.map((status) => ({ ...status, shards: threads.shards(status.name) })),
    { level: 'thread', name: FACADE, ...newChildStatus(), state: 'running', shards: view.host.shardStatuses },
  ];
  const vitals = (): NamedVitals[] => threads.vitals();
  const countsOf = (stage: string) => (topology.logical ?? topology).stage(stage).counts ?? [];
  const telemetry = new Telemetry(statuses, vitals, systemClock, countsOf);
  const views = viewsOf(() => view.host, topology, pipeline, staleAfterMs(options));
  registerRankingMetrics(telemetry.registry, views.ranking);
  const answers = countedAnswers(views.answers, (kind, arm) => telemetry.answers.count(kind, arm));
  const onAnswered = (stage: string, partition: number, ingestedAtMs: number): void => {
    if (stage === VIEW_STAGE) telemetry.answered(systemClock.nowMs() - ingestedAtMs);
    views.changed(stage, partition);
  };
  const view = await startHost({ ...shared, name: FACADE }, viewStores, onFatal, { onAnswered });
  undo.add('the views', () => view.stop(new Deadline(STATUS_EVERY_MS, systemClock)));
  return { threads, view, views, answers, telemetry, statuses, children };
}
