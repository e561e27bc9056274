/** The threads of a node, the views on this one, and what is told of both (composition). */
import type { Worker } from 'node:worker_threads';
import { systemClock } from '../contract/clock.js';
import { Deadline } from '../supervision/deadline.js';
import type { Topology } from '../contract/graph.js';
import type { Identity } from './cluster.js';
import type { NatsHandle } from './nats.js';
import type { NodeOptions } from './node.js';
import type { Parts } from '../main-parts.js';
import type { StoresAhead } from './stores.js';
import { Threads } from './threads.js';
import { unitsOf, VIEW_STAGE } from './shards.js';
import type { Views } from './views.js';
import type { HostData, StartedHost } from './worker.js';
import type { ActorStatus } from '../telemetry/status.js';
import type { Telemetry } from '../telemetry/registry.js';
import type { NamedVitals } from '../telemetry/thread-vitals.js';

const STATUS_EVERY_MS = 1_000;

export interface StartedHosts {
  readonly threads: Threads;
  readonly view: StartedHost;
  readonly views: Views;
  readonly telemetry: Telemetry;
  readonly statuses: () => ActorStatus[];
}

export const threadName = (thread: number): string => `worker-${thread}`;

/** Threads without units yet: the cluster says which. */
export async function startHosts(
  options: NodeOptions,
  { startHost, Telemetry, viewsOf }: Parts,
  viewStores: StoresAhead,
  { node, process }: Identity,
  topology: Topology,
  nats: NatsHandle,
  onFatal: (error: Error) => void,
  undo: (() => Promise<void>)[],
  loading: Worker[],
): Promise<StartedHosts> {
  const { pipeline, dataDir, knobs, tickEveryMs, logLevel, copyEveryMs, replicas } = options;
  const shared: Omit<HostData, 'name'> = {
    ...{ nats: nats.options, process, pipeline, dataDir, knobs, tickEveryMs, logLevel, own: [] },
    copying: { everyMs: copyEveryMs, node, replicas },
  };
  const wanted = Math.min(loading.length, unitsOf(topology).pipeline.length);
  const names = Array.from({ length: wanted }, (_, i) => threadName(i));
  const hosts = names.map((name): HostData => ({ ...shared, name }));
  const threads = await Threads.start(hosts, STATUS_EVERY_MS, onFatal, loading);
  undo.push(() => threads.stop(new Deadline(STATUS_EVERY_MS, systemClock)));
  const statuses = (): ActorStatus[] => [...threads.statuses(), ...view.host.statuses];
  const vitals = (): NamedVitals[] => threads.vitals();
  const countsOf = (stage: string) => topology.stage(stage).counts ?? [];
  const telemetry = new Telemetry(statuses, vitals, () => systemClock.nowMs(), countsOf);
  const facade: HostData = { ...shared, name: 'facade' };
  const views = viewsOf(() => view.host, topology, pipeline.trending.rankings ?? []);
  const onAnswered = (stage: string, ingestedAtMs: number): void => {
    if (stage === VIEW_STAGE) telemetry.answered(systemClock.nowMs() - ingestedAtMs);
    views.changed(stage);
  };
  const view = await startHost(facade, viewStores, onFatal, { onAnswered });
  undo.push(() => view.stop(new Deadline(STATUS_EVERY_MS, systemClock)));
  return { threads, view, views, telemetry, statuses };
}
