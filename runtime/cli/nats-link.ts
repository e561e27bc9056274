/** The NATS that a command talks to: the one that the configuration names, or that of the node that runs on the data directory. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectNats, type NatsOptions } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import type { Config } from '../config/config.js';
import { fatal, RivuletError } from '../contract/errors.js';
import type { Log } from '../contract/ports.js';
import { natsOptions } from './node/node-options.js';

export interface EmbeddedServer {
  readonly url: string;
  readonly pid: number;
}

/** The embedded nats-server that runs on a data directory: it writes a file with its ports, named after its program and pid. */
export function runningServer(dataDir: string): EmbeddedServer | undefined {
  const folder = join(dataDir, 'nats');
  for (const name of namesIn(folder)) {
    const pid = Number(/_(\d+)\.ports$/.exec(name)?.[1] ?? NaN);
    if (!(pid > 0) || !isAlive(pid)) continue;
    const url = urlIn(join(folder, name));
    if (url !== undefined) return { url, pid };
  }
  return undefined;
}

/** Where to connect to; fatal NODE_NOT_FOUND when nothing is named and nothing runs. */
export function natsOf(config: Config): NatsOptions {
  const named = natsOptions(config);
  if (named !== undefined) return named;
  const server = runningServer(config.dataDir);
  if (server !== undefined) return { url: server.url };
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

export const hasCode = (error: unknown, code: string): boolean => error instanceof RivuletError && error.code === code;

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
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
    const { nats } = JSON.parse(readFileSync(portsFile, 'utf8')) as { readonly nats?: readonly string[] };
    return nats?.[0];
  } catch {
    return undefined; // Half written, or just removed.
  }
}
