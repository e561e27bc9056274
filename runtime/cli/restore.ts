/** `rivulet restore`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats, type NatsOptions } from '../../connectors/nats/connect.js';
import { StreamArchive } from '../../connectors/nats/stream-archive.js';
import { nodesIn } from '../cluster-entries.js';
import type { Config } from '../config.js';
import { fatal } from '../errors.js';
import { openNats } from '../main-nats.js';
import { interruptible, openNodes, summaryOf } from './backup.js';
import { type BackupManifest, readManifest, verifyFiles } from './backup-files.js';
import { bytesBar } from './bytes-bar.js';
import type { RestoreOptions } from './commands-backup.js';
import { runningServer } from './nats-link.js';
import { natsOptions } from './node-options.js';
import { restoreStreams } from './restore-streams.js';
import { settingsOf } from './settings.js';
import { bytesText, grouped } from './terminal.js';

export async function restore(folder: string, options: RestoreOptions): Promise<void> {
  const { config } = settingsOf(options);
  const quiet = options.json === true;
  const manifest = await readManifest(folder);
  const bar = bytesBar(summaryOf(manifest).bytes, quiet);
  let read = 0;
  try {
    await verifyFiles(folder, manifest, (bytes) => {
      bar.update((read += bytes), 'checking');
    });
  } finally {
    bar.end();
  }
  if (options.check === true) {
    report(manifest, `${folder} is whole`, { dir: folder, whole: true }, quiet);
    return;
  }
  const { signal, end } = interruptible('interrupted: what was restored is removed again; --replace had its effect');
  try {
    const replaced = await withNats(config, (nats) => onto(nats, folder, manifest, options, signal));
    const where = natsOptions(config)?.url ?? config.dataDir;
    report(manifest, `restored onto ${where}`, { dir: folder, restored_to: where, replaced }, quiet);
    if (!quiet) process.stdout.write(`${whatNow(config)}\n`);
  } finally {
    end();
  }
}

/** The NATS that is named, or that of the data directory, which runs for as long as it is needed. */
async function withNats<T>(config: Config, work: (nats: NatsOptions) => Promise<T>): Promise<T> {
  const named = natsOptions(config);
  const running = named === undefined ? runningServer(config.dataDir) : undefined;
  if (running !== undefined) {
    throw fatal('RESTORE_NODE_RUNS', `a node runs on ${config.dataDir} (its nats-server is process ${running.pid})`, {
      hint: 'stop it first, or restore into another --data-dir',
    });
  }
  const { dataDir, natsServer, durability } = config;
  let died: Error | undefined;
  const nats = await openNats({
    ...{ dataDir, durability, natsPort: 'any' },
    ...(named === undefined ? {} : { nats: named }),
    ...(natsServer === undefined ? {} : { natsServer }),
    onProgress: (message) => process.stderr.write(`${message}\n`),
    onFatal: (error) => (died = error),
  });
  try {
    return await work(nats.options);
  } catch (error) {
    throw died ?? error;
  } finally {
    await nats.stop();
  }
}

/** Gives the streams that it has replaced. */
async function onto(
  nats: NatsOptions,
  folder: string,
  manifest: BackupManifest,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const connection = await connectNats(nats, 'rivulet-restore');
  const bar = bytesBar(summaryOf(manifest).bytes, options.json === true);
  let written = 0;
  let replaced: readonly string[] = [];
  try {
    const archive = await StreamArchive.open(connection);
    const alone = (): Promise<void> => mustBeAlone(archive, connection);
    await alone();
    await restoreStreams({
      archive,
      mustBeAlone: alone,
      ...{ folder, manifest, signal, replace: options.replace === true, replicas: options.replicas },
      onReplace: (names) => {
        replaced = names;
        process.stderr.write(`deleting ${names.length} streams: ${names.join(', ')}\n`);
      },
      onBytes: (bytes) => {
        bar.update((written += bytes), 'restoring');
      },
    });
    return replaced;
  } finally {
    bar.end();
    await connection.close();
  }
}

async function mustBeAlone(archive: StreamArchive, connection: NatsConnection): Promise<void> {
  const table = await openNodes(archive, connection);
  const live = table === undefined ? [] : nodesIn(await table.nodes.entries());
  if (live.length === 0) return;
  throw fatal(
    'RESTORE_NODES_LIVE',
    `nodes run on this NATS: ${live.map(({ id, name }) => `${id} (${name})`).join(', ')}`,
    {
      hint: 'stop them first; one that was killed is forgotten within seconds',
    },
  );
}

function report(manifest: BackupManifest, what: string, more: object, json: boolean): void {
  const summary = summaryOf(manifest);
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...more, ...summary }, undefined, 2)}\n`);
    return;
  }
  const { streams, messages, bytes, taken_at: takenAt } = summary;
  process.stdout.write(
    `${what}: ${streams} streams with ${grouped(messages)} messages, ${bytesText(bytes)}, taken at ${takenAt}\n`,
  );
}

function whatNow(config: Config): string {
  const state = join(config.dataDir, 'state');
  const here = existsSync(state) ? ` (here: ${state})` : '';
  return [
    `Now start the nodes: rivulet start${config.natsUrl === undefined ? ` --data-dir ${config.dataDir}` : ' --nats-url …'}`,
    `  State that a node has kept in its data directory${here} is gone on with where it is older than the backup, and refused (LOG_BEHIND)`,
    '  where it is newer: start that node with an empty --data-dir, or see rivulet repair.',
  ].join('\n');
}
