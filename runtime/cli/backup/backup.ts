/** `rivulet backup`. */
import { randomUUID } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import { mainTopology } from '../../../actors/topology.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { systemClock } from '../../contract/clock.js';
import type { Config } from '../../config/config.js';
import { streamOf } from '../../contract/graph.js';
import { asError, hasCode } from '../../contract/errors.js';
import { BUCKETS } from '../../node/buckets.js';
import { sharedDeployment } from '../../node/deployment.js';
import { retryThroughFailover } from '../../supervision/retry.js';
import type { BackupManifest } from './files.js';
import { Hold } from './hold.js';
import { streamsToSave } from './order.js';
import { Soundness } from './soundness.js';
import { type BackupRequest, streamsNow, takeBackup } from './take.js';
import { openBucket, openNodes } from '../buckets.js';
import { bytesBar } from '../progress.js';
import { interruptible } from '../exit.js';
import { natsOf } from '../nats-link.js';
import { pipelineOptions } from '../node/node-options.js';
import { version } from '../../contract/version.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { openStoredCopies } from './stored-copies.js';
import { bytesText, grouped } from '../terminal.js';

export interface BackupOptions extends SettingOptions {
  readonly wait: boolean;
  readonly waitSeconds: number;
  readonly json?: true;
}

const ATTEMPTS_MAX = 3;

export async function backup(folder: string, options: BackupOptions): Promise<void> {
  const { config } = settingsOf(options);
  const connection = await connectNats(natsOf(config), 'rivulet-backup');
  const { signal, end } = interruptible('interrupted: what was written is removed');
  try {
    const withRetry = retryThroughFailover(systemClock, (error) => {
      process.stderr.write(`NATS does not answer yet, waiting for it: ${asError(error).message}\n`);
    });
    const archive = await StreamArchive.open(connection);
    const deployment = await withRetry(() => deploymentOf(archive, connection));
    const soundness = new Soundness(connection, archive, await withRetry(() => openStoredCopies(connection)));
    const manifest = await withHold(archive, connection, options, signal, (mustHold) =>
      take(config, { archive, folder, deployment, soundness, mustHold, signal }, options.json === true),
    );
    report(manifest, folder, options.json === true);
  } finally {
    end();
    await connection.close();
  }
}

async function take(
  config: Config,
  request: Pick<BackupRequest, 'archive' | 'folder' | 'deployment' | 'soundness' | 'mustHold' | 'signal'>,
  quiet: boolean,
): Promise<BackupManifest> {
  const streams = streamsToSave(mainTopology(pipelineOptions(config)));
  const now = await streamsNow(request.archive, streams);
  const bar = bytesBar(
    [...now.values()].reduce((sum, { state }) => sum + state.bytes, 0),
    quiet,
  );
  const done = new Map<string, number>();
  const work: BackupRequest = {
    ...request,
    streams,
    rivulet: version(),
    nowMs: () => systemClock.nowMs(),
    onProgress: (stream, bytes) => {
      done.set(stream, Math.min(bytes, now.get(stream)?.state.bytes ?? 0));
      bar.update(
        [...done.values()].reduce((sum, one) => sum + one, 0),
        stream,
      );
    },
  };
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await takeBackup(work);
      } catch (error) {
        // A node may have been trimming when it acknowledged the hold.
        if (attempt === ATTEMPTS_MAX || !hasCode(error, 'BACKUP_TRIMMED')) throw error;
      }
    }
  } finally {
    bar.end();
  }
}

/** The settings fixed for the deployment, as its first node recorded them. */
async function deploymentOf(archive: StreamArchive, connection: NatsConnection): Promise<unknown> {
  const table = await openBucket(archive, connection, BUCKETS.deployment);
  return (table === undefined ? undefined : await sharedDeployment(table.entries)) ?? null;
}

async function withHold<T>(
  archive: StreamArchive,
  connection: NatsConnection,
  { wait, waitSeconds }: BackupOptions,
  signal: AbortSignal,
  work: (mustHold: () => void) => Promise<T>,
): Promise<T> {
  const nodes = await openNodes(archive, connection);
  if (nodes === undefined) return work(() => undefined);
  const hold = await Hold.take(nodes, systemClock, randomUUID());
  try {
    if (wait) await hold.acknowledged(waitSeconds * 1000, signal);
    return await work(() => {
      hold.mustHold();
    });
  } finally {
    await hold.release();
  }
}

/** Of the streams of a backup, for people and scripts. */
export const summaryOf = ({ streams, takenAt }: BackupManifest) => ({
  taken_at: takenAt,
  streams: streams.length,
  messages: streams.reduce((sum, { state }) => sum + state.messages, 0),
  bytes: streams.reduce((sum, { bytes }) => sum + bytes, 0),
});

function report(manifest: BackupManifest, folder: string, json: boolean): void {
  const entry = manifest.streams.find(({ name }) => name === streamOf('parse'));
  const summary = { ...summaryOf(manifest), seconds: manifest.seconds, events_up_to: entry?.state.last_seq ?? 0 };
  if (json) {
    process.stdout.write(`${JSON.stringify({ dir: folder, ...summary }, undefined, 2)}\n`);
    return;
  }
  const { streams, messages, bytes, seconds, events_up_to: upTo } = summary;
  process.stdout.write(
    `${streams} streams with ${grouped(messages)} messages in ${seconds.toFixed(1)} s: ${bytesText(bytes)} in ${folder}\n` +
      `  events up to message ${grouped(upTo)} of ${streamOf('parse')} are in it, later ones are not\n` +
      `  check it now and then: rivulet restore ${folder} --check\n`,
  );
}
