/** Where NATS comes from: the servers that are named, or one of our own (composition). */
import { join } from 'node:path';
import type { NatsOptions } from '../connectors/nats/connect.js';
import { startEmbeddedNats } from '../connectors/nats/embedded.js';
import { provision } from '../connectors/nats/provision.js';

export interface NatsChoice {
  /** Absent: an embedded server. */
  readonly nats?: NatsOptions;
  readonly dataDir: string;
  /** Path of the nats-server to use. */
  readonly natsServer?: string;
  /** Absent: 4222 or the next free one; 'any': whichever the system gives. */
  readonly natsPort?: number | 'any';
  readonly durability: 'process' | 'power';
  readonly onProgress: (message: string) => void;
  readonly onFatal: (error: Error) => void;
}

/** An embedded server that dies comes back (E2): longer than its budget of restarts takes, all delays together. */
const RESTART_PATIENCE_MS = 15_000;

export interface NatsHandle {
  readonly options: NatsOptions;
  /** Process id of the embedded server. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

export async function openNats(choice: NatsChoice): Promise<NatsHandle> {
  if (choice.nats !== undefined) {
    return { options: choice.nats, pid: undefined, stop: () => Promise.resolve() };
  }
  const { natsServer, natsPort, onProgress, onFatal } = choice;
  const { path } = await provision({ onProgress, ...(natsServer === undefined ? {} : { binary: natsServer }) });
  const server = await startEmbeddedNats({
    binary: path,
    storeDir: join(choice.dataDir, 'nats'),
    ...(natsPort === undefined ? {} : { port: natsPort }),
    syncInterval: choice.durability === 'power' ? 'always' : undefined,
    onEvent: (event) => {
      if (event.kind === 'died') onProgress(`nats-server died (${event.reason}); restarting it`);
    },
    onExit: onFatal,
  });
  return { options: { url: server.url, patienceMs: RESTART_PATIENCE_MS }, pid: server.pid, stop: () => server.stop() };
}
