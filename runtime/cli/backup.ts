/** `rivulet backup`. */
import { existsSync, readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connect.js';
import { openKeyValue } from '../../connectors/nats/key-value.js';
import { StreamArchive } from '../../connectors/nats/stream-archive.js';
import { systemClock } from '../clock.js';
import type { Config } from '../config.js';
import { streamOf } from '../graph.js';
import type { KeyValue } from '../ports.js';
import type { BackupManifest } from './backup-files.js';
import { Hold } from './backup-hold.js';
import { streamsToSave } from './backup-order.js';
import { streamsNow, takeBackup } from './backup-take.js';
import { bytesBar } from './bytes-bar.js';
import type { BackupOptions } from './commands-backup.js';
import { Interrupted } from './exit.js';
import { natsOf } from './nats-link.js';
import { pipelineOptions } from './node-options.js';
import { version } from './program.js';
import { NODES_STREAM } from './restore-streams.js';
import { settingsOf } from './settings.js';
import { bytesText, grouped } from './terminal.js';

const NANOS_PER_MS = 1e6;

export async function backup(folder: string, options: BackupOptions): Promise<void> {
  const { config } = settingsOf(options);
  const connection = await connectNats(natsOf(config), 'rivulet-backup');
  const { signal, end } = interruptible('interrupted: what was written is removed');
  try {
    const manifest = await withHold(connection, options, signal, (mustHold) =>
      take(config, folder, connection, options.json === true, mustHold, signal),
    );
    report(manifest, folder, options.json === true);
  } finally {
    end();
    await connection.close();
  }
}

async function take(
  config: Config,
  folder: string,
  connection: NatsConnection,
  quiet: boolean,
  mustHold: () => void,
  signal: AbortSignal,
): Promise<BackupManifest> {
  const archive = await StreamArchive.open(connection);
  const streams = streamsToSave(mainTopology(pipelineOptions(config)));
  const now = await streamsNow(archive, streams);
  const bar = bytesBar(
    [...now.values()].reduce((sum, { state }) => sum + state.bytes, 0),
    quiet,
  );
  const done = new Map<string, number>();
  try {
    return await takeBackup({
      ...{ archive, folder, streams, mustHold, signal },
      rivulet: version(),
      deployment: deploymentIn(config.dataDir),
      nowMs: () => systemClock.nowMs(),
      onProgress: (stream, bytes) => {
        done.set(stream, Math.min(bytes, now.get(stream)?.state.bytes ?? 0));
        bar.update(
          [...done.values()].reduce((sum, one) => sum + one, 0),
          stream,
        );
      },
    });
  } finally {
    bar.end();
  }
}

/** The table in which nodes say that they live; `undefined` where none has run that does. As it is: a backup changes no setting. */
export async function openNodes(connection: NatsConnection): Promise<KeyValue | undefined> {
  const found = await (await StreamArchive.open(connection)).find(NODES_STREAM);
  if (found === undefined) return undefined;
  const { max_age: ageNs, num_replicas: replicas } = found.config;
  const bucket = NODES_STREAM.slice('KV_'.length);
  return openKeyValue(connection, { bucket, replicas, ...(ageNs === 0 ? {} : { ttlMs: ageNs / NANOS_PER_MS }) });
}

async function withHold<T>(
  connection: NatsConnection,
  { wait, waitSeconds }: BackupOptions,
  signal: AbortSignal,
  work: (mustHold: () => void) => Promise<T>,
): Promise<T> {
  const nodes = await openNodes(connection);
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

/** Ctrl-C as an abort; `end` gives the keys back. */
export function interruptible(message: string): { readonly signal: AbortSignal; readonly end: () => void } {
  const abort = new AbortController();
  const onSignal = (): void => {
    abort.abort(new Interrupted(message));
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal);
  return {
    signal: abort.signal,
    end: () => {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, onSignal);
    },
  };
}

/** What the node of this data directory was made with; of nodes elsewhere the deployment's own table tells. */
function deploymentIn(dataDir: string): unknown {
  const file = join(dataDir, 'deployment.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as unknown) : null;
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
