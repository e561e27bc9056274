/** On a server of one's own somebody writes garbage where stages talk: it is skipped and told, and what users see is what they would have seen. */
import { afterAll, afterEach, expect, it } from 'vitest';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { jetstream } from '@nats-io/jetstream';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { runCli, workingDirectory } from '../cli/run-cli.js';
import { SmallNodes } from '../cli/small-node.js';
import { startTestNats } from '../support/nats.js';

const { cwd, remove } = workingDirectory();
const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});
afterAll(remove);

/** Each on a subject that a stage reads, writes, or both; one that nobody knows, and the record of what was given up. */
const SUBJECTS = [
  'rivulet.window.0.watermark.0',
  'rivulet.parse.0.clock.0',
  'rivulet.recommendations.0.interest-ranking.0',
  'rivulet.dead-letter.0.parse.0',
  'rivulet.late.0.window.0',
  'rivulet.window.7.nobody.9',
  'rivulet.parse.3.nobody',
  'rivulet.quarantine.window.0',
];

async function garbage(connection: NatsConnection): Promise<void> {
  const js = jetstream(connection);
  for (const subject of SUBJECTS) for (const data of ['hello there', '']) await js.publish(subject, data);
}

it('garbage on the subjects of the pipeline, under a node and before it starts', async () => {
  const nats = await startTestNats();
  ending.push(() => nats.stop());
  const stranger = await connect({ servers: nats.url });
  ending.push(() => stranger.close());
  const nodes = new SmallNodes(cwd, ['--nats-url', nats.url]);
  ending.push(() => nodes.end());

  const first = await nodes.start('node');
  await first.buy('chair-1');
  await garbage(stranger);
  await first.buy('chair-2');
  // A node that is killed reads again what its snapshot does not include.
  first.running.child.kill('SIGKILL');
  await first.running.ended;
  await garbage(stranger);
  const second = await nodes.start('node');
  await second.buy('chair-3');
  // Each was bought three times, and counted once per purchase.
  const client = await connectRivulet(second.address);
  const { items } = await client.getRecommendations({ userId: 'u1', limit: 100, strategy: 'category-popularity' });
  client.close();
  expect(items.map(({ itemId }) => itemId).sort()).toEqual(['chair-1', 'chair-2', 'chair-3']);
  expect(new Set(items.map(({ score }) => score)).size).toBe(1);
  expect(await runCli(cwd, ['dlq', 'ls', '--json', '--nats-url', nats.url])).toMatchObject({ code: 0 });
  const ended = await second.stop();
  expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining('rivulet.window.0.watermark.0')]);
  expect(ended.stderr).toContain('skipped a message that Rivulet did not write');
});
