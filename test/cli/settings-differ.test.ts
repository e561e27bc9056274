/** Nodes on one NATS that are told different things: the one that comes is refused, and changes nothing for those that run. */
import { afterAll, expect, it } from 'vitest';
import { LiveNode } from '../support/live-nodes.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { runCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
let server: TestNats | undefined;
let node: LiveNode | undefined;
afterAll(async () => {
  await node?.kill();
  await server?.stop();
  remove();
});

it('refuses who has other weights or another lease while a node runs, and takes them when it has died', async () => {
  server = await startTestNats();
  const common = ['--nats-url', server.url, '--partitions', '1', '--set', 'leaseSeconds=2'];
  node = await LiveNode.of(cwd, 'first', common);
  await node.start();

  const second = ['start', '--data-dir', 'second', '--grpc-port', '0'];
  for (const [setting, named] of [
    [
      'pipeline.interest.weights.view=100',
      /runs with pipeline.interest.weights.view 1, this one with 100 \[SETTINGS_DIFFER\]/,
    ],
    ['leaseSeconds=1', /runs with leaseSeconds 2, this one with 1 /],
  ] as const) {
    const refused = await runCli(cwd, [...second, ...common, '--set', setting]);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(named)]);
    expect(refused.stderr).toMatch(/hint: .*stop all nodes, and start them with the new ones/);
  }
  const seen = await runCli(cwd, ['nodes', '--nats-url', server.url]);
  expect(seen.stdout).toMatch(/source-0/);

  await node.kill();
  const other = await LiveNode.of(cwd, 'second', [...common, '--set', 'leaseSeconds=1']);
  node = other;
  await other.start();
});
