/**
 * A live node (composition): NATS, the pipeline on worker threads, the views and the façades (gRPC, HTTP) on this one.
 *
 * Start: the data directory, NATS, streams, threads and views, façades, shards that other nodes hand over, then SERVING. Slow steps run in
 * parallel: while NATS starts, the threads load their modules and open their stores, and this thread loads the rest (so heavy modules are imported
 * by `loadParts` only). Stop, in an order that loses nothing: NOT_SERVING, calls end, shards are handed over with a last snapshot, threads and
 * NATS end.
 */
import { setFlagsFromString } from 'node:v8';
import type { Worker } from 'node:worker_threads';
import pino from 'pino';
import type { PipelineOptions } from '../../actors/topology.js';
import type { Answer, ItemCatalogue, Ranking, RecommendationQuery } from '../../connectors/facade/ports.js';
import type { GrpcServer, GrpcServerOptions } from '../../connectors/grpc/server/server.js';
import { connectNats, type NatsOptions } from '../../connectors/nats/connection/connect.js';
import type { HttpServer } from '../../connectors/http/server/server.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import type { ActorTuning } from '../actor/options.js';
import { systemClock } from '../contract/clock.js';
import { asError } from '../contract/errors.js';
import { watchLink } from '../../connectors/nats/connection/link.js';
import { HealthWatch } from './health.js';
import type { StartedHosts } from './hosts.js';
import type { HttpOptions } from './http-facade.js';
import type { Health } from '../supervision/health.js';
import { Deadline } from '../supervision/deadline.js';
import type { Topology } from '../contract/graph.js';
import type { Cluster } from '../cluster/cluster.js';
import { claimIdentity, joinCluster, NodeHost } from './cluster.js';
import { entriesOfBucket } from '../../connectors/nats/key-value.js';
import { BUCKETS, openDeployment, openFileRecords, sweepCopies } from './buckets.js';
import { checkDeployed, checkDeployment } from './deployment.js';
import type { FolderOptions, FolderWatch } from './watched-folder.js';
import { openNats } from './nats.js';
import { loadingThreads, threadName, usefulThreads } from './loading.js';
import type { WorkerStart } from './messages.js';
import { allShards, LIVE_WEIGHTS, spread, shardsOf } from './shards.js';
import { Undo } from './undo.js';
import type { StartedHost } from './worker.js';
import { Supervisor } from '../supervision/supervisor.js';
import { retryThroughFailover } from '../supervision/retry.js';
import { registerNodeMetrics } from '../telemetry/node-metrics.js';
import type { Log, Logger } from '../contract/ports.js';
import type { ActorStatus } from '../telemetry/status.js';
import { ensureStreams, streamsOf } from '../contract/streams.js';
import { type Deployment, encodeDeployment, type Settings } from '../config/deployment.js';
import type { Telemetry } from '../telemetry/registry.js';
import type { NamedVitals } from '../telemetry/thread-vitals.js';
import { version } from '../contract/version.js';

export interface NodeOptions {
  readonly dataDir: string;
  /** Absent: an embedded server. */
  readonly nats?: NatsOptions;
  readonly natsPort?: number;
  readonly natsServer?: string;
  readonly natsAnonymous: boolean;
  readonly pipeline: PipelineOptions;
  /** The settings fixed for the deployment, and those that nodes must share beside them. */
  readonly deployment: Deployment;
  readonly settings: Settings;
  readonly threads: number;
  readonly tuning: ActorTuning;
  readonly tickEveryMs: number;
  readonly logLevel: string;
  readonly durability: 'process' | 'power';
  readonly replicas: number;
  /** After this long without a renewal other nodes take over a node's shards. */
  readonly leaseMs: number;
  readonly standbys: number;
  readonly copyEveryMs: number;
  readonly streamBytesMax: number;
  /** The file with what was popular before. */
  readonly popularity?: string;
  /** The folder to watch for files of events. */
  readonly folder?: FolderOptions;
  /** Factors of items are trained so often. */
  readonly trainEveryMs?: number;
  readonly grpc: Pick<GrpcServerOptions, 'tls' | 'auth' | 'limits' | 'reloadEveryMs'> & {
    readonly host: string;
    readonly port: number;
  };
  readonly http: HttpOptions;
  /** What the items are, for the words of the page; default `items`. */
  readonly subject?: 'films';
  readonly onProgress: (message: string) => void;
}

export interface RunningNode {
  readonly nats: NatsOptions;
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
  /** The item catalogue. */
  readonly catalogue: ItemCatalogue;
  readonly ranking: Ranking;
  /** Resolves when an error has escalated: the node must be stopped. */
  readonly failed: Promise<Error>;
  /** Its health, with reasons. */
  health(): Health | undefined;
  /** The vitals of its threads. */
  threads(): readonly NamedVitals[];
  /** Returns the steps that did not finish in time; the next start replays their work. */
  stop(deadlineMs: number): Promise<readonly string[]>;
}

/** Shares of a stop's deadline. */
const FACADE_SHARE = 0.3;
const SHARDS_SHARE = 0.8;
const VIEW_WAIT_MS = 10_000;
const VIEW_LOOK_MS = 5;

/** Shared by all steps of a start. */
interface Start {
  readonly options: NodeOptions;
  /** Threads that are already starting. */
  readonly loading: Worker[];
  readonly logger: Logger;
  readonly undo: Undo;
  /** The supervisor of the threads. */
  readonly supervisor: Supervisor;
  readonly onFatal: (error: Error) => void;
}

/** Facts about the node for the façades. */
interface Phase {
  health?: HealthWatch;
  isStopping: boolean;
}

export async function startNode(
  options: NodeOptions,
  loading: Worker[] = loadingThreads(usefulThreads(options.threads)),
): Promise<RunningNode> {
  // Of all threads. By itself V8 marks a heap of little garbage again when it has grown by a tenth, which took a tenth of the CPU of a live node. At 100
  // a node takes 50 MB more, and no less CPU that could be measured.
  setFlagsFromString('--heap-growing-percent=50');
  let onFatal: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => (onFatal = resolve));
  const logger = pino({ level: options.logLevel }, pino.destination({ dest: 2, sync: true }));
  const undo = new Undo();
  const supervisor = new Supervisor({ clock: systemClock, logger, onEscalated: (error) => onFatal(error) });
  const start: Start = { options, loading, logger, undo, supervisor, onFatal };
  const phase: Phase = { isStopping: false };
  try {
    const begun = { ...start, ...(await begin(start)) };
    const linked = { ...begun, ...(await link(begun)) };
    const hosts = await begun.parts.hosts.startHosts(options, linked);
    const facades = await startFacades(linked, hosts, phase);
    const cluster = await join(linked, hosts, facades.grpc);
    await viewOpened(hosts.view.host);
    const beside = startBeside(linked, hosts);
    // Current statuses: earlier ones list no instances, and so none that is missing (HEALTH-1).
    await hosts.threads.freshStatuses();
    const node: Composed = { ...linked, hosts, ...facades, cluster, beside };
    const health = watchHealth(node);
    phase.health = health;
    registerMetrics(node, health);
    return {
      ...{ nats: node.nats.options, natsVersion: node.natsVersion, log: node.log, topology: node.topology, cluster },
      ...{ grpcPort: node.grpc.port, httpPort: node.http.port, telemetry: hosts.telemetry, statuses: hosts.statuses },
      answer: (query) => hosts.views.answers.get(query),
      ...{ catalogue: hosts.views.catalogue, ranking: hosts.views.ranking, failed },
      health: () => health.health,
      threads: () => hosts.threads.vitals(),
      stop: (deadlineMs) => {
        const unwatched = health.stop();
        phase.isStopping = true;
        return stopNode(node, unwatched, deadlineMs);
      },
    };
  } catch (error) {
    await undo.run(logger);
    throw error;
  }
}

/** The data directory is locked, NATS is connected, the threads and this one have loaded their modules. */
async function begin({ options, loading, undo, supervisor, logger }: Start) {
  undo.add('the threads that load', () => Promise.all(loading.map((worker) => worker.terminate())));
  checkDeployment(options.dataDir, options.deployment);
  const identity = await claimIdentity(options.dataDir);
  undo.add('the claim of the data directory', () => identity.release());
  for (const [thread, worker] of loading.entries()) {
    const { dataDir, logLevel, pipeline } = options;
    const share = { thread, threads: loading.length, name: threadName(thread), dataDir, logLevel, pipeline };
    worker.postMessage({ kind: 'open', ...share } satisfies WorkerStart);
  }
  let startLoading = (): void => undefined;
  const isWaiting = new Promise<void>((resolve) => (startLoading = resolve));
  // Loading blocks this thread: start the nats-server first.
  const loadingParts = isWaiting.then(loadParts).then((parts) => {
    const topology = parts.actors.mainTopology(options.pipeline);
    return { parts, topology, viewStores: parts.hosts.openViewStores(options, topology) };
  });
  // If they cannot be opened, `begin` throws the reason.
  undo.add('the stores of the views', async () => (await loadingParts.catch(() => undefined))?.viewStores.close());
  const nats = await openNats({ ...options, supervisor, logger, onWaiting: startLoading }).finally(startLoading);
  undo.add('NATS', () => nats.stop());
  const loaded = await loadingParts;
  // By thread: the shards whose stores it opens ahead.
  const ahead = spread(shardsOf(loaded.topology).pipeline, loading.length, LIVE_WEIGHTS);
  return { identity, nats, ...loaded, ahead };
}

type Begun = Start & Awaited<ReturnType<typeof begin>>;

/** Modules that are slow to load, loaded while NATS starts. */
async function loadParts() {
  const [actors, hosts, grpc, publisher, events, http, past, folder, training] = await Promise.all([
    import('../../actors/topology.js'),
    import('./hosts.js'),
    import('../../connectors/grpc/server/server.js'),
    import('./publisher.js'),
    import('../../actors/formats/event-reader.js'),
    import('./http-facade.js'),
    import('./popularity-past.js'),
    import('./watched-folder.js'),
    import('../training/schedule.js'),
  ]);
  return { actors, hosts, grpc, publisher, events, http, past, folder, training };
}

/** Connections of this thread; the streams exist. */
async function link({ options, identity, nats, parts, topology, logger, undo }: Begun) {
  const { process } = identity;
  const connection = await connectNats(nats.options, 'rivulet-facade');
  const log = await openNatsLog(connection, { process });
  undo.add('the connection of the façade', () => log.close());
  const browsableLogs = await openNatsLog(await connectNats(nats.options, 'rivulet-ledgers'), { process });
  undo.add('the connection for dead letters', () => browsableLogs.close());
  const natsUnreachableSinceMs = watchLink(connection, systemClock);
  const patiently = retryThroughFailover(systemClock, (error) =>
    logger.warn({ err: error }, 'JetStream is not ready; waiting for it'),
  );
  const sizes = { bytesMax: options.streamBytesMax, replicas: options.replicas };
  const entries = await patiently(async () => {
    const found = (await entriesOfBucket(connection, BUCKETS.deployment)) ?? [];
    await checkDeployed(found, { log, topology }, options.deployment);
    return found;
  });
  const table = options.popularity === undefined ? undefined : await parts.past.openTable(options.popularity, entries);
  if (options.folder !== undefined) await parts.folder.mustBeReadable(options.folder.directory);
  await patiently(() => ensureStreams(log, topology, sizes));
  const natsVersion = connection.info?.version ?? 'unknown';
  return { connection, log, browsableLogs, natsUnreachableSinceMs, natsVersion, sizes, table };
}

type Linked = Begun & Awaited<ReturnType<typeof link>>;

async function startFacades(
  linked: Linked,
  { views, answers, telemetry, statuses, children }: StartedHosts,
  phase: Phase,
): Promise<{ readonly http: HttpServer; readonly grpc: GrpcServer }> {
  const { options, parts, topology, identity, nats, log, logger, undo } = linked;
  const { natsVersion, browsableLogs, natsUnreachableSinceMs } = linked;
  const { pipeline } = options;
  const publisher = parts.publisher.eventPublisher(log, systemClock);
  const reader = new parts.events.EventReader(pipeline.parse);
  const http = await parts.http.startHttp(options.http, {
    subject: options.subject ?? 'items',
    ...{ node: identity.node, natsUrl: nats.options.url, natsVersion, natsUnreachableSinceMs, browsableLogs, logger },
    ...{ topology, pipeline, views, answers, publisher, reader, telemetry, statuses, children },
    health: () => phase.health?.health,
    isStopping: () => phase.isStopping,
  });
  undo.add('HTTP', () => http.stop(0));
  const grpc = await parts.grpc.startGrpcServer({
    ...options.grpc,
    ...{ answers, changes: views.answers, similar: views.similar, trending: views.trending, publisher, reader },
    ...{ clock: systemClock, logger, observer: telemetry.calls },
  });
  undo.add('gRPC', () => grpc.stop(0));
  return { http, grpc };
}

/** From now on shards are assigned, those that other nodes hand over. */
async function join(linked: Linked, { threads, view }: StartedHosts, grpc: GrpcServer): Promise<Cluster> {
  const { options, connection, identity, topology, ahead, log, sizes, logger, undo, onFatal } = linked;
  const shards = allShards(topology);
  const cluster = await joinCluster({
    ...options,
    ...{ connection, identity, shards, logger, onFatal },
    host: new NodeHost(shards, threads, view, ahead),
    grpc: () => `${options.grpc.host}:${grpc.port}`,
    onAgreed: () => ensureStreams(log, topology, { ...sizes, deployment: encodeDeployment(options.deployment) }),
  });
  undo.add('the part in the cluster', () => cluster.stop());
  return cluster;
}

/** After the start is reported, requests should succeed. Bounded: a view that has to wait for NATS is reported by its health. */
async function viewOpened(host: StartedHost['host']): Promise<void> {
  const untilMs = systemClock.nowMs() + VIEW_WAIT_MS;
  while (host.statuses.some(({ state }) => state !== 'running') && systemClock.nowMs() < untilMs) {
    await systemClock.sleep(VIEW_LOOK_MS);
  }
}

/** Work beside the pipeline, which takes as long as it takes. */
interface Beside {
  readonly abort: AbortController;
  readonly swept: Promise<void>;
  readonly loaded: Promise<void>;
  readonly folder: FolderWatch | undefined;
  readonly trained: Promise<void>;
}

function startBeside(linked: Linked, hosts: StartedHosts): Beside {
  const { connection, logger, undo } = linked;
  const abort = new AbortController();
  const { signal } = abort;
  const swept = sweepCopies(connection, { clock: systemClock, logger, signal });
  const loaded = loadPast(linked, signal);
  const folder = watchFolder(linked, signal);
  const trained = trainFactors(linked, hosts, signal);
  undo.add('the work beside the pipeline', () => {
    abort.abort();
    return Promise.all([swept, loaded, folder?.ended, trained]);
  });
  return { abort, swept, loaded, folder, trained };
}

/** Never rejects. */
async function loadPast(
  { table, parts, options, connection, log, topology, logger, onFatal }: Linked,
  signal: AbortSignal,
) {
  if (table === undefined) return;
  try {
    const records = await openDeployment(connection, options);
    await parts.past.loadTable(table, { records, log, topology, clock: systemClock, logger, signal });
  } catch (error) {
    if (!signal.aborted) onFatal(asError(error));
  }
}

function watchFolder({ parts, options, connection, log, logger, onFatal }: Linked, signal: AbortSignal) {
  const { folder, pipeline, leaseMs, streamBytesMax } = options;
  if (folder === undefined) return undefined;
  return parts.folder.watchFolder({
    ...{ ...folder, parse: pipeline.parse, log, streamBytesMax, leaseMs, clock: systemClock, logger, signal, onFatal },
    table: () => openFileRecords(connection, options),
  });
}

async function trainFactors(
  { options, nats, topology, logger, parts }: Linked,
  { statuses, views }: StartedHosts,
  signal: AbortSignal,
): Promise<void> {
  const { trainEveryMs: everyMs } = options;
  if (everyMs === undefined) return;
  const first = topology.stages.find(({ key }) => key === 'source')!.id;
  await parts.training.trainEvery({
    ...{ everyMs, job: { nats: nats.options }, clock: systemClock, logger, signal },
    isOurs: () => statuses().some(({ stage, partition }) => stage === first && partition === 0),
    trainedMs: () => views.ranking.report().factors?.trainedMs,
  });
}

interface Composed extends Linked {
  readonly hosts: StartedHosts;
  readonly http: HttpServer;
  readonly grpc: GrpcServer;
  readonly cluster: Cluster;
  readonly beside: Beside;
}

/** SERVING, while healthy. */
function watchHealth({
  options,
  hosts,
  http,
  grpc,
  cluster,
  beside,
  natsUnreachableSinceMs,
  logger,
  undo,
}: Composed): HealthWatch {
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
      natsUnreachableSinceMs: natsUnreachableSinceMs(),
      outOfTouchSinceMs: cluster.unreachableSinceMs,
      warnings: [...hosts.telemetry.answers.warnings(), ...(beside.folder?.warnings() ?? [])],
      nowMs: systemClock.nowMs(),
    }),
    apply: ({ serving, takesEvents }) => {
      grpc.setServing(serving, takesEvents);
    },
  });
  undo.add('the watch over its health', () => health.stop());
  return health;
}

function registerMetrics(node: Composed, health: HealthWatch): void {
  const { hosts, identity, natsUnreachableSinceMs, cluster, beside, log, topology, sizes, grpc, http } = node;
  registerNodeMetrics(hosts.telemetry.registry, {
    ...{ version: version(), node: identity.node, health: () => health.health, natsUnreachableSinceMs, cluster, log },
    ...{ shards: allShards(topology).length, streams: streamsOf(topology, sizes), children: hosts.children },
    folder: beside.folder && (() => beside.folder!.figures()),
    trending: () => [grpc.trendingCounts(), http.trendingCounts()].flatMap((counts) => counts ?? []),
    clock: systemClock,
  });
}

/** Returns the steps that did not finish in time. */
async function stopNode(node: Composed, unwatched: Promise<void>, deadlineMs: number): Promise<readonly string[]> {
  const { hosts, http, grpc, cluster, beside, log, browsableLogs, nats, identity } = node;
  beside.abort.abort();
  const deadline = new Deadline(deadlineMs, systemClock);
  grpc.setServing(false);
  cluster.beginLeaving();
  await Promise.all([grpc, http].map((facade) => facade.stop(deadline.leftMs * FACADE_SHARE)));
  const shards = new Deadline(deadline.leftMs * SHARDS_SHARE, systemClock);
  await cluster.stop(shards);
  await Promise.all([hosts.threads.stop(deadline), hosts.view.stop(deadline)]);
  await deadline.step('removal of unfinished copies', () => beside.swept);
  await deadline.step('the popularity table', () => beside.loaded);
  await deadline.step('the watched folder', async () => beside.folder?.ended);
  await deadline.step('training', () => beside.trained);
  await deadline.step('the connections of the façade', () =>
    Promise.all([log, browsableLogs].map((one) => one.close())),
  );
  await deadline.step('the nats-server', () => nats.stop());
  // The next node on the data directory writes its own note.
  await deadline.step('the health note', () => unwatched);
  await identity.release();
  return [...shards.unfinished, ...deadline.unfinished];
}
