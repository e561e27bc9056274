/** Entry of a worker thread: a host with its own NATS connection and LevelDB stores (composition). It receives its assignment in messages. */
import { randomUUID } from 'node:crypto';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import pino from 'pino';
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { systemClock } from '../contract/clock.js';
import { retryThroughFailover } from '../supervision/retry.js';
import { Deadline } from '../supervision/deadline.js';
import { asError } from '../contract/errors.js';
import { Host } from '../shards/host.js';
import { type HostOptions } from '../shards/shard.js';
import {
  type HostData,
  type HostRequest,
  plainError,
  WAITS_FOR_DATA,
  type WorkerCommand,
  type WorkerMessage,
  type WorkerStart,
} from './messages.js';
import { openCopies } from './buckets.js';
import { StoresAhead } from './stores.js';
import { allShards, LIVE_WEIGHTS, spread, shardsOf } from './shards.js';
import { RecoveryGate } from '../shards/recovery-gate.js';
import { OwnVitals } from '../telemetry/thread-vitals.js';
import { threadScheduler } from '../shards/scheduler.js';

export interface StartedHost {
  readonly host: Host;
  readonly perform: (request: HostRequest) => Promise<void>;
  readonly stop: (deadline: Deadline) => Promise<void>;
}

/** Starts the host described by the data; used by workers and, for the views, by the main thread. */
export async function startHost(
  data: HostData,
  stores: StoresAhead,
  onFatal: (error: Error) => void,
  listeners: Pick<HostOptions, 'onAnswered' | 'onOpened'> = {},
): Promise<StartedHost> {
  const logger = loggerOf(data);
  const connection = await connectNats(data.nats, `rivulet-${data.name}`);
  const log = await openNatsLog(connection, data.process === undefined ? {} : { process: data.process });
  const topology = mainTopology(data.pipeline);
  const all = allShards(topology);
  let held = false;
  let copiers = 0;
  const incarnation = randomUUID().slice(0, 8);
  const copying =
    data.copying === undefined
      ? undefined
      : {
          everyMs: data.copying.everyMs,
          copies: await openCopies(connection, { ...data.copying, logger }),
          writer: () => `${data.copying!.node}-${incarnation}-${copiers++}`,
          isHeld: () => held,
        };
  const options: HostOptions = {
    topology,
    log,
    openStore: (name) => stores.open(name),
    clock: systemClock,
    loggerOf: (stage, partition) => logger.child({ stage, partition }),
    tuning: data.tuning,
    tickEveryMs: data.tickEveryMs,
    scheduler: threadScheduler(),
    recoveryGate: new RecoveryGate(systemClock),
    ...(copying === undefined ? {} : { replication: copying }),
    ...listeners,
  };
  const host = new Host(all, options, onFatal);
  try {
    const patiently = retryThroughFailover(systemClock, (err) => logger.warn({ err }, 'waiting for NATS'));
    for (const shard of data.own) await patiently(() => host.check(shard));
    for (const shard of data.own) await patiently(() => host.own(shard));
  } catch (error) {
    await host.stop();
    throw error;
  }
  const stop = async (deadline: Deadline): Promise<void> => {
    await host.stop(deadline);
    await deadline.step(`the connection of ${data.name}`, () => log.close());
  };
  const perform = async (request: HostRequest): Promise<void> => {
    if (request.action === 'hold') held = request.held;
    else if (request.action === 'close') await host.close(request.shard, request);
    else await host[request.action](request.shard);
  };
  return { host, perform, stop };
}

const loggerOf = ({ logLevel, name }: Pick<HostData, 'name' | 'logLevel'>): pino.Logger =>
  pino({ level: logLevel, base: { thread: name } }, pino.destination({ dest: 2, sync: true }));

export const storesOf = (data: Pick<HostData, 'name' | 'dataDir' | 'logLevel'>): StoresAhead =>
  new StoresAhead(data.dataDir, loggerOf(data));

async function runWorker(): Promise<void> {
  const port = parentPort!;
  let opened: StoresAhead | undefined;
  const data = await new Promise<HostData>((resolve) => {
    const onStart = (start: WorkerStart): void => {
      if (start.kind === 'open') {
        opened = storesOf(start);
        const { pipeline } = shardsOf(mainTopology(start.pipeline));
        opened.begin(spread(pipeline, start.threads, LIVE_WEIGHTS)[start.thread] ?? []);
        return;
      }
      port.off('message', onStart);
      resolve(start.data);
    };
    port.on('message', onStart);
  });
  const stores = opened ?? storesOf(data);
  // Without a listener it would not keep the thread alive.
  port.ref();
  const vitals = new OwnVitals();
  const post = (message: WorkerMessage): void => {
    port.postMessage(message);
  };
  let publishStatus = (): void => undefined;
  const onFatal = (error: Error): void => {
    post({ kind: 'fatal', error: plainError(error) });
  };
  // Reported at once: a request might wait until the first replayed batch is done.
  const onOpened = (): void => {
    publishStatus();
  };
  const { host, perform, stop } = await startHost(data, stores, onFatal, { onOpened });
  publishStatus = () => {
    post({ kind: 'status', statuses: host.statuses, shards: host.shardStatuses, vitals: vitals.take() });
  };
  post({ kind: 'started' });
  port.on('message', (command: WorkerCommand) => {
    if (command.kind === 'status') {
      publishStatus();
      return;
    }
    if (command.kind === 'call') {
      const { call, request } = command;
      perform(request).then(
        () => {
          post({ kind: 'done', call });
        },
        (error: unknown) => {
          post({ kind: 'done', call, error: plainError(asError(error)) });
        },
      );
      return;
    }
    const deadline = new Deadline(command.deadlineMs, systemClock);
    void stop(deadline).then(() => {
      post({ kind: 'stopped', unfinished: deadline.unfinished });
      port.close();
    });
  });
}

if (!isMainThread && parentPort !== null && workerData === WAITS_FOR_DATA) {
  runWorker().catch((error: unknown) => {
    parentPort!.postMessage({ kind: 'fatal', error: plainError(asError(error)) } satisfies WorkerMessage);
    parentPort!.close();
  });
}
