/**
 * A live node (composition): NATS, the pipeline on worker threads, the views and the façades (gRPC, HTTP) on this one.
 *
 * Start: threads, NATS, façade, streams, what the other nodes leave to this one, then SERVING. What takes long goes on side by side: while NATS
 * starts, the threads load what they run and open their stores, and this one loads the rest (so nothing heavy is imported here but by `loadParts`). Stop, in the order that loses nothing:
 * NOT_SERVING, calls end, units are handed over with a last snapshot, threads and NATS end.
 */
import type { Worker } from 'node:worker_threads';
import pino from 'pino';
import type { PipelineOptions } from '../../actors/topology.js';
import type { Answer, ItemCatalogue, RecommendationQuery } from '../../connectors/facade/ports.js';
import type { GrpcServerOptions } from '../../connectors/grpc/server/server.js';
import { connectNats, type NatsOptions } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import type { ActorKnobs } from '../actor/actor.js';
import { systemClock } from '../contract/clock.js';
import { watchLink } from '../../connectors/nats/connection/link.js';
import { HealthWatch } from './health.js';
import { startHosts, threadName } from './hosts.js';
import type { HttpOptions } from './http-facade.js';
import { loadParts } from '../main-parts.js';
import type { Health } from '../supervision/health.js';
import { Deadline } from '../supervision/deadline.js';
import type { Topology } from '../contract/graph.js';
import type { Cluster } from '../cluster/cluster.js';
import { claimIdentity, joinCluster, NodeHost } from './cluster.js';
import { sweepCopies } from './buckets.js';
import { checkDeployment } from './deployment.js';
import { openNats } from './nats.js';
import { loadingThreads, usefulThreads } from './loading.js';
import { allUnits, LIVE_WEIGHTS, spread, unitsOf } from './shards.js';
import type { StartedHost, WorkerStart } from './worker.js';
import { patience } from '../supervision/retry.js';
import { registerNodeMetrics } from '../telemetry/node-metrics.js';
import type { Log } from '../contract/ports.js';
import type { ActorStatus } from '../telemetry/status.js';
import { ensureStreams, notePartitions, streamsOf } from '../contract/streams.js';
import type { Telemetry } from '../telemetry/registry.js';
import type { NamedVitals } from '../telemetry/thread-vitals.js';
import { version } from '../contract/version.js';

export interface NodeOptions {
  readonly dataDir: string;
  /** Absent: an embedded server. */
  readonly nats?: NatsOptions;
  readonly natsPort?: number;
  readonly natsServer?: string;
  readonly pipeline: PipelineOptions;
  readonly threads: number;
  readonly knobs: ActorKnobs;
  readonly tickEveryMs: number;
  readonly logLevel: string;
  readonly durability: 'process' | 'power';
  readonly replicas: number;
  /** A node that is silent this long loses its units to others. */
  readonly leaseMs: number;
  readonly standbys: number;
  readonly copyEveryMs: number;
  readonly streamBytesMax: number;
  readonly grpc: Pick<GrpcServerOptions, 'tls' | 'auth' | 'limits' | 'reloadEveryMs'> & {
    readonly host: string;
    readonly port: number;
  };
  readonly http: HttpOptions;
  readonly onProgress: (message: string) => void;
}

export interface RunningNode {
  readonly natsUrl: string;
  readonly natsVersion: string;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly log: Log;
  readonly telemetry: Telemetry;
  readonly topology: Topology;
  statuses(): ActorStatus[];
  readonly cluster: Cluster;
  /** The answer that GetRecommendations gives. */
  answer(query: RecommendationQuery): Answer;
  /** What items are called. */
  readonly catalogue: ItemCatalogue;
  /** Resolves when something escalated: the node must be stopped. */
  readonly failed: Promise<Error>;
  /** How it is, and why. */
  health(): Health | undefined;
  /** How its threads are. */
  threads(): readonly NamedVitals[];
  /** Gives what was not finished in time; the next start replays it. */
  stop(deadlineMs: number): Promise<readonly string[]>;
}

/** Shares of a stop's deadline. */
const FACADE_SHARE = 0.3;
const UNITS_SHARE = 0.8;
const VIEW_WAIT_MS = 10_000;
const VIEW_LOOK_MS = 5;

/** `loading`: threads that were begun already. */
export async function startNode(
  options: NodeOptions,
  loading: Worker[] = loadingThreads(usefulThreads(options.threads)),
): Promise<RunningNode> {
  let onFatal: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => (onFatal = resolve));
  const undo: (() => Promise<void>)[] = [];
  undo.push(async () => {
    await Promise.all(loading.map((worker) => worker.terminate()));
  });
  try {
    checkDeployment(options.dataDir, options.pipeline);
    const identity = await claimIdentity(options.dataDir);
    undo.push(() => identity.release());
    for (const [thread, worker] of loading.entries()) {
      const share = { pipeline: options.pipeline, thread, threads: loading.length };
      const { dataDir, logLevel } = options;
      worker.postMessage({ kind: 'open', name: threadName(thread), dataDir, logLevel, ...share } satisfies WorkerStart);
    }
    let startLoading = (): void => undefined;
    const isWaiting = new Promise<void>((resolve) => (startLoading = resolve));
    // To load is to block: first the nats-server is on its way.
    const loadingParts = isWaiting.then(loadParts).then((parts) => {
      const topology = parts.mainTopology(options.pipeline);
      const viewStores = parts.storesOf({ ...options, name: 'facade' });
      viewStores.begin(unitsOf(topology).view);
      return { parts, topology, viewStores };
    });
    undo.push(async () => (await loadingParts.catch(() => undefined))?.viewStores.close());
    const nats = await openNats({ ...options, onFatal, onWaiting: startLoading }).finally(startLoading);
    undo.push(() => nats.stop());
    const { parts, topology, viewStores } = await loadingParts;
    const connection = await connectNats(nats.options, 'rivulet-facade');
    const log = await openNatsLog(connection, { process: identity.process });
    undo.push(() => log.close());
    const natsAwaySinceMs = watchLink(connection, systemClock);
    const { streamBytesMax: bytesMax, replicas } = options;
    const logger = pino({ level: options.logLevel }, pino.destination({ dest: 2, sync: true }));
    const patiently = patience(systemClock, (error) =>
      logger.warn({ err: error }, 'JetStream is not ready; waiting for it'),
    );
    await patiently(() => ensureStreams(log, topology, { bytesMax, replicas }));
    const units = allUnits(topology);
    const shares = spread(unitsOf(topology).pipeline, loading.length, LIVE_WEIGHTS);
    const hosts = await startHosts(options, parts, viewStores, identity, topology, nats, onFatal, undo, loading);
    const publisher = parts.eventPublisher(log, options.pipeline.parse.messageBytesMax);
    const told: { health?: HealthWatch; isStopping: boolean } = { isStopping: false };
    const http = await parts.startHttp(options.http, {
      ...{ node: identity.node, natsUrl: nats.options.url, natsVersion: connection.info?.version ?? 'unknown' },
      ...{
        ...{ log, topology, pipeline: options.pipeline },
        views: hosts.views,
        publisher,
        telemetry: hosts.telemetry,
        statuses: hosts.statuses,
        natsAwaySinceMs,
        logger,
      },
      health: () => told.health?.health,
      isStopping: () => told.isStopping,
    });
    undo.push(() => http.stop(0));
    const grpc = await parts.startGrpcServer({
      ...options.grpc,
      answers: hosts.views.answers,
      changes: hosts.views.answers,
      trending: hosts.views.trending,
      clock: systemClock,
      publisher,
      logger,
      observer: hosts.telemetry.calls,
    });
    undo.push(() => grpc.stop(0));
    const cluster = await joinCluster({
      ...options,
      connection,
      identity,
      units,
      host: new NodeHost(units, hosts.threads, hosts.view, shares),
      logger,
      grpc: () => `${options.grpc.host}:${grpc.port}`,
      onAgreed: () => notePartitions(log, topology, { bytesMax, replicas }),
      onFatal,
    });
    undo.push(() => cluster.stop());
    await viewOpened(hosts.view.host);
    const sweeping = new AbortController();
    const swept = sweepCopies(connection, { clock: systemClock, logger, signal: sweeping.signal });
    undo.push(() => {
      sweeping.abort();
      return swept;
    });
    // What they run now: as of an earlier answer they ran nothing, and nothing is missing there (V1).
    await hosts.threads.freshStatuses();
    const health = HealthWatch.start({
      ...{ dataDir: options.dataDir, clock: systemClock, logger },
      listens: {
        grpc: { host: options.grpc.host, port: grpc.port },
        http: { host: options.http.host, port: http.port },
      },
      ask: () => {
        hosts.threads.ask();
      },
      vitals: () => ({
        instances: hosts.statuses(),
        threads: hosts.threads.answers(),
        natsAwaySinceMs: natsAwaySinceMs(),
        outOfTouchSinceMs: cluster.awaySinceMs,
        nowMs: systemClock.nowMs(),
      }),
      apply: ({ serving, takesEvents }) => {
        grpc.setServing(serving, takesEvents);
      },
    });
    told.health = health;
    registerNodeMetrics(hosts.telemetry.registry, {
      ...{ version: version(), node: identity.node, health: () => health.health, natsAwaySinceMs, cluster, log },
      ...{ units: units.length, streams: streamsOf(topology, { bytesMax, replicas }) },
      trending: () => [grpc.trendingCounts(), http.trendingCounts()].flatMap((counts) => counts ?? []),
      nowMs: () => systemClock.nowMs(),
    });
    return {
      ...{
        log,
        topology,
        cluster,
        answer: (query) => hosts.views.answers.get(query),
        catalogue: hosts.views.catalogue,
        failed,
        ...{ grpcPort: grpc.port, httpPort: http.port },
        natsUrl: nats.options.url,
      },
      ...{ telemetry: hosts.telemetry, statuses: hosts.statuses, natsVersion: connection.info?.version ?? 'unknown' },
      health: () => health.health,
      threads: () => hosts.threads.vitals(),
      stop: async (deadlineMs) => {
        health.stop();
        told.isStopping = true;
        sweeping.abort();
        const deadline = new Deadline(deadlineMs, systemClock);
        grpc.setServing(false);
        cluster.beginLeaving();
        await Promise.all([grpc, http].map((facade) => facade.stop(deadline.leftMs * FACADE_SHARE)));
        const units = new Deadline(deadline.leftMs * UNITS_SHARE, systemClock);
        await cluster.stop(units);
        await Promise.all([hosts.threads.stop(deadline), hosts.view.stop(deadline)]);
        await deadline.step('what broken off copies have left', () => swept);
        await deadline.step('the connection of the façade', () => log.close());
        await deadline.step('the nats-server', () => nats.stop());
        await identity.release();
        return [...units.unfinished, ...deadline.unfinished];
      },
    };
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

/** Who is told that the node is up may ask it at once. Bounded: a view that has to wait for NATS says so by its health. */
async function viewOpened(host: StartedHost['host']): Promise<void> {
  const untilMs = systemClock.nowMs() + VIEW_WAIT_MS;
  while (host.statuses.some(({ state }) => state !== 'running') && systemClock.nowMs() < untilMs) {
    await systemClock.sleep(VIEW_LOOK_MS);
  }
}
