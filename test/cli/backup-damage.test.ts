/** Backups of what is damaged, and restores that fail: nobody is told that all is well, and nothing is gone. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import type { EmbeddedNats } from '../../connectors/nats/embedded/embedded.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { textOf, utf8 } from '../../runtime/frames/bytes.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import { type CopyPart, writeManifest } from '../../runtime/replication/store.js';
import { BUCKETS, openCopies } from '../../runtime/node/buckets.js';
import type { Log } from '../../runtime/contract/ports.js';
import { ensureStreams } from '../../runtime/contract/streams.js';
import { SILENT } from '../runtime/tuning.js';
import { startEmbedded } from '../support/nats.js';
import { takePieceAway } from '../support/object-damage.js';
import { type Ended, runCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
const UNIT = 'user-0';
const RECORD = 'rivulet.quarantine.parse.0';
let storeDir: string;
let server: EmbeddedNats;
beforeEach(async () => {
  storeDir = mkdtempSync(join(tmpdir(), 'rivulet-nats-'));
  await startServer();
});
afterEach(async () => {
  await server.stop();
  rmSync(storeDir, { recursive: true, force: true });
});
afterAll(remove);

async function startServer(): Promise<void> {
  server = await startEmbedded({ storeDir });
}

const rivulet = (command: string, folder: string, ...args: string[]): Promise<Ended> =>
  runCli(cwd, [command, folder, ...args], { RIVULET_NATS_URL: server.url.replace('//', '//ann:secret@') });

const withLog = async <T>(work: (log: Log) => Promise<T>): Promise<T> => {
  const log = await openNatsLog(await connectNats({ url: server.url }, 'test'));
  return work(log).finally(() => log.close());
};

/** The streams of a deployment, as its nodes leave them behind: events, a record of what was buried. */
const deployed = (): Promise<void> =>
  withLog(async (log) => {
    const topology = mainTopology(pipelineOptions(loadConfig({ env: {}, flags: [] }).config));
    await ensureStreams(log, topology, { bytesMax: 1e8, replicas: 1 });
    for (let i = 0; i < 20; i++) await log.publish('rivulet.events.view', utf8(`event-${i}-${'x'.repeat(200)}`));
    await log.publish(RECORD, utf8('buried'));
  });

it('is none of a copy whose part is damaged, or not there', async () => {
  await deployed();
  const connection = await connectNats({ url: server.url }, 'test');
  const copies = await openCopies(connection, { replicas: 1, logger: SILENT });
  const name = `${UNIT}/7-n-0`;
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(100);
  }
  const part: CopyPart = { name, ...(await copies.objects.put(name, bytes())), from: {}, to: { window: 7 } };
  await writeManifest(copies, UNIT, [part], 0);
  expect((await rivulet('backup', 'sound')).code).toBe(0);

  const refusal = [1, expect.stringMatching(/user-0 .*user-0\/7-n-0.*\[BACKUP_COPY\]\n(.*\n)*hint: .*user-0\/7-n-0/)];
  await takePieceAway(connection, BUCKETS.objects, name);
  const damaged = await rivulet('backup', 'damaged');
  expect([damaged.code, damaged.stderr]).toEqual(refusal);
  expect(readdirSync(join(cwd, 'damaged'))).toEqual([]);
  await copies.objects.delete(name);
  const missing = await rivulet('backup', 'damaged');
  expect([missing.code, missing.stderr]).toEqual(refusal);
  await connection.close();
});

it('is none of a stream with a message that the server cannot read', async () => {
  await deployed();
  await server.stop();
  const file = join(storeDir, 'jetstream', '$G', 'streams', 'RIVULET_PARSE', 'msgs', '1.blk');
  const block = readFileSync(file);
  block[block.indexOf('event-7-') + 100]! ^= 1;
  writeFileSync(file, block);
  await startServer();
  const { code, stderr } = await rivulet('backup', 'unreadable');
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/1 of the 20 messages that RIVULET_PARSE.*\[BACKUP_STREAM\]/),
  ]);
});

it('that cannot be restored leaves what was there as it was; one that can brings back what was buried', async () => {
  await deployed();
  expect((await rivulet('backup', 'saved')).code).toBe(0);
  await withLog(async (log) => {
    await log.publish('rivulet.events.view', utf8('later'));
    await log.publish(RECORD, utf8('buried later'));
  });
  spoil(join(cwd, 'saved', 'manifest.json'));
  const lines = (): Promise<unknown> =>
    withLog(async (log) => [
      (await log.info('RIVULET_PARSE')).lastSequence,
      textOf((await log.last('RIVULET_QUARANTINE', RECORD))!.data),
    ]);
  const failed = await rivulet('restore', 'saved', '--replace');
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(
    /what was there was put back as it was; it is saved in (.*)\n(.*\n)*.*\[RESTORE_STREAM\]\n(.*\n)*hint: /,
  );
  expect(await lines()).toEqual([21, 'buried later']);

  // What was there is a backup as any other.
  const kept = /put back as it was; it is saved in (.*)\n/.exec(failed.stderr)![1]!;
  spoil(join(cwd, 'saved', 'manifest.json'), -1);
  const replaced = await rivulet('restore', 'saved', '--replace', '--no-keep');
  expect([replaced.code, replaced.stderr]).toEqual([0, expect.not.stringContaining('sav')]);
  expect(replaced.stdout).toContain(`rivulet start --nats-url ${server.url}\n`);
  expect(await lines()).toEqual([20, 'buried']);
  expect((await rivulet('restore', kept, '--replace')).code).toBe(0);
  expect(await lines()).toEqual([21, 'buried later']);
});

/** A manifest as it would be, had the server dropped a message of the last stream when it was saved. */
function spoil(file: string, more = 1): void {
  const { digest: _, ...manifest } = JSON.parse(readFileSync(file, 'utf8')) as {
    digest: string;
    streams: { state: { messages: number } }[];
  };
  manifest.streams.at(-1)!.state.messages += more;
  const digest = createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
  writeFileSync(file, JSON.stringify({ ...manifest, digest }));
}
