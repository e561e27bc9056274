/**
 * A folder that another process feeds, slowly, with half-written files and changed names, while the node that watches it is killed with -9 ten times:
 * in the end every row is there once, though no row has an id.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { seededRandom } from '../../actors/maths/random.js';
import { lastChunk } from '../../runtime/jobs/source-writer.js';
import { outputOf, type Running, startCli, startProgram, workingDirectory } from '../cli/run-cli.js';
import { ROOT } from '../guards/source-files.js';
import { awaited, pause } from '../support/blows.js';
import { eventually } from '../support/eventually.js';
import { startTestNats } from '../support/nats.js';

const SEED = Number(process.env.RIVULET_CRASH_SEED ?? 11);
const KILLS = 10;
const FILES = 60;
const TARGET = { to: 'parse', from: 'folder' };

const { cwd, remove } = workingDirectory();
const ending: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ending.reverse()) await end();
  remove();
});

/** Ended with the test, if it does not end before. */
function guarded(running: Running): Running {
  ending.push(() => {
    running.child.kill('SIGKILL');
    return running.ended;
  });
  return running;
}

async function startNode(url: string, folder: string): Promise<Running> {
  const args = ['--nats-url', url, '--data-dir', 'node', '--grpc-port', '0', '--partitions', '2', '--watch', folder];
  const often = ['--snapshot-every-seconds', '0.2', '--set', 'leaseSeconds=1', '--set', 'sources.settleSeconds=2'];
  const running = guarded(startCli(cwd, ['start', ...args, ...often]));
  await running.printed(/rivulet is up/);
  return running;
}

const rivulet = (...args: readonly string[]): Promise<string> => outputOf(cwd, args);

it('every row of a watched folder counts once, however often the node is killed', async () => {
  const random = seededRandom(SEED);
  const nats = await startTestNats();
  ending.push(() => nats.stop());
  const connection: NatsConnection = await connectNats({ url: nats.url }, 'witness');
  ending.push(() => connection.close());
  const log = await openNatsLog(connection);
  const folder = join(cwd, 'incoming');
  mkdirSync(folder);
  let node = await startNode(nats.url, folder);
  const feeder = guarded(
    startProgram(cwd, process.execPath, [join(ROOT, 'test/support/folder-feeder.mjs'), folder, String(FILES)]),
  );
  let isFed = false;
  void feeder.ended.then(() => (isFed = true));

  let inFiles = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    // Each second time inside a file, where there is one to come.
    if (kill % 2 === 1)
      await awaited(
        async () => (await lastChunk(log, TARGET))?.endsEpoch === false || undefined,
        () => isFed,
      );
    else await pause(500 + random() * 3_000);
    node.child.kill('SIGKILL');
    await node.ended;
    if ((await lastChunk(log, TARGET))?.endsEpoch === false) inFiles++;
    node = await startNode(nats.url, folder);
  }
  const { code, stdout, stderr } = await feeder.ended;
  expect(code, stderr).toBe(0);
  const rows = Number(stdout);
  expect(inFiles, 'kills inside a file').toBeGreaterThan(1);

  await eventually(
    async () => {
      const { events } = JSON.parse(await rivulet('history', 'ls', '--json', '--nats-url', nats.url)) as {
        events: number;
      };
      expect(events).toBe(rows);
    },
    { timeout: 90_000 },
  );
  const exported = (await rivulet('history', 'export', '--format', 'jsonl', '--nats-url', nats.url))
    .trimEnd()
    .split('\n');
  const times = exported.map((line) => Date.parse((JSON.parse(line) as { event_time: string }).event_time));
  expect(times.length).toBe(rows);
  // Each row has its own time, one millisecond after the row before.
  const sorted = Float64Array.from(times).sort();
  expect(sorted.every((time, i) => time === sorted[0]! + i)).toBe(true);
}, 300_000);
