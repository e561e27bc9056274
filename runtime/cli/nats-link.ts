/** The NATS of a command: the configured one, or that of the node that runs on the data directory. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectNats, type NatsOptions } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { nodeKeyFile } from '../../connectors/nats/embedded/node-key.js';
import type { Config } from '../config/config.js';
import { fatal } from '../contract/errors.js';
import type { Log } from '../contract/ports.js';
import { hasFields, isListOf, isText, storedJson } from '../contract/stored-json.js';
import { natsOptions } from './node/node-options.js';

export interface EmbeddedServer {
  readonly url: string;
  readonly pid: number;
  /** The node's key; absent: a server of an earlier version, which requires none. */
  readonly nkeyFile?: string;
}

/** The embedded nats-server that runs on a data directory, found by its ports file, which is named after its program and pid. */
export function runningServer(dataDir: string): EmbeddedServer | undefined {
  const folder = join(dataDir, 'nats');
  for (const name of namesIn(folder)) {
    const pid = Number(/_(\d+)\.ports$/.exec(name)?.[1] ?? NaN);
    if (!(pid > 0) || !isAlive(pid)) continue;
    const url = urlIn(join(folder, name));
    const nkeyFile = nodeKeyFile(folder);
    if (url !== undefined) return { url, pid, ...(existsSync(nkeyFile) ? { nkeyFile } : {}) };
  }
  return undefined;
}

/** Where to connect; `undefined` if no NATS is configured and no server runs. */
export function natsIfAny(config: Config): NatsOptions | undefined {
  const named = natsOptions(config);
  if (named !== undefined) return named;
  const server = runningServer(config.dataDir);
  if (server === undefined) return undefined;
  const { url, nkeyFile } = server;
  return { url, ...(nkeyFile === undefined ? {} : { nkeyFile }) };
}

/** The command with which operators inspect the embedded server. */
export const natsCommand = ({ url, nkeyFile }: NatsOptions): string =>
  `nats --server ${url}${nkeyFile === undefined ? '' : ` --nkey ${nkeyFile}`}`;

/** Fatal NODE_NOT_FOUND when there is none. */
export function natsOf(config: Config): NatsOptions {
  const options = natsIfAny(config);
  if (options !== undefined) return options;
  throw fatal('NODE_NOT_FOUND', `no running node found in ${config.dataDir}`, {
    hint: 'start one with `rivulet start` or `rivulet demo`, or give --nats-url (or --data-dir, if it runs on another)',
  });
}

/** Runs `work` with a log on that NATS, and closes it. */
export async function withLog<T>(config: Config, name: string, work: (log: Log) => Promise<T>): Promise<T> {
  const log = await openNatsLog(await connectNats(natsOf(config), `rivulet-${name}`));
  try {
    return await work(log);
  } finally {
    await log.close();
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // There is no such folder yet.
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process is alive as well.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function urlIn(portsFile: string): string | undefined {
  try {
    const ports = storedJson<{ readonly nats: readonly string[] }>(
      readFileSync(portsFile, 'utf8'),
      hasFields({ nats: isListOf(isText) }),
    );
    return ports?.nats[0];
  } catch {
    return undefined; // Half written, or just removed.
  }
}
