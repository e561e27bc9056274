/** Events that NATS has stored and then cannot read any more: they are missed, named, and given up only by who says so. */
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { utf8 } from '../../runtime/frames/bytes.js';
import { filesIn, flipText } from '../support/file-damage.js';
import { startEmbedded } from '../support/nats.js';
import { workingDirectory } from '../cli/run-cli.js';
import { SmallNodes } from '../cli/small-node.js';

const { cwd, remove } = workingDirectory();
const nodes = new SmallNodes(cwd);
afterEach(() => nodes.end());
afterAll(remove);

const rivulet = (...args: string[]) => nodes.rivulet('node', ...args);

const purchase = (n: number): string =>
  JSON.stringify({
    ...{ event_id: `e-${n}`, event_type: 'purchase', event_time: '2026-11-01T10:00:00Z', user_id: `u-${n}` },
    ...{ item_id: 'chair-1', category_code: 'home.chair', price: 5 },
  });

/** While no node runs; gives the sequence of each. */
async function store(count: number): Promise<number[]> {
  const access = { anonymousSubjects: [] };
  const server = await startEmbedded({ storeDir: join(cwd, 'node', 'nats'), access });
  const log = await openNatsLog(await connectNats({ url: server.url, nkeyFile: server.nkeyFile! }, 'test'));
  const sequences: number[] = [];
  for (let n = 0; n < count; n++) {
    sequences.push(await log.publish('rivulet.events.purchase', utf8(purchase(n))));
  }
  await log.close();
  await server.stop();
  return sequences;
}

it('stored events that are damaged', async () => {
  const before = await nodes.start('node');
  await before.buy('chair-1');
  await before.stop();
  const sequences = await store(40);
  const folder = join(cwd, 'node', 'nats', 'jetstream', 'RIVULET', 'streams', 'RIVULET_PARSE');
  // The server does not know of the events before one that is its last, and damaged.
  for (const lost of [20, 39]) {
    expect(filesIn(folder, /\.blk$/).filter((file) => flipText(`"e-${lost}"`)(file))).toHaveLength(1);
  }
  const refused = await rivulet('start', '--grpc-port', '0');
  expect([refused.code, refused.stderr]).toEqual([
    3,
    expect.stringMatching(
      `RIVULET_PARSE does not fit parse.0: expected message ${sequences[20]}, but it is missing \\[LOG_GAP\\]`,
    ),
  ]);
  const plan = await rivulet('repair');
  const named = `RIVULET_PARSE does not fit parse.0: expected messages ${sequences[20]}, ${sequences[39]}, but they are missing`;
  expect([plan.code, plan.stdout]).toEqual([1, expect.stringContaining(named)]);
  const mended = await rivulet('repair', '--yes');
  expect([mended.code, mended.stdout]).toEqual([0, expect.stringContaining('at most 2 messages')]);
  const after = await nodes.start('node');
  await after.buy('chair-2');
  await after.stop();
  // A server that reads the damaged block anew at its start may lose what is stored behind the damage too: then that is told, never passed over.
  const sound = await rivulet('repair');
  if (sound.code === 0) expect(sound.stdout).toMatch(/^Nothing to repair: .* log\.\n/);
  else
    expect(sound.stdout).toMatch(
      /^source-0\n {2}LOG_BEHIND: RIVULET_PARSE does not fit parse\.0: expected message \d+, which it has read, but the stream ends at message \d+/,
    );
});
