/** Lists by what users did together, on a node as people run it: they follow a new user at once, and survive kill -9. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { until } from '../support/eventually.js';
import { smallBed } from './small-node.js';

const bed = smallBed();
const DATA = 'shop';

const viewed = (user: string, item: string): string =>
  `${JSON.stringify({
    ...{ event_type: 'view', event_time: new Date().toISOString(), user_id: user, item_id: item },
    category_code: 'photo.camera',
  })}\n`;

async function publish(...events: string[]): Promise<void> {
  const file = join(bed.cwd, 'events.jsonl');
  writeFileSync(file, events.join(''));
  await bed.nodes.rivulet(DATA, 'publish', '--file', file);
}

async function clientOf(address: string): Promise<RivuletClient> {
  const client = await connectRivulet(address);
  onTestFinished(() => client.close());
  return client;
}

it('are what goes with the items of a user who has just come, also after kill -9', async () => {
  const node = await bed.nodes.start(DATA);
  const client = await clientOf(node.address);
  const fans = ['f1', 'f2', 'f3', 'f4'];
  // A film goes with a lens, a strap with nothing.
  await publish(...fans.flatMap((fan) => [viewed(fan, 'lens'), viewed(fan, 'film')]));
  await publish(...Array.from({ length: 9 }, (_, i) => viewed(`p${i}`, 'strap')));
  const similar = (from: RivuletClient): Promise<readonly string[]> =>
    from.similarItems({ itemId: 'lens' }).then(
      (items) => items.map(({ itemId, score }) => `${itemId} ${score.toFixed(6)}`),
      () => [],
    );
  const known = await until(
    () => similar(client),
    (items) => items.length > 0,
  );
  // 4 users of both, each with 4: 4 / √((4 + 2) (4 + 2))
  expect(known).toEqual(['film 0.666667']);

  await publish(viewed('ann', 'lens'));
  const listOf = async (from: RivuletClient, strategy: string): Promise<readonly string[]> => {
    const { items } = await from.getRecommendations({ userId: 'ann', limit: 3, strategy });
    return items.map(({ itemId }) => itemId);
  };
  const list = await until(
    () => listOf(client, 'co-visitation'),
    ([first]) => first === 'film',
  );
  expect(list).toEqual(['film', 'strap', 'lens']);
  const hybrid = await client.getRecommendations({ userId: 'ann', limit: 3, strategy: 'hybrid', explain: true });
  expect(hybrid).toMatchObject({ strategy: 'hybrid', model: 'streaming-hybrid' });
  expect(hybrid.items[0]!.reason).toMatch(/^popular|lens$/);

  // Ann's view counts, too: 4 / √((5 + 2) (4 + 2))
  const before = await until(
    () => similar(client),
    ([first]) => first !== known[0],
  );
  expect(before).toEqual(['film 0.617213']);
  node.running.child.kill('SIGKILL');
  await node.running.ended;
  const again = await bed.nodes.start(DATA);
  const anew = await clientOf(again.address);
  expect(
    await until(
      () => similar(anew),
      (items) => items[0] === before[0],
    ),
  ).toEqual(before);
  expect(
    await until(
      () => listOf(anew, 'co-visitation'),
      ([first]) => first === 'film',
    ),
  ).toEqual(list);
});
