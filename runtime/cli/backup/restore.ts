/** `rivulet restore`. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats, type NatsOptions } from '../../../connectors/nats/connection/connect.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { nodesIn } from '../../cluster/entries.js';
import type { Config } from '../../config/config.js';
import { systemClock } from '../../contract/clock.js';
import { asError, explain, fatal } from '../../contract/errors.js';
import { commandSupervision, openNats } from '../../node/nats.js';
import { interruptible } from '../exit.js';
import { summaryOf } from './backup.js';
import { type BackupManifest, readManifest, verifyFiles } from './files.js';
import { openNodes } from '../buckets.js';
import { keepStreams } from './take.js';
import { bytesBar } from '../progress.js';
import { natsOptions } from '../node/node-options.js';
import { version } from '../../contract/version.js';
import { setDirectoryAside } from '../repair/plan.js';
import { brokenOff, workDirectory } from '../repartition/journal.js';
import { type Kept, restoreStreams } from './restore-streams.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { bytesText, grouped } from '../terminal.js';

export interface RestoreOptions extends SettingOptions {
  readonly replace?: true;
  readonly keep: boolean;
  readonly replicas?: number;
  readonly check?: true;
  readonly json?: true;
}

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
  const { signal, end } = interruptible('interrupted: what was restored is removed again');
  try {
    const replaced = await withNats(config, (nats) => onto(nats, config, folder, manifest, options, signal));
    const where = natsOptions(config)?.url ?? config.dataDir;
    report(manifest, `restored onto ${where}`, { dir: folder, restored_to: where, replaced }, quiet);
    if (!quiet) process.stdout.write(`${whatNow(config)}\n`);
  } finally {
    end();
  }
}

/** The configured NATS, or that of the data directory, started for as long as needed. */
async function withNats<T>(config: Config, work: (nats: NatsOptions) => Promise<T>): Promise<T> {
  const named = natsOptions(config);
  const { dataDir, natsServer, durability } = config;
  let died: Error | undefined;
  const onProgress = (message: string): unknown => process.stderr.write(`${message}\n`);
  const nats = await openNats({
    ...{ dataDir, durability, natsPort: 'any', natsAnonymous: false },
    ...(named === undefined ? {} : { nats: named }),
    ...(natsServer === undefined ? {} : { natsServer }),
    onProgress,
    ...commandSupervision(onProgress, (error) => (died = error)),
  });
  try {
    return await work(nats.options);
  } catch (error) {
    throw died ?? error;
  } finally {
    await nats.stop();
  }
}

/** Returns the streams that it has replaced. */
async function onto(
  nats: NatsOptions,
  config: Config,
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
    const { journal } = await brokenOff(config.dataDir, archive);
    await restoreStreams({
      archive,
      mustBeAlone: alone,
      ...{ folder, manifest, signal, replace: options.replace === true, replicas: options.replicas },
      keep: options.keep ? (names) => kept(config, archive, names, signal) : undefined,
      onReplace: (names, was) => {
        replaced = names;
        const where = was === undefined ? '' : `; they are saved in ${was.folder}, and put back should this fail`;
        process.stderr.write(`deleting ${names.length} streams: ${names.join(', ')}${where}\n`);
      },
      onBack: (was, error) => {
        const outcome = error === undefined ? 'was put back as it was' : `could not be put back: ${explain(error)}`;
        const again = error === undefined ? '' : `; bring it back with rivulet restore ${was.folder} --replace`;
        process.stderr.write(`what was there ${outcome}; it is saved in ${was.folder}${again}\n`);
      },
      onBytes: (bytes) => {
        bar.update((written += bytes), 'restoring');
      },
    });
    if (journal !== undefined) {
      const was = setDirectoryAside(workDirectory(config.dataDir), new Date(systemClock.nowMs()));
      process.stderr.write(`set aside: ${was}, of a repartition that was interrupted and is replaced\n`);
    }
    return replaced;
  } finally {
    bar.end();
    await connection.close();
  }
}

/** Saves the existing streams next to the data directory. Fatal RESTORE_KEEP. */
async function kept(
  { dataDir }: Config,
  archive: StreamArchive,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Kept> {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const folder = `${resolve(dataDir)}-replaced-${time}`;
  try {
    process.stderr.write(`saving what is there in ${folder}\n`);
    const request = { archive, folder, rivulet: version(), nowMs: () => systemClock.nowMs(), signal };
    return { folder, manifest: await keepStreams(request, names) };
  } catch (cause) {
    signal.throwIfAborted();
    throw fatal('RESTORE_KEEP', `what is there cannot be saved before it is replaced: ${asError(cause).message}`, {
      cause,
      hint: 'make room there, or give --no-keep, which deletes it without saving it; nothing was changed',
    });
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
  const url = natsOptions(config)?.url;
  const state = join(config.dataDir, 'state');
  const here = existsSync(state) ? ` (here: ${state})` : '';
  return [
    `Now start the nodes: rivulet start${url === undefined ? ` --data-dir ${config.dataDir}` : ` --nats-url ${url}`}`,
    `  State that a node has kept in its data directory${here} is gone on with where it is older than the backup, and refused (LOG_BEHIND)`,
    '  where it is newer: start that node with an empty --data-dir, or see rivulet repair.',
  ].join('\n');
}
