/** The threads of a node, the views on this one, and what is told of both (composition). */
import type { Worker } from 'node:worker_threads';
import { systemClock } from './clock.js';
import { Deadline } from './deadline.js';
import type { Topology } from './graph.js';
import type { Identity } from './main-cluster.js';
import type { NatsHandle } from './main-nats.js';
import type { NodeOptions } from './main-node.js';
import type { Parts } from './main-parts.js';
import type { StoresAhead } from './main-stores.js';
import { Threads } from './main-threads.js';
import { unitsOf, VIEW_STAGE } from './main-units.js';
import type { Views } from './main-view.js';
import type { HostData, StartedHost } from './main-worker.js';
import type { ActorStatus } from './status.js';
import type { Telemetry } from './telemetry.js';
import type { NamedVitals } from './thread-vitals.js';

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
