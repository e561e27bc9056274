/**
 * A live node (composition): NATS, the pipeline on worker threads, the view and the gRPC façade on this one.
 *
 * Start: NATS, streams, threads, what the other nodes leave to this one, façade, then SERVING. Stop, in the order that loses nothing:
 * NOT_SERVING, calls end, units are handed over with a last snapshot, threads and NATS end.
 */
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import pino from 'pino';
import { mainTopology, type PipelineOptions } from '../actors/topology.js';
import { startGrpcServer } from '../connectors/grpc/server.js';
import type { ServerTls } from '../connectors/grpc/credentials.js';
import type { Answer, RecommendationQuery } from '../connectors/grpc/ports.js';
import { connectNats, type NatsOptions } from '../connectors/nats/connect.js';
import { openNatsLog } from '../connectors/nats/log.js';
import type { ActorKnobs } from './actor.js';
import { systemClock } from './clock.js';
import { watchLink } from '../connectors/nats/link.js';
import { HealthWatch } from './main-health.js';
import type { Health } from './health.js';
import { Deadline } from './deadline.js';
import type { Topology } from './graph.js';
import type { Cluster } from './cluster.js';
import { claimIdentity, type Identity, joinCluster, NodeHost } from './main-cluster.js';
import { LoopDelay } from './loop-delay.js';
import { checkDeployment } from './main-deployment.js';
import { eventPublisher } from './main-publisher.js';
import { type NatsHandle, openNats } from './main-nats.js';
import { patientStart } from './outlasting.js';
import { loadingThreads, Threads } from './main-threads.js';
import { allUnits, unitsOf, VIEW_STAGE } from './main-units.js';
import { viewAnswers } from './main-view.js';
import { type HostData, type StartedHost, startHost } from './main-worker.js';
import type { Log } from './ports.js';
import type { ActorStatus } from './status.js';
import { ensureStreams } from './streams.js';
import { Telemetry } from './telemetry.js';

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
  readonly grpc: {
    readonly host: string;
    readonly port: number;
    readonly tls?: ServerTls;
  };
  readonly onProgress: (message: string) => void;
}

export interface RunningNode {
  readonly natsUrl: string;
  readonly natsVersion: string;
  readonly grpcPort: number;
  readonly log: Log;
  readonly telemetry: Telemetry;
  readonly topology: Topology;
  statuses(): ActorStatus[];
  readonly cluster: Cluster;
  /** The answer that GetRecommendations gives. */
  answer(query: RecommendationQuery): Answer;
  /** Resolves when something escalated: the node must be stopped. */
  readonly failed: Promise<Error>;
  /** How it is, and why. */
  health(): Health | undefined;
  /** Gives what was not finished in time; the next start replays it. */
  stop(deadlineMs: number): Promise<readonly string[]>;
}

const STATUS_EVERY_MS = 1_000;
/** Shares of a stop's deadline. */
const FACADE_SHARE = 0.3;
const UNITS_SHARE = 0.8;

export async function startNode(options: NodeOptions): Promise<RunningNode> {
  let onFatal: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => (onFatal = resolve));
  const undo: (() => Promise<void>)[] = [];
  checkDeployment(options.dataDir, options.pipeline);
  const loading = loadingThreads(Math.min(options.threads, availableParallelism()));
  undo.push(async () => {
    await Promise.all(loading.map((worker) => worker.terminate()));
  });
  try {
    const identity = await claimIdentity(options.dataDir);
    undo.push(() => identity.release());
    const nats = await openNats({ ...options, onFatal });
    undo.push(() => nats.stop());
    const connection = await connectNats(nats.options, 'rivulet-facade');
    const log = await openNatsLog(connection);
    undo.push(() => log.close());
    const natsAwaySinceMs = watchLink(connection, systemClock);
    const topology = mainTopology(options.pipeline);
    const { streamBytesMax: bytesMax, replicas } = options;
    const logger = pino({ level: options.logLevel }, pino.destination({ dest: 2, sync: true }));
    const patiently = patientStart(systemClock, (error) =>
      logger.warn({ err: error }, 'JetStream is not ready; waiting for it'),
    );
    await patiently(() => ensureStreams(log, topology, { bytesMax, replicas }));
    const hosts = await startHosts(options, identity, topology, nats, onFatal, undo, loading);
    let address: string | undefined = undefined;
    const units = allUnits(topology);
    const host = new NodeHost(units, hosts.threads, hosts.view);
    const cluster = await joinCluster({
      ...options,
      connection,
      identity,
      units,
      host,
      logger,
      grpc: () => address,
      onFatal,
    });
    undo.push(() => cluster.stop());
    const answer = viewAnswers(hosts.view.host, topology);
    const grpc = await startGrpcServer({
      ...options.grpc,
      answers: { get: answer },
      publisher: eventPublisher(log),
      logger,
      onCall: (call) => {
        hosts.telemetry.called(call);
      },
    });
    address = `${options.grpc.host}:${grpc.port}`;
    // What they run now; afterwards they are asked once in a while.
    await hosts.threads.freshStatuses();
    const health = HealthWatch.start({
      ...{ dataDir: options.dataDir, clock: systemClock, logger },
      vitals: () => ({
        instances: hosts.statuses(),
        threads: hosts.threads.answers(),
        natsAwaySinceMs: natsAwaySinceMs(),
        nowMs: systemClock.nowMs(),
      }),
      apply: ({ serving, takesEvents }) => {
        grpc.setServing(serving, takesEvents);
      },
    });
    return {
      ...{ log, topology, cluster, answer, failed, grpcPort: grpc.port, natsUrl: nats.options.url },
      ...{ telemetry: hosts.telemetry, statuses: hosts.statuses, natsVersion: connection.info?.version ?? 'unknown' },
      health: () => health.health,
      stop: async (deadlineMs) => {
        health.stop();
        const deadline = new Deadline(deadlineMs, systemClock);
        grpc.setServing(false);
        await grpc.stop(deadline.leftMs * FACADE_SHARE);
        const units = new Deadline(deadline.leftMs * UNITS_SHARE, systemClock);
        await cluster.stop(units);
        await Promise.all([hosts.threads.stop(deadline), hosts.view.stop(deadline)]);
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

interface StartedHosts {
  readonly threads: Threads;
  readonly view: StartedHost;
  readonly telemetry: Telemetry;
  readonly statuses: () => ActorStatus[];
}

/** Threads without units yet: the cluster says which. */
async function startHosts(
  options: NodeOptions,
  { node }: Identity,
  topology: Topology,
  nats: NatsHandle,
  onFatal: (error: Error) => void,
  undo: (() => Promise<void>)[],
  loading: Worker[],
): Promise<StartedHosts> {
  const { pipeline, dataDir, knobs, tickEveryMs, logLevel, copyEveryMs, replicas } = options;
  const shared: Omit<HostData, 'name'> = {
    ...{ nats: nats.options, pipeline, dataDir, knobs, tickEveryMs, logLevel, own: [] },
    copying: { everyMs: copyEveryMs, node, replicas },
  };
  const wanted = Math.min(loading.length, unitsOf(topology).pipeline.length);
  const names = Array.from({ length: wanted }, (_, i) => `worker-${i}`);
  const hosts = names.map((name): HostData => ({ ...shared, name }));
  const threads = await Threads.start(hosts, STATUS_EVERY_MS, onFatal, loading);
  undo.push(() => threads.stop(new Deadline(STATUS_EVERY_MS, systemClock)));
  const statuses = (): ActorStatus[] => [...threads.statuses(), ...view.host.statuses];
  const own = new LoopDelay();
  const loopDelays = (): [string, number][] => [...threads.takeLoopDelays(), ['facade', own.takeMaxMs()]];
  const telemetry: Telemetry = new Telemetry(statuses, loopDelays, () => systemClock.nowMs());
  const view = await startHost({ ...shared, name: 'facade' }, onFatal, (stage, ingestedAtMs) => {
    if (stage === VIEW_STAGE) telemetry.answered(systemClock.nowMs() - ingestedAtMs);
  });
  undo.push(() => view.stop(new Deadline(STATUS_EVERY_MS, systemClock)));
  return { threads, view, telemetry, statuses };
}
