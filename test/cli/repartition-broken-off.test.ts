/** What becomes of a repartition that was broken off when its data directory is lost, or NATS is replaced by a backup. No hint goes in a circle. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { StreamArchive } from '../../connectors/nats/log/stream-archive.js';
import { REPARTITIONING_STREAM } from '../../runtime/contract/streams.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { killedAt } from './killed-repartition.js';
import { type Ended, runCli, workingDirectory } from './run-cli.js';
import { SmallNodes } from './small-node.js';

const { cwd, remove } = workingDirectory();
let nodes = new SmallNodes(cwd);
let server: TestNats | undefined;
afterEach(async () => {
  await nodes.end();
  await server?.stop();
});
afterAll(remove);

const rivulet = (...args: string[]): Promise<Ended> => nodes.rivulet('node', ...args);
const plainRepair = (...args: string[]): Promise<Ended> => runCli(cwd, ['repair', '--data-dir', 'node', ...args]);
const file = (...path: string[]): string => join(cwd, 'node', ...path);
const says = (text: RegExp | string): unknown =>
  typeof text === 'string' ? expect.stringContaining(text) : expect.stringMatching(text);

it('a journal is nothing without its mark: neither restore nor repartition swaps old state in', async () => {
  const first = await nodes.start('node');
  await first.buy('chair-1');
  // What nobody has copied yet, no backup holds.
  await first.copied();
  expect((await rivulet('backup', join(cwd, 'saved'))).code).toBe(0);
  await first.stop();
  await killedAt('step copies', cwd, { dataDir: 'node', partitions: 2, sourcePartitions: 1 });
  for (const args of [['repair'], ['repair', '--yes']]) {
    const refused = await rivulet(...args);
    const hint = says(/from 1 to 2 .*\[REPARTITION_UNFINISHED\]\nhint: .*rivulet repartition --partitions 2 --yes/);
    expect([refused.code, refused.stdout, refused.stderr]).toEqual([3, '', hint]);
  }
  cpSync(file('repartition'), file('kept'), { recursive: true });
  const restored = await rivulet('restore', join(cwd, 'saved'), '--replace');
  expect([restored.code, restored.stderr]).toEqual([0, says(/set aside: .*repartition\.set-aside-/)]);
  expect(existsSync(file('repartition'))).toBe(false);
  // As if NATS had been put back by other means.
  cpSync(file('kept'), file('repartition'), { recursive: true });

  // The data directory has two partitions by now, NATS one.
  const plan = await rivulet('repair');
  expect([plan.code, plan.stdout]).toEqual([1, says(/^deployment\.json\n.*partitions 2, .* has 1\n.*as NATS has it/)]);
  const mended = await rivulet('repair', '--yes');
  expect([mended.code, mended.stdout]).toEqual([0, says('Done. Start the node with --partitions 1;')]);
  const second = await nodes.start('node');
  await second.buy('chair-2');
  await second.knows('chair-1', 'chair-2');
  await second.stop();

  const dry = await rivulet('repartition', '--partitions', '2');
  expect([dry.code, dry.stdout]).toEqual([0, says(/knows nothing of.*\nWould change: from 1 to 2/)]);
  expect(existsSync(file('repartition', 'journal.json'))).toBe(true);
  expect((await rivulet('repartition', '--partitions', '2', '--yes')).code).toBe(0);
  const third = await nodes.start('node', '--partitions', '2');
  await third.knows('chair-1', 'chair-2');
  await third.stop();

  // Stores that are not there are not counted as sound; what start refuses is not called sound.
  const there = readdirSync(file('state')).filter((name) => !name.includes('set-aside')).length;
  const sound = await plainRepair();
  expect([sound.code, sound.stdout]).toEqual([0, says(`${there} stores are sound and fit the log.`)]);
  const other = await plainRepair('--set', 'partitions=3');
  expect([other.code, other.stderr]).toEqual([3, says(/partitions 2, .* says 3 \[PARTITIONS_CHANGED\]/)]);
  const deployment = readFileSync(file('deployment.json'), 'utf8');
  writeFileSync(file('deployment.json'), deployment.replace('"partitions": 2', '"partitions": 4'));
  const edited = await plainRepair();
  expect([edited.code, edited.stdout]).toEqual([1, says(/^deployment\.json\n.*partitions 4, .* has 2/)]);
  expect((await plainRepair('--yes')).code).toBe(0);
  expect(readFileSync(file('deployment.json'), 'utf8')).toBe(deployment);
}, 180_000);

it('its data directory may be lost at any step: the copies, or everything anew, lead to a node that starts', async () => {
  server = await startTestNats();
  nodes = new SmallNodes(cwd, ['--nats-url', server.url]);
  rmSync(file(), { recursive: true, force: true });
  const lostAt = async (point: string, partitions: number): Promise<void> => {
    await killedAt(point, cwd, { dataDir: 'node', partitions, sourcePartitions: 1, natsUrl: server!.url });
    rmSync(file(), { recursive: true });
  };
  const first = await nodes.start('node');
  await first.buy('chair-1');
  await first.stop();

  await lostAt('drained', 2);
  const refused = await rivulet('start', '--grpc-port', '0');
  expect([refused.code, refused.stderr]).toEqual([3, says(/\[REPARTITION_UNFINISHED\]\n.*see rivulet repair/)]);
  const elsewhere = await rivulet('repartition', '--partitions', '2', '--yes');
  expect([elsewhere.code, elsewhere.stderr]).toEqual([3, says(/another data directory.*\n.*see rivulet repair/)]);
  const plan = await rivulet('repair');
  expect([plan.code, plan.stdout]).toEqual([1, says(/from 1 to 2 .*\n.*complete it.*\n.*lost: it is given up/)]);
  const given = await rivulet('repair', '--yes');
  expect([given.code, given.stdout]).toEqual([0, says(/is given up\.[^]*Start the node with --partitions 1\./)]);
  const second = await nodes.start('node');
  await second.knows('chair-1');
  await second.stop();

  await lostAt('copied', 2);
  expect((await rivulet('repair')).code).toBe(1);
  const done = await rivulet('repair', '--yes');
  expect([done.code, done.stdout]).toEqual([0, says('Start the node with --partitions 2.')]);
  const third = await nodes.start('node', '--partitions', '2');
  await third.knows('chair-1');
  await third.stop();

  await lostAt('streams', 1);
  const half = await rivulet('repair', '--yes');
  expect([half.code, half.stdout]).toEqual([1, says(/so is what was known[^]*--start-anew/)]);
  const anew = await rivulet('repair', '--start-anew', '--yes');
  expect([anew.code, anew.stdout]).toEqual([0, says('Start the node with --partitions 2.')]);
  const fourth = await nodes.start('node', '--partitions', '2');
  await fourth.buy('chair-2');
  await fourth.stop();

  // Given up as well where it could have been completed; one that runs is told.
  await killedAt('swapped', cwd, { dataDir: 'node', partitions: 3, sourcePartitions: 1, natsUrl: server.url });
  const loss = await rivulet('repair', '--start-anew');
  expect([loss.code, loss.stdout]).toEqual([1, says(/complete it.*--partitions 3 --yes\n[^]*What is lost/)]);
  expect((await rivulet('repair', '--start-anew', '--yes')).code).toBe(0);
  expect(existsSync(file('repartition'))).toBe(false);
  const fifth = await nodes.start('node', '--partitions', '3');
  await fifth.buy('chair-3');
  await fifth.stop();
  const connection = await connectNats({ url: server.url }, 'test');
  expect(await (await StreamArchive.open(connection)).names()).not.toContain(REPARTITIONING_STREAM);
  await connection.close();
}, 180_000);
