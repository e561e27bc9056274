/** Nodes as people run them: demo and start as child processes, and the commands that talk to them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { runCli, type Running, startCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
const running: Running[] = [];

afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    // Its nats-server ends with it, unless it is killed.
    child.kill('SIGTERM');
    await ended;
  }
});
afterAll(remove);

function start(...args: string[]): Running {
  const node = startCli(cwd, [...args, '--grpc-port', '0']);
  running.push(node);
  return node;
}

const GRPC = /gRPC on (127\.0\.0\.1:\d+)/;

async function stopped(
  { child, ended }: Running,
  signal: NodeJS.Signals,
): Promise<{ code: number | null; stdout: string }> {
  child.kill(signal);
  return ended;
}

describe('demo', () => {
  it('has recommendations at once, and goes on where it was stopped', async () => {
    const first = start('demo', '--data-dir', 'shop', '--rate', '200');
    const [, address] = await first.printed(GRPC);
    await first.printed(/sent [\d,]+ events of the last half hour/);
    await first.printed(/^\d\d:\d\d:\d\d {2}events .* user-\d+: item-/m);
    // The history is on its way through the stages.
    let items: unknown[] = [];
    await until(async () => {
      const args = ['get', 'user-0042', '--explain', '--json', '--address', address!];
      const { user_id: user, ...answer } = JSON.parse((await runCli(cwd, args)).stdout);
      expect(user).toBe('user-0042');
      items = answer.items;
      return items.length === 10;
    });
    expect(items[0]).toMatchObject({ rank: 1, item_id: expect.any(String), reason: expect.any(String) });
    const end = await stopped(first, 'SIGINT');
    expect(end.code).toBe(0);
    const [, events] = /([\d,]+) events so far\. The next start goes on from here\./.exec(end.stdout)!;

    const second = start('demo', '--data-dir', 'shop');
    const [, resumed] = await second.printed(/resumed: ([\d,]+) events so far/);
    const number = (text: string | undefined): number => Number(text!.replaceAll(',', ''));
    // What was published between the last look and the stop is taken in as well.
    expect(number(resumed)).toBeGreaterThanOrEqual(number(events));
    expect((await stopped(second, 'SIGTERM')).code).toBe(0);
  });
});

describe('a node', () => {
  it('takes a file, answers, explains what it refused, and stops with a snapshot', async () => {
    const node = start('start', '--data-dir', 'node');
    const [, address] = await node.printed(GRPC);
    await node.printed(/"msg":"listening"/);
    const file = join(cwd, 'events.csv');
    const row = (type: string, user: string, item: string, price: string): string =>
      `2026-11-01 10:00:00 UTC,${type},${item},home.chair,acme,${price},${user}`;
    writeFileSync(
      file,
      [
        'event_time,event_type,product_id,category_code,brand,price,user_id',
        row('purchase', 'u1', 'i1', '5'),
        row('view', 'u1', 'i2', '3'),
        row('teleport', 'u1', 'i2', '3'),
        '',
      ].join('\n'),
    );
    const publish = await runCli(cwd, ['publish', '--file', file, '--data-dir', 'node', '--json']);
    expect(JSON.parse(publish.stdout)).toMatchObject({
      ...{ published: 2, refused: 1, dead_letters: 0 },
      faults: [{ line: 4, rule: 'unknown_event_type', field: 'event_type' }],
    });
    const lines = join(cwd, 'events.jsonl');
    writeFileSync(
      lines,
      '{"event_type":"teleport","event_time":"2026-11-01T10:00:00Z","user_id":"u1","item_id":"i2"}\n',
    );
    const published = await runCli(cwd, ['publish', '--file', lines, '--data-dir', 'node', '--json']);
    expect(JSON.parse(published.stdout)).toMatchObject({ published: 1, refused: 0, dead_letters: 1 });

    await until(async () =>
      (await runCli(cwd, ['get', 'u1', '--strategy', 'category-popularity', '--address', address!])).stdout.includes(
        'streaming_category_popularity',
      ),
    );
    await until(async () =>
      (await runCli(cwd, ['dlq', 'ls', '--data-dir', 'node'])).stdout.includes('unknown_event_type'),
    );

    const doctor = await runCli(cwd, ['doctor', '--data-dir', 'node', '--grpc-port', address!.split(':')[1]!]);
    expect(doctor.code).toBe(0);
    expect(doctor.stdout).toMatch(/✓ data directory node: a node runs on it \(process \d+\)/);
    expect(doctor.stdout).toMatch(/✓ a node answers on 127\.0\.0\.1:\d+: SERVING/);
    expect(doctor.stdout).toMatch(/✓ RIVULET_PARSE: [\d,]+ messages/);
    // It took any free port for HTTP, and has noted which.
    expect(doctor.stdout).toMatch(
      /! the node on this data directory has its HTTP on 127\.0\.0\.1:\d+, .* says 127\.0\.0\.1:8080/,
    );
    expect(doctor.stdout).toMatch(/✓ a node \(.*\) answers on http:\/\/127\.0\.0\.1:\d+: serving/);

    const other = await runCli(cwd, ['start', '--data-dir', 'node', '--grpc-port', '0']);
    expect([other.code, other.stderr]).toEqual([3, expect.stringContaining('[DATA_DIR_LOCKED]')]);

    const end = await stopped(node, 'SIGTERM');
    expect(end.code).toBe(0);

    const changed = await runCli(cwd, ['start', '--data-dir', 'node', '--grpc-port', '0', '--partitions', '3']);
    expect([changed.code, changed.stderr]).toEqual([3, expect.stringContaining('[PARTITIONS_CHANGED]')]);
  });

  it('says which port is taken', async () => {
    const node = start('start', '--data-dir', 'one');
    const [, address] = await node.printed(GRPC);
    const port = address!.split(':')[1]!;
    const other = await runCli(cwd, ['start', '--data-dir', 'two', '--grpc-port', port]);
    expect([other.code, other.stderr]).toEqual([
      3,
      expect.stringMatching(/another program listens on .* \[GRPC_PORT_TAKEN\]\n(.*\n)*hint: .*--grpc-port/),
    ]);
  });
});

/** Each try is a command of its own: no pause is needed in between. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition()));
}
