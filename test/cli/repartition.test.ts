/**
 * A node with state gets another number of partitions, and stages that run as one, killed at every point on the way; then it knows and says what a node
 * says that had these partitions from the start, with each stage alone. So it does when its stages are apart again.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { PURCHASES_ALONE } from '../support/purchases-alone.js';
import { killedAt } from './killed-repartition.js';
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

const rivulet = (node: string, ...args: string[]) => runCli(cwd, [...args, '--data-dir', node]);

interface Node {
  readonly address: string;
  stop(): Promise<unknown>;
}

const CHAINED = ['--set', 'pipeline.chaining=on'];

async function start(node: string, partitions: number, ...more: readonly string[]): Promise<Node> {
  const flags = ['--data-dir', node, '--partitions', `${partitions}`, '--grpc-port', '0'];
  const started = startCli(cwd, ['start', ...flags, ...PURCHASES_ALONE, ...more]);
  running.push(started);
  const [, address] = await started.printed(/gRPC on (127\.0\.0\.1:\d+)/);
  return {
    address: address!,
    stop: () => {
      started.child.kill('SIGTERM');
      return started.ended;
    },
  };
}

const USERS = ['u1', 'u2', 'u3', 'u4', 'u5'];
const CATEGORIES = ['home.chair', 'kids', 'auto.parts'];

/** Each user does something with some items, in the minutes from `minute` on. */
async function publish(node: string, minute: number, type: string): Promise<void> {
  const events = USERS.flatMap((user, u) =>
    [0, 1, 2, 3].map((n) => {
      const item = (u * 3 + n * 5 + minute) % 17;
      const time = `2026-11-01T10:${String(minute + n).padStart(2, '0')}:00Z`;
      const what = { event_id: `${minute}-${user}-${n}`, event_type: type, event_time: time, user_id: user };
      return JSON.stringify({ ...what, item_id: `${item}`, category_code: CATEGORIES[item % 3], price: 5 });
    }),
  );
  const file = join(cwd, `events-${minute}.jsonl`);
  writeFileSync(file, `${[...events, '{"event_type":"unheard of"}'].join('\n')}\n`);
  expect((await rivulet(node, 'publish', '--file', file)).code).toBe(0);
}

interface Item {
  readonly item_id: string;
  readonly score: number;
  readonly type: string;
}

async function answer(node: Node, user: string): Promise<{ as_of: string | undefined; items: unknown[] }> {
  const { code, stdout, stderr } = await runCli(cwd, [
    'get',
    user,
    '--number',
    '20',
    '--strategy',
    'category-popularity',
    '--json',
    '--address',
    node.address,
  ]);
  if (code !== 0) throw new Error(stderr);
  const { as_of, items } = JSON.parse(stdout) as { as_of?: string; items: Item[] };
  return { as_of, items: items.map(({ item_id: item, score, type }) => [item, score.toFixed(3), type]) };
}

/** Each try is commands of its own: no pause is needed in between. */
async function untilSame(nodes: readonly Node[], user: string, isNew: (answer: string) => boolean): Promise<void> {
  for (;;) {
    const [first, ...others] = await Promise.all(nodes.map(async (node) => JSON.stringify(await answer(node, user))));
    if (isNew(first!) && others.every((other) => other === first)) return;
  }
}

async function counted(node: string): Promise<Record<string, number>> {
  const sum: Record<string, number> = {};
  for (const stage of ['parse', 'window']) {
    const { stdout } = await rivulet(node, 'state', 'ls', '--stage', stage, '--state', '$counters', '--json');
    for (const { value } of JSON.parse(stdout) as { value: Record<string, number> }[]) {
      for (const [name, n] of Object.entries(value)) sum[`${stage} ${name}`] = (sum[`${stage} ${name}`] ?? 0) + n;
    }
  }
  return sum;
}

const killed = (point: string, node: string, partitions: number): Promise<void> =>
  killedAt(point, cwd, { dataDir: node, partitions, chaining: 'on' });

const BEFORE = ['step state', 'begun', 'drained', 'made'];
const AFTER = [
  'mark streams',
  'step streams',
  'streams',
  'heads',
  'dropped',
  'mark swap',
  'step swap',
  'swapped',
  'mark copies',
  'step copies',
  'copied',
  'unmarked',
];

it('goes on with other partitions as if it had always had them', async () => {
  const one = await start('one', 3);
  await publish('one', 0, 'purchase');
  await publish('one', 5, 'view');
  await untilSame([one], 'u5', (said) => said.includes('streaming_category_popularity'));
  const busy = await rivulet('one', 'repartition', '--partitions', '5', '--yes');
  expect([busy.code, busy.stderr]).toEqual([3, expect.stringContaining('[DATA_DIR_LOCKED]')]);
  await one.stop();

  const refused = await rivulet('one', 'start', '--partitions', '5');
  expect([refused.code, refused.stderr]).toEqual([
    3,
    expect.stringMatching(/\[PARTITIONS_CHANGED\]\n.*rivulet repartition --partitions/s),
  ]);
  const other = await rivulet('one', 'start', '--partitions', '3', ...CHAINED);
  expect([other.code, other.stderr]).toEqual([
    3,
    expect.stringMatching(/\[PIPELINE_CHANGED\]\n.*rivulet repartition --chaining on --yes/s),
  ]);
  const plan = await rivulet('one', 'repartition', '--chaining', 'on');
  expect([plan.code, plan.stdout]).toEqual([
    0,
    expect.stringMatching(/from chaining off to on[^]*Nothing was changed/),
  ]);

  // Given up before anything is changed, the node goes on as it was.
  await killed('drained', 'one', 2);
  const half = await rivulet('one', 'start', '--partitions', '3', '--grpc-port', '0');
  expect([half.code, half.stderr]).toEqual([3, expect.stringContaining('[REPARTITION_UNFINISHED]')]);
  const given = await rivulet('one', 'repartition', '--partitions', '3', '--chaining', 'off', '--yes');
  expect([given.code, given.stdout]).toEqual([0, expect.stringContaining('Given up')]);
  const same = await start('one', 3);
  await publish('one', 10, 'purchase');
  await untilSame([same], 'u5', (said) => said.includes('10:13:00'));
  await same.stop();

  for (const point of [...BEFORE, ...AFTER]) await killed(point, 'one', 5);
  const done = await rivulet('one', 'repartition', '--partitions', '5', '--chaining', 'on', '--yes', '--json');
  // But for the folder it was done.
  expect([done.code, done.stderr]).toEqual([0, '']);
  expect(JSON.parse(done.stdout)).toMatchObject({ from: 5, to: 5, chaining: { to: 'on' }, done: true, leftover: true });
  expect(existsSync(join(cwd, 'one', 'repartition'))).toBe(false);
  const sound = await rivulet('one', 'repair', '--set', 'partitions=5');
  expect([sound.code, sound.stdout]).toEqual([0, expect.stringMatching(/Nothing to repair[^]*pipeline.chaining=on/)]);

  let nodes = [await start('one', 5, ...CHAINED), await start('two', 5)];
  for (const [minute, type] of [
    [0, 'purchase'],
    [5, 'view'],
    [10, 'purchase'],
  ] as const)
    await publish('two', minute, type);
  for (const node of ['one', 'two']) await publish(node, 15, 'purchase');
  // Who is not known gets what is popular: when both say the same, both have all purchases.
  await untilSame(nodes, 'nobody', (said) => said.includes('fallback'));

  for (const node of nodes) await node.stop();
  const apart = await rivulet('one', 'repartition', '--chaining', 'off', '--yes');
  expect([apart.code, apart.stdout]).toEqual([0, expect.stringContaining('from chaining on to off')]);
  nodes = [await start('one', 5), await start('two', 5)];
  for (const node of ['one', 'two']) await publish(node, 20, 'view');
  for (const user of USERS) await untilSame(nodes, user, (said) => said.includes('10:23:00'));
  const letters = JSON.parse((await rivulet('one', 'dlq', 'ls', '--json')).stdout) as unknown[];
  expect(letters).toHaveLength(5);
  for (const node of nodes) await node.stop();
  const counts = await counted('one');
  expect(counts).toEqual(await counted('two'));
  expect(counts).toMatchObject({ 'parse events': 105, 'parse dead_letter': 5, 'window on_time': 100 });
}, 300_000);
