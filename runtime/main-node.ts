/**
 * A live node (composition): NATS, the pipeline on worker threads, the view and the gRPC façade on this one.
 *
 * Start: NATS, streams, threads, view, façade, then SERVING. Stop, in the order that loses nothing: NOT_SERVING, calls end, threads take in no
 * more and write a last snapshot, NATS ends.
 */
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import pino from 'pino';
import { mainTopology, type PipelineOptions } from '../actors/topology.js';
import { type GrpcServer, startGrpcServer } from '../connectors/grpc/server.js';
import type { ServerTls } from '../connectors/grpc/credentials.js';
import type { Answer, RecommendationQuery } from '../connectors/grpc/ports.js';
import { connectNats, type NatsOptions } from '../connectors/nats/connect.js';
import { openNatsLog } from '../connectors/nats/log.js';
import type { ActorKnobs } from './actor.js';
import { systemClock } from './clock.js';
import type { Topology } from './graph.js';
import type { Host } from './host.js';
import { LoopDelay } from './loop-delay.js';
import { checkDeployment } from './main-deployment.js';
import { eventPublisher } from './main-publisher.js';
import { type NatsHandle, openNats } from './main-nats.js';
import { loadingThreads, Threads } from './main-threads.js';
import { LIVE_WEIGHTS, spread, unitsOf, VIEW_STAGE } from './main-units.js';
import { viewAnswers } from './main-view.js';
import { type HostData, startHost } from './main-worker.js';
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
  /** The answer that GetRecommendations gives. */
  answer(query: RecommendationQuery): Answer;
  /** Resolves when something escalated: the node must be stopped. */
  readonly failed: Promise<Error>;
  stop(deadlineMs: number): Promise<void>;
}

const STATUS_EVERY_MS = 1_000;
/** Shares of a stop's deadline. */
const FACADE_SHARE = 0.3;
const THREADS_SHARE = 0.5;

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
    const nats = await openNats({ ...options, onFatal });
    undo.push(() => nats.stop());
    const connection = await connectNats(nats.options, 'rivulet-facade');
    const log = await openNatsLog(connection);
    undo.push(() => log.close());
    const topology = mainTopology(options.pipeline);
    const { streamBytesMax: bytesMax, replicas } = options;
    await ensureStreams(log, topology, { bytesMax, replicas });
    const started = await startHosts(options, topology, nats, onFatal, undo, loading);
    const answer = viewAnswers(started.view, topology);
    const grpc = await startGrpcServer({
      ...options.grpc,
      answers: { get: answer },
      publisher: eventPublisher(log),
      logger: pino({ level: options.logLevel }, pino.destination({ dest: 2, sync: true })),
      onCall: (call) => {
        started.telemetry.called(call);
      },
    });
    grpc.setServing(true);
    return {
      natsUrl: nats.options.url,
      natsVersion: connection.info?.version ?? 'unknown',
      grpcPort: grpc.port,
      log,
      topology,
      answer,
      failed,
      telemetry: started.telemetry,
      statuses: started.statuses,
      stop: (deadlineMs) => stopNode(grpc, started, log, nats, deadlineMs),
    };
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

interface StartedHosts {
  readonly threads: Threads;
  readonly view: Host;
  readonly telemetry: Telemetry;
  readonly statuses: () => ActorStatus[];
  readonly stopView: () => Promise<void>;
}

async function startHosts(
  options: NodeOptions,
  topology: Topology,
  nats: NatsHandle,
  onFatal: (error: Error) => void,
  undo: (() => Promise<void>)[],
  loading: Worker[],
): Promise<StartedHosts> {
  const { pipeline, view } = unitsOf(topology);
  const shared = {
    nats: nats.options,
    pipeline: options.pipeline,
    dataDir: options.dataDir,
    knobs: options.knobs,
    tickEveryMs: options.tickEveryMs,
    logLevel: options.logLevel,
  };
  const hosts = spread(pipeline, loading.length, LIVE_WEIGHTS).map((units, i): HostData => ({
    ...shared,
    name: `worker-${i}`,
    units,
  }));
  const threads = await Threads.start(hosts, STATUS_EVERY_MS, onFatal, loading);
  undo.push(() => threads.stop(STATUS_EVERY_MS));
  const statuses = (): ActorStatus[] => [...threads.statuses(), ...host.statuses];
  const own = new LoopDelay();
  const loopDelays = (): [string, number][] => [...threads.takeLoopDelays(), ['facade', own.takeMaxMs()]];
  const telemetry: Telemetry = new Telemetry(statuses, loopDelays, () => systemClock.nowMs());
  const { host, stop } = await startHost({ ...shared, name: 'facade', units: view }, onFatal, (stage, ingestedAtMs) => {
    if (stage === VIEW_STAGE) telemetry.answered(systemClock.nowMs() - ingestedAtMs);
  });
  undo.push(stop);
  return { threads, view: host, telemetry, statuses, stopView: stop };
}

async function stopNode(
  grpc: GrpcServer,
  { threads, stopView }: StartedHosts,
  log: Log,
  nats: NatsHandle,
  deadlineMs: number,
): Promise<void> {
  grpc.setServing(false);
  await grpc.stop(deadlineMs * FACADE_SHARE);
  await Promise.all([threads.stop(deadlineMs * THREADS_SHARE), stopView()]);
  await log.close();
  await nats.stop();
}
