/** What other users of the machine have of a node: its embedded NATS takes events of theirs, when it may, and its files are closed to them. */
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { runningServer } from '../../runtime/cli/nats-link.js';
import { workingDirectory } from './run-cli.js';
import { SmallNodes } from './small-node.js';

let place: ReturnType<typeof workingDirectory>;
let nodes: SmallNodes;

beforeEach(() => {
  place = workingDirectory();
  nodes = new SmallNodes(place.cwd);
});

afterEach(async () => {
  await nodes.end();
  place.remove();
});

/** Of everything below a folder that others may do something with; of directories as the `ls` of people shows them. */
function openToOthers(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => (statSync(path).mode & 0o077) !== 0);
}

const event = { event_id: 'e1', event_type: 'purchase', event_time: '2026-11-01T10:01:00Z', user_id: 'u1' };
const what = { item_id: 'chair-1', category_code: 'home.chair', price: 5 };

it('all that a node, a backup and a repair have written is for their owner alone', async () => {
  const node = await nodes.start('node', '--set', 'natsAnonymous=on');
  await node.buy('chair-1');
  await node.copied('source-0');
  expect((await nodes.rivulet('node', 'backup', 'saved')).code).toBe(0);
  await node.stop();
  expect((await nodes.rivulet('node', 'state', 'verify')).code).toBe(0);
  nodes.damage('node', 'source-0');
  expect(await nodes.rivulet('node', 'repair', '--yes')).toMatchObject({ code: 0 });
  expect(readdirSync(join(place.cwd, 'node', 'state')).join()).toContain('source-0.set-aside');
  expect(openToOthers(join(place.cwd, 'node'))).toEqual([]);
  expect(openToOthers(join(place.cwd, 'saved'))).toEqual([]);
  for (const folder of ['node', 'saved']) expect(statSync(join(place.cwd, folder)).mode & 0o777).toBe(0o700);
});

it('what an earlier version has left open is closed at the next start, and what is not of Rivulet stays as it is', async () => {
  const folder = join(place.cwd, 'node');
  await (await nodes.start('node')).stop();
  mkdirSync(join(folder, 'others'));
  writeFileSync(join(folder, 'state', 'left'), '');
  for (const name of ['.', 'state', 'nats', 'others', join('state', 'left')]) chmodSync(join(folder, name), 0o755);
  chmodSync(join(folder, 'deployment.json'), 0o644);
  await (await nodes.start('node')).stop();
  const modes = Object.fromEntries(
    readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o077]),
  );
  expect(modes).toMatchObject({ state: 0, nats: 0, 'deployment.json': 0, others: 0o55 });
});

it('who has no credentials sends events, and nothing else', async () => {
  const node = await nodes.start('node');
  const connection = await connect({ servers: runningServer(join(place.cwd, 'node'))!.url });
  try {
    await jetstream(connection).publish('rivulet.events.purchase.u1', JSON.stringify({ ...event, ...what }));
    expect(await node.knows('chair-1')).toContain('chair-1');
    await expect(jetstream(connection).publish('rivulet.window.0.watermark.0', 'garbage')).rejects.toThrow(
      /permissions violation/i,
    );
    // Operators are told how to look into it.
    const { stdout } = await nodes.rivulet('node', 'doctor');
    expect(stdout).toMatch(/nats --server nats:\/\/127\.0\.0\.1:\d+ --nkey \S*node\/nats\/node\.nk/);
  } finally {
    await connection.close();
  }
});

it('with natsAnonymous off, and where calls need a token, nobody is let in without; the commands of the owner are', async () => {
  writeFileSync(join(place.cwd, 'keys.json'), '{"keys":[]}');
  const tokens = { issuer: 'https://issuer', audience: 'rivulet', jwksFile: 'keys.json' };
  const auth = Object.entries(tokens).flatMap(([key, value]) => ['--set', `auth.${key}=${value}`]);
  for (const settings of [['--set', 'natsAnonymous=off'], auth]) {
    const node = await nodes.start('node', ...settings);
    const server = runningServer(join(place.cwd, 'node'))!;
    await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(/authorization/i);
    const file = join(place.cwd, 'events.jsonl');
    writeFileSync(file, `${JSON.stringify({ ...event, ...what })}\n`);
    expect(await nodes.rivulet('node', 'publish', '--file', file)).toMatchObject({ code: 0 });
    // With the key of the node a publisher of one's own is let in, too.
    const connection = await connectNats(server, 'own');
    expect(await jetstream(connection).publish('rivulet.events.view', '{}')).toMatchObject({ stream: 'RIVULET_PARSE' });
    await connection.close();
    await node.stop();
  }
});
