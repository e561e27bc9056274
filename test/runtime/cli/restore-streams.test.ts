/** What a restore replaces must be as it was saved, but for what its age has removed. */
import { jetstreamManager } from '@nats-io/jetstream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import type { BackupManifest } from '../../../runtime/cli/backup/files.js';
import { restoreStreams } from '../../../runtime/cli/backup/restore-streams.js';
import type { Log } from '../../../runtime/contract/ports.js';
import { startTestNats, type TestNats } from '../../support/nats.js';

let server: TestNats;
let log: Log;
let archive: StreamArchive;
let names: () => Promise<string[]>;
beforeEach(async () => {
  server = await startTestNats();
  const connection = await connectNats({ url: server.url }, 'test');
  const manager = await jetstreamManager(connection);
  log = await openNatsLog(connection, { manager });
  archive = await StreamArchive.open(connection);
  names = () => archive.names();
});
afterEach(async () => {
  await log.close();
  await server.stop();
});

const HISTORY = 'RIVULET_HISTORY';

/** Replaces the stream by a backup without any, while it loses or gets messages behind what was saved. */
async function replaced(ageMaxMs: number | undefined, meanwhile: () => Promise<unknown>): Promise<void> {
  await log.ensureStream({
    ...{ name: HISTORY, subjects: ['h.>'], bytesMax: 1e6, dropsOldest: true, replicas: 1 },
    ...(ageMaxMs === undefined ? {} : { ageMaxMs }),
  });
  for (let n = 0; n < 3; n++) await log.publish('h.1', new Uint8Array(1));
  const manifestOf = (streams: BackupManifest['streams']): BackupManifest => ({ streams }) as BackupManifest;
  await restoreStreams({
    ...{ archive, folder: '', manifest: manifestOf([]), replace: true, replicas: 1 },
    keep: async () => {
      const saved = await archive.find(HISTORY);
      await meanwhile();
      return { folder: '', manifest: manifestOf([{ ...saved!, files: [] } as never]) };
    },
    ...{ mustBeAlone: () => Promise.resolve(), onReplace: () => undefined, onBack: () => undefined },
    ...{ onBytes: () => undefined, signal: new AbortController().signal },
  });
}

it('a stream of which the oldest has aged since is as it was saved', async () => {
  await replaced(86_400_000, () => log.purge(HISTORY, 'h.1', 2));
  expect(await names()).toEqual([]);
});

it.each([
  ['one that has more', 86_400_000, () => log.publish('h.1', new Uint8Array(1))],
  ['one that has less, without an age', undefined, () => log.purge(HISTORY, 'h.1', 2)],
])('%s has changed, and nothing is deleted', async (_, ageMaxMs, meanwhile) => {
  await expect(replaced(ageMaxMs, meanwhile)).rejects.toMatchObject({ code: 'RESTORE_CHANGED' });
  expect(await names()).toEqual([HISTORY]);
});
