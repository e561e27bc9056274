/** Messages that are missing behind the snapshots are found before the node says that it serves. */
import { join } from 'node:path';
import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.js';
import { smallBed } from '../cli/small-node.js';

const bed = smallBed();

const EVENTS = 3_000;
const MAILBOX = 'RIVULET_PARSE';

async function publish(): Promise<void> {
  const client = jetstream(bed.connection);
  const event = { event_type: 'view', event_time: '2026-11-01T10:00:00Z', user_id: 'u2', item_id: 'i' };
  for (let n = 0; n < EVENTS; n += 100) {
    const some = Array.from({ length: 100 }, (_, i) => ({ ...event, event_id: `e${n + i}` }));
    await Promise.all(some.map((one) => client.publish('rivulet.events.shop', JSON.stringify(one))));
  }
}

type Loss = readonly [string, (manager: JetStreamManager, last: number) => Promise<unknown>];

it.each<Loss>([
  ['all of them', (manager) => manager.streams.purge(MAILBOX)],
  ['the last', (manager, last) => manager.streams.deleteMessage(MAILBOX, last)],
  ['one of the last', (manager, last) => manager.streams.deleteMessage(MAILBOX, last - 10)],
  ['one in the middle', (manager, last) => manager.streams.deleteMessage(MAILBOX, last - EVENTS / 2)],
])(
  'of what was published while it was away: %s',
  async (name, lose) => {
    const dataDir = `node ${name}`;
    const first = await bed.nodes.start(dataDir);
    await first.buy('chair-1');
    await first.stop();
    await publish();
    const manager = await jetstreamManager(bed.connection);
    await lose(manager, (await manager.streams.info(MAILBOX)).state.last_seq);
    const place = ['--data-dir', join(bed.cwd, dataDir), '--nats-url', bed.server.url, '--grpc-port', '0'];
    const ended = await runCli(bed.cwd, ['start', ...place, '--partitions', '1', '--set', 'sourcePartitions=1']);
    expect([ended.code, ended.stderr]).toEqual([3, expect.stringMatching(/\[LOG_GAP\]\n.*rivulet repair/s)]);
    expect(ended.stderr).not.toMatch(/"msg":"serving"/);
    const looked = await bed.nodes.rivulet(dataDir, 'doctor');
    const says =
      /✗ source-0: LOG_GAP: RIVULET_PARSE does not fit parse\.0: expected messages? .* missing\n.*rivulet repair/s;
    expect([looked.code, looked.stdout]).toEqual([1, expect.stringMatching(says)]);
  },
  120_000,
);

it('a stream that was purged: doctor says which part of the node does not fit it', async () => {
  const first = await bed.nodes.start('purged');
  await first.buy('chair-1');
  await first.stop();
  await (await jetstreamManager(bed.connection)).streams.purge('RIVULET_WINDOW');
  const ended = await bed.nodes.rivulet('purged', 'start', '--grpc-port', '0');
  expect([ended.code, ended.stderr]).toEqual([3, expect.stringMatching(/\[LOG_BEHIND\]\n.*rivulet repair/s)]);
  const looked = await bed.nodes.rivulet('purged', 'doctor');
  expect([looked.code, looked.stdout]).toEqual([
    1,
    expect.stringMatching(/✗ \S+-0: .*RIVULET_WINDOW.*\n.*rivulet repair/),
  ]);
}, 120_000);
