/** A node whose state is damaged, and whose log was trimmed: it refuses to start, says what to do, and that works. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { runCli, type Running, startCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
const running: Running[] = [];
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGTERM');
    await ended;
  }
});
afterAll(remove);

const SMALL = ['--data-dir', 'node', '--set', 'partitions=1', '--set', 'sourcePartitions=1'];
const rivulet = (...args: string[]) => runCli(cwd, [...args, ...SMALL]);

async function start(): Promise<{ address: string; stop: () => Promise<unknown> }> {
  const node = startCli(cwd, ['start', ...SMALL, '--grpc-port', '0']);
  running.push(node);
  const [, address] = await node.printed(/gRPC on (127\.0\.0\.1:\d+)/);
  const stop = (): Promise<unknown> => {
    node.child.kill('SIGTERM');
    return node.ended;
  };
  return { address: address!, stop };
}

async function publish(address: string, item: string): Promise<void> {
  const event = (n: number): string =>
    `${JSON.stringify({ event_id: `${item}-${n}`, event_type: 'purchase', event_time: `2026-11-01T10:0${n}:00Z`, user_id: 'u1', item_id: item, category_code: 'home.chair', price: 5 })}\n`;
  writeFileSync(join(cwd, 'events.jsonl'), [1, 2, 3].map(event).join(''));
  await rivulet('publish', '--file', 'events.jsonl');
  // Each try is a command of its own: no pause is needed in between.
  for (let said = ''; !said.includes(item);) said = (await runCli(cwd, ['get', 'u1', '--address', address])).stdout;
}

it('damaged state is refused, explained, set aside, and computed anew from what comes', async () => {
  for (const item of ['chair-1', 'chair-2']) {
    const { address, stop } = await start();
    await publish(address, item);
    const busy = await rivulet('repair');
    expect([busy.code, busy.stderr]).toEqual([3, expect.stringContaining('[NATS_STORE_IN_USE]')]);
    await stop();
  }
  const sound = await rivulet('repair');
  expect([sound.code, sound.stdout]).toEqual([0, expect.stringContaining('Nothing to repair')]);

  const folder = join(cwd, 'node', 'state', 'user-0');
  const table = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.ldb'))!,
  );
  const bytes = readFileSync(table);
  bytes[60]! ^= 1;
  writeFileSync(table, bytes);
  const refused = await rivulet('start', '--grpc-port', '0');
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(/\[STATE_DAMAGED\]\n.*rivulet repair/s)]);

  const plan = await rivulet('repair', '--yes');
  expect([plan.code, plan.stdout]).toEqual([1, expect.stringMatching(/cannot be made good[^]*--start-anew/)]);
  const loss = await rivulet('repair', '--start-anew');
  expect([loss.code, loss.stdout]).toEqual([1, expect.stringMatching(/What is lost: [^]*Nothing was changed/)]);
  const done = await rivulet('repair', '--start-anew', '--yes');
  expect([done.code, done.stdout]).toEqual([
    0,
    expect.stringMatching(/set aside: .*user-0\.set-aside-\d+T\d+Z\n[^]*Done\./),
  ]);
  expect(
    readFileSync(
      join(
        cwd,
        'node',
        'state',
        readdirSync(join(cwd, 'node', 'state')).find((name) => name.startsWith('user-0.set-aside'))!,
        'CURRENT',
      ),
      'utf8',
    ),
  ).toContain('MANIFEST');

  const { address, stop } = await start();
  await publish(address, 'chair-3');
  await stop();
  expect((await rivulet('repair', '--json')).code).toBe(0);
}, 90_000);
