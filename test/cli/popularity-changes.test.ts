/** What becomes popular is in the next list of a user who did nothing since, on a node as people run it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { smallBed } from './small-node.js';

const bed = smallBed();

const bought = (user: string, item: string): string =>
  `${JSON.stringify({
    ...{ event_type: 'purchase', event_time: new Date().toISOString(), user_id: user, item_id: item },
    ...{ category_code: 'furniture.chair', price: 10 },
  })}\n`;

it.each(['off', 'on'])('chaining %s', async (chaining) => {
  const dataDir = `shop-${chaining}`;
  const node = await bed.nodes.start(dataDir, '--set', `pipeline.chaining=${chaining}`);
  const publish = async (...events: string[]): Promise<void> => {
    const file = join(bed.cwd, 'events.jsonl');
    writeFileSync(file, events.join(''));
    await bed.nodes.rivulet(dataDir, 'publish', '--file', file);
  };
  await publish(bought('u1', 'stool'), bought('u2', 'stool'), bought('u3', 'stool'));
  expect(await node.knows('stool')).toEqual(['stool']);
  await publish(...Array.from({ length: 9 }, (_, i) => bought(`v${i}`, 'bench')));
  let list: readonly string[] = [];
  while (list[0] !== 'bench') list = await node.knows('stool', 'bench');
  expect(list).toEqual(['bench', 'stool']);
});
