/**
 * After a repartition nodes start at once, whatever they have: the data directory that was repartitioned, a part of it, or nothing. No copy was made before, so
 * that the mailboxes still hold all events; each of them is counted once.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { StreamArchive } from '../../connectors/nats/log/stream-archive.js';
import { BUCKETS } from '../../runtime/node/buckets.js';
import { countersIn, LiveNode } from '../support/live-nodes.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { until } from '../support/nats-cluster.js';
import { type Ended, runCli, workingDirectory } from './run-cli.js';
import { SmallNodes } from './small-node.js';

const { cwd, remove } = workingDirectory();
const started: LiveNode[] = [];
let server: TestNats | undefined;
afterAll(async () => {
  await Promise.all(started.map((node) => node.kill()));
  await server?.stop();
  remove();
});

const USERS = ['u1', 'u2', 'u3', 'u4', 'u5'];
const timeOf = (minute: number): string => `2026-11-01T10:${String(minute).padStart(2, '0')}:00Z`;

const rivulet = (...args: string[]): Promise<Ended> => runCli(cwd, [...args, '--nats-url', server!.url]);

async function start(name: string, partitions: number, chaining = 'off'): Promise<LiveNode> {
  const settings = [
    '--partitions',
    `${partitions}`,
    '--set',
    'copyEverySeconds=3600',
    '--set',
    `pipeline.chaining=${chaining}`,
    '--snapshot-every-seconds',
    '0.5',
  ];
  const node = await LiveNode.of(cwd, name, ['--nats-url', server!.url, ...settings]);
  started.push(node);
  await node.start();
  return node;
}

/** Each user buys four items; resolves when all nodes answer as of the last minute, though a frame of it may be under way still. */
async function publish(minute: number, nodes: readonly LiveNode[]): Promise<void> {
  const events = [0, 1, 2, 3].flatMap((n) =>
    USERS.map((user, u) => {
      const what = { event_id: `${minute}-${user}-${n}`, event_type: 'purchase', event_time: timeOf(minute + n) };
      return JSON.stringify({ ...what, user_id: user, item_id: `${u + n}`, category_code: 'home.chair', price: 5 });
    }),
  );
  const file = join(cwd, 'events.jsonl');
  writeFileSync(file, `${events.join('\n')}\n`);
  expect((await rivulet('publish', '--file', file)).code).toBe(0);
  for (const node of nodes) {
    const client = await node.connect();
    for (const userId of USERS) {
      await until(`the last event of ${userId}`, async () => {
        const { asOfMs } = await client.getRecommendations({ userId, limit: 10 });
        if (asOfMs === Date.parse(timeOf(minute + 3))) return true;
        throw new Error(`${asOfMs}\n${node.said}`);
      });
    }
    client.close();
  }
}

const STARTS_MAX = 5;

/** Stops the nodes and compares what they have counted together. What none had read when it was told to stop, the next start reads. */
async function stopped(events: number, ...nodes: readonly LiveNode[]): Promise<void> {
  for (let left = STARTS_MAX; ; left--) {
    for (const node of nodes) expect((await node.stop()).code).toBe(0);
    const counted = await countersIn(nodes.map(({ dataDir }) => dataDir));
    if (counted.on_time < events && left > 0) {
      for (const node of nodes) await node.start();
      continue;
    }
    expect(counted).toEqual({ events, on_time: events, late: 0, dead_letter: 0, duplicates: 0 });
    return;
  }
}

const repartitioned = async (partitions: number, chaining = 'off'): Promise<void> => {
  const wanted = ['--partitions', `${partitions}`, '--chaining', chaining];
  const { code, stdout } = await rivulet('repartition', ...wanted, '--yes', '--data-dir', 'old');
  expect([code, stdout]).toEqual([0, expect.stringContaining('copies in NATS')]);
};

async function drop(...streams: readonly string[]): Promise<void> {
  const connection = await connectNats({ url: server!.url }, 'test');
  const archive = await StreamArchive.open(connection);
  for (const name of streams) await archive.delete(name);
  await connection.close();
}

it('counts each event once, on the node that was repartitioned, one that lost a part of it, and empty ones', async () => {
  server = await startTestNats();
  const first = await start('old', 2);
  await publish(0, [first]);
  await stopped(20, first);
  await repartitioned(3);
  await drop(`KV_${BUCKETS.manifests}`, `OBJ_${BUCKETS.objects}`);
  // All events are there still, and yet no way to begin.
  const lost = await rivulet('repair', '--data-dir', 'nothing', '--set', 'partitions=3');
  expect(lost.stdout).toMatch(/^source-0\n( .*\n)*  there is no state of watermark\.0; LOG_GAP: .* were trimmed/m);

  await repartitioned(4, 'on');
  const pair = await Promise.all([start('old', 4, 'on'), start('empty', 4, 'on')]);
  await publish(5, pair);
  await stopped(40, ...pair);

  // A data directory that an earlier repartition has left out.
  const file = join(cwd, 'empty', 'deployment.json');
  const made = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...made, partitions: 2 }));
  const refused = await rivulet('repartition', '--partitions', '3', '--data-dir', 'empty');
  expect([refused.code, refused.stderr]).toEqual([
    3,
    expect.stringMatching(/made with partitions 2, .* has 4 \[PARTITIONS_CHANGED\]/),
  ]);

  await repartitioned(3);
  new SmallNodes(cwd).damage('old', 'source-0');
  const repaired = await rivulet('repair', '--yes', '--data-dir', 'old', '--set', 'partitions=3');
  expect([repaired.code, repaired.stdout]).toEqual([0, expect.stringContaining('the copy that NATS holds')]);
  rmSync(join(cwd, 'empty'), { recursive: true });
  const again = await Promise.all([start('empty', 3), start('old', 3)]);
  await publish(10, again);
  await stopped(60, ...again);

  // What the nodes had agreed on is gone: the streams say it, whoever comes first.
  await drop(`KV_${BUCKETS.deployment}`);
  const stranger = await rivulet('start', '--partitions', '2', '--data-dir', 'new', '--grpc-port', '0');
  expect([stranger.code, stranger.stderr]).toEqual([3, expect.stringMatching(/PARTITIONS_CHANGED.*--partitions 3/s)]);
  const fourth = await start('new', 3);
  await stopped(60, fourth, ...again);
}, 180_000);
