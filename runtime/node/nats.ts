/** Where NATS comes from: the servers that are named, or one of our own (composition). */
import { join } from 'node:path';
import { connectNats, type NatsOptions } from '../../connectors/nats/connection/connect.js';
import { startEmbeddedNats } from '../../connectors/nats/embedded/embedded.js';
import { provision } from '../../connectors/nats/provision/provision.js';
import { versionWarning } from '../../connectors/nats/provision/version.js';
import { EVENTS_SUBJECT, ITEMS_SUBJECT } from '../contract/streams.js';

export interface NatsChoice {
  /** Absent: an embedded server. */
  readonly nats?: NatsOptions;
  readonly dataDir: string;
  /** Path of the nats-server to use. */
  readonly natsServer?: string;
  /** Absent: 4222 or the next free one; 'any': whichever the system gives. */
  readonly natsPort?: number | 'any';
  readonly durability: 'process' | 'power';
  /** Whether who has no credentials may publish at the embedded server. */
  readonly natsAnonymous: boolean;
  readonly onProgress: (message: string) => void;
  readonly onFatal: (error: Error) => void;
  /** There is nothing to do here now but to wait for NATS. */
  readonly onWaiting?: () => void;
}

/** An embedded server that dies comes back (EMBEDDED-2): longer than its budget of restarts takes, all delays together. */
const RESTART_PATIENCE_MS = 15_000;

export interface NatsHandle {
  readonly options: NatsOptions;
  /** Process id of the embedded server. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

export async function openNats(choice: NatsChoice): Promise<NatsHandle> {
  if (choice.nats !== undefined) {
    choice.onWaiting?.();
    await checkServer(choice.nats, choice);
    return { options: choice.nats, pid: undefined, stop: () => Promise.resolve() };
  }
  const { natsServer, natsPort, onProgress, onFatal } = choice;
  const { path, version } = await provision({
    onProgress,
    ...(natsServer === undefined ? {} : { binary: natsServer }),
  });
  const server = await startEmbeddedNats({
    binary: path,
    version,
    ...(choice.onWaiting === undefined ? {} : { onSpawned: choice.onWaiting }),
    storeDir: join(choice.dataDir, 'nats'),
    ...(natsPort === undefined ? {} : { port: natsPort }),
    access: { anonymousSubjects: choice.natsAnonymous ? [EVENTS_SUBJECT, ITEMS_SUBJECT] : [] },
    syncInterval: choice.durability === 'power' ? 'always' : undefined,
    onEvent: (event) => {
      if (event.kind === 'died') onProgress(`nats-server died (${event.reason}); restarting it`);
      if (event.kind === 'disk-full') onProgress(`the disk is full: make room in ${event.storeDir}, and it goes on`);
    },
    onExit: onFatal,
  });
  const { url, nkeyFile, pid } = server;
  const options = { url, patienceMs: RESTART_PATIENCE_MS, ...(nkeyFile === undefined ? {} : { nkeyFile }) };
  return { options, pid, stop: () => server.stop() };
}

/** What the server lacks, and what nobody can see from here. Fails as `connectNats` does. */
async function checkServer(nats: NatsOptions, { durability, onProgress }: NatsChoice): Promise<void> {
  const connection = await connectNats(nats, 'rivulet-check');
  const lacks = versionWarning(nats.url, connection.info?.version ?? '0.0.0');
  await connection.close();
  if (lacks !== undefined) onProgress(lacks);
  if (durability === 'power') onProgress(SYNC_UNSEEN);
}

/** A server tells its sync_interval to its system account and its monitoring port alone (asked of 2.15.1). */
export const SYNC_UNSEEN =
  'durability is `power`, which the NATS servers must give: set `sync_interval: always` in the jetstream block of each. ' +
  'They do not tell their clients, so rivulet cannot check it.';
