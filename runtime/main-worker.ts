/** Entry of a worker thread: a host with its own NATS connection and LevelDB stores (composition). */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import pino from 'pino';
import { mainTopology, type PipelineOptions } from '../actors/topology.js';
import { connectNats, type NatsOptions } from '../connectors/nats/connect.js';
import { openNatsLog } from '../connectors/nats/log.js';
import { openLevelStore } from '../state/level-store.js';
import type { ActorKnobs } from './actor.js';
import { systemClock } from './clock.js';
import { asError, RivuletError } from './errors.js';
import { Host, type Unit } from './host.js';
import { LoopDelay } from './loop-delay.js';
import type { ActorStatus } from './status.js';
import { loopTurns } from './turns.js';

export interface HostData {
  readonly name: string;
  readonly nats: NatsOptions;
  readonly pipeline: PipelineOptions;
  readonly units: readonly Unit[];
  readonly dataDir: string;
  readonly knobs: ActorKnobs;
  readonly tickEveryMs: number;
  readonly logLevel: string;
}

export type WorkerMessage =
  | { readonly kind: 'started' }
  | { readonly kind: 'status'; readonly statuses: readonly ActorStatus[]; readonly loopDelayMs: number }
  | { readonly kind: 'fatal'; readonly error: PlainError }
  | { readonly kind: 'stopped' };

export type WorkerCommand = { readonly kind: 'stop' } | { readonly kind: 'status' };

/** An error that can cross a thread boundary. */
export interface PlainError {
  readonly reaction: RivuletError['reaction'];
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
}

export function plainError(error: Error): PlainError {
  const own = error instanceof RivuletError ? error : undefined;
  return {
    reaction: own?.reaction ?? 'bug',
    code: own?.code ?? 'BUG',
    message: error.message,
    hint: own?.hint,
    stack: error.stack,
  };
}

export const revived = ({ reaction, code, message, hint, stack }: PlainError): RivuletError =>
  Object.assign(new RivuletError(reaction, code, message, hint === undefined ? {} : { hint }), { stack });

/** Starts the host described by the data; used by workers and, for units of its own, by the main thread. */
export async function startHost(
  data: HostData,
  onFatal: (error: Error) => void,
  onAnswered?: (stage: string, ingestedAtMs: number) => void,
): Promise<{ readonly host: Host; readonly stop: () => Promise<void> }> {
  const logger = pino({ level: data.logLevel, base: { thread: data.name } }, pino.destination({ dest: 2, sync: true }));
  const log = await openNatsLog(await connectNats(data.nats, `rivulet-${data.name}`));
  const host = await Host.start(
    {
      topology: mainTopology(data.pipeline),
      units: data.units,
      log,
      openStore: (name) => {
        const directory = join(data.dataDir, 'state', name);
        mkdirSync(directory, { recursive: true });
        return openLevelStore(directory);
      },
      clock: systemClock,
      loggerOf: (stage, partition) => logger.child({ stage, partition }),
      knobs: data.knobs,
      tickEveryMs: data.tickEveryMs,
      turn: loopTurns(),
      ...(onAnswered === undefined ? {} : { onAnswered }),
    },
    onFatal,
  );
  const stop = async (): Promise<void> => {
    await host.stop();
    await log.close();
  };
  return { host, stop };
}

/** `workerData` of a thread that waits for its HostData as a message. */
export const WAITS_FOR_DATA = 'rivulet: waits for its data';

async function runWorker(): Promise<void> {
  const port = parentPort!;
  const data = await new Promise<HostData>((resolve) => port.once('message', resolve));
  // Without a listener it would not keep the thread alive.
  port.ref();
  const loopDelay = new LoopDelay();
  const post = (message: WorkerMessage): void => {
    port.postMessage(message);
  };
  const { host, stop } = await startHost(data, (error) => {
    post({ kind: 'fatal', error: plainError(error) });
  });
  post({ kind: 'started' });
  port.on('message', (command: WorkerCommand) => {
    if (command.kind === 'status') {
      post({ kind: 'status', statuses: host.statuses, loopDelayMs: loopDelay.takeMaxMs() });
      return;
    }
    void stop().then(
      () => {
        post({ kind: 'stopped' });
        port.close();
      },
      (error: unknown) => {
        post({ kind: 'fatal', error: plainError(asError(error)) });
        port.close();
      },
    );
  });
}

if (!isMainThread && parentPort !== null && workerData === WAITS_FOR_DATA) {
  runWorker().catch((error: unknown) => {
    parentPort!.postMessage({ kind: 'fatal', error: plainError(asError(error)) } satisfies WorkerMessage);
    parentPort!.close();
  });
}
