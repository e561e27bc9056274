/** The NATS of a node: configured servers, or an embedded one (composition). */
import { join } from 'node:path';
import { connectNats, type NatsOptions } from '../../connectors/nats/connection/connect.js';
import { startEmbeddedNats } from '../../connectors/nats/embedded/embedded.js';
import { provision } from '../../connectors/nats/provision/provision.js';
import { versionWarning } from '../../connectors/nats/provision/version.js';
import { systemClock } from '../contract/clock.js';
import type { Logger } from '../contract/ports.js';
import { EVENTS_SUBJECT, ITEMS_SUBJECT } from '../contract/streams.js';
import { Supervisor } from '../supervision/supervisor.js';

export interface NatsChoice {
  /** Absent: an embedded server. */
  readonly nats?: NatsOptions;
  readonly dataDir: string;
  /** Path of the nats-server to use. */
  readonly natsServer?: string;
  /** Absent: 4222 or the next free one; 'any': chosen by the system. */
  readonly natsPort?: number | 'any';
  readonly durability: 'process' | 'power';
  /** Whether clients without credentials may publish at the embedded server. */
  readonly natsAnonymous: boolean;
  readonly onProgress: (message: string) => void;
  /** Supervises the embedded server. */
  readonly supervisor: Supervisor;
  readonly logger: Logger;
  /** Called when nothing is left to do but to wait for NATS. */
  readonly onWaiting?: () => void;
}

/** An embedded server that dies is restarted (EMBEDDED-2): longer than all delays of its restart budget together. */
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
  const { natsServer, natsPort, onProgress, supervisor, logger } = choice;
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
    ...{ supervisor, logger },
  });
  const { url, nkeyFile, pid } = server;
  const options = { url, patienceMs: RESTART_PATIENCE_MS, ...(nkeyFile === undefined ? {} : { nkeyFile }) };
  return { options, pid, stop: () => server.stop() };
}

/** Supervises the embedded server of a command; warnings go to its progress messages. */
export function commandSupervision(
  onProgress: (message: string) => void,
  onEscalated: (error: Error) => void = () => undefined,
): Pick<NatsChoice, 'supervisor' | 'logger'> {
  const warn = (fields: { readonly reason?: string }, message: string): void => {
    onProgress(fields.reason === undefined ? message : `${message}: ${fields.reason}`);
  };
  const logger: Logger = { debug: () => undefined, info: () => undefined, warn, error: warn };
  return { logger, supervisor: new Supervisor({ clock: systemClock, logger, onEscalated }) };
}

/** Checks the server's settings, and reports those that cannot be checked. Fails as `connectNats` does. */
async function checkServer(nats: NatsOptions, { durability, onProgress }: NatsChoice): Promise<void> {
  const connection = await connectNats(nats, 'rivulet-check');
  const lacks = versionWarning(nats.url, connection.info?.version ?? '0.0.0');
  await connection.close();
  if (lacks !== undefined) onProgress(lacks);
  if (durability === 'power') onProgress(SYNC_UNSEEN);
}

/** A server reports its sync_interval only to its system account and its monitoring port (verified with 2.15.1). */
export const SYNC_UNSEEN =
  'durability is `power`, which the NATS servers must give: set `sync_interval: always` in the jetstream block of each. ' +
  'They do not tell their clients, so rivulet cannot check it.';
