/** `rivulet start --popularity FILE`: lists before the first event, loaded once whatever happens to the nodes; and what it says of a bad file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import type { Log } from '../../runtime/contract/ports.js';
import { eventually } from '../support/eventually.js';
import { startTestNats } from '../support/nats.js';
import { type Running, startCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
const ending: (() => unknown)[] = [];
let url: string;
let log: Log;

beforeEach(async () => {
  const nats = await startTestNats();
  ending.push(() => nats.stop());
  ({ url } = nats);
  log = await openNatsLog(await connectNats({ url }, 'publisher'));
  ending.push(() => log.close());
});
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});
afterAll(remove);

const HEADER = 'product_id,total_purchases,main_category_code,main_brand,avg_price';
const ROWS = 100_000;
const CATEGORIES = ['audio', 'shoes', 'lamps'];
/** Item i was bought i times. */
const rows = Array.from({ length: ROWS }, (_, i) => `${i},${i},${CATEGORIES[i % 3]},brand-${i % 7},${(i % 50) + 0.5}`);

function table(name: string, content: readonly string[]): string {
  writeFileSync(join(cwd, name), `${[HEADER, ...content].join('\n')}\n`);
  return name;
}

function start(dataDir: string, ...more: string[]): Running {
  const flags = ['--nats-url', url, '--data-dir', dataDir, '--grpc-port', '0', '--snapshot-every-seconds', '0.2'];
  const running = startCli(cwd, ['start', ...flags, ...more]);
  ending.push(() => {
    running.child.kill('SIGKILL');
    return running.ended;
  });
  return running;
}

async function ask({ printed }: Running): Promise<{ readonly client: RivuletClient; readonly http: string }> {
  const [, address, http] = await printed(/gRPC on (127\.0\.0\.1:\d+), HTTP at (\S+),/);
  const client = await connectRivulet(address!, { deadlineMs: 30_000 });
  ending.push(() => client.close());
  return { client, http: http! };
}

const killed = async ({ child, ended }: Running): Promise<void> => {
  child.kill('SIGKILL');
  await ended;
};

const publish = (type: string, user: string, more: object): Promise<unknown> => {
  const event = { event_type: type, event_time: new Date().toISOString(), user_id: user, ...more };
  return log.publish(`rivulet.events.${type}.${user}`, Buffer.from(JSON.stringify(event)));
};

it('is loaded once, by nodes that are killed while they load it, and counts with what events add', async () => {
  const file = table('past.csv', rows);
  const [a, b] = [start('a', '--popularity', file), start('b', '--popularity', file)];
  // Both write; one is killed in the middle of it, the other one soon after.
  await eventually(async () => expect((await log.info('RIVULET_POPULARITY')).lastSequence).toBeGreaterThan(3), {
    timeout: 60_000,
  });
  await killed(a);
  await killed(b);

  const node = start('a', '--popularity', file);
  const { client, http } = await ask(node);
  const best = Array.from({ length: 10 }, (_, i) => `${ROWS - 1 - i}`);
  const strangers = async () =>
    (await client.getRecommendations({ userId: 'nobody', limit: 10, strategy: 'category-popularity' })).items;
  await eventually(async () => expect((await strangers()).map(({ itemId }) => itemId)).toEqual(best), {
    timeout: 60_000,
  });
  const [first] = await strangers();
  const shown = {
    category: CATEGORIES[(ROWS - 1) % 3],
    brand: `brand-${(ROWS - 1) % 7}`,
    price: ((ROWS - 1) % 50) + 0.5,
  };
  expect(first).toMatchObject({ ...shown, type: 'streaming_popular_fallback' });
  const rest = (await (await fetch(`${http}/reco/nobody`)).json()) as { items: object[] };
  expect(rest.items[0]).toMatchObject({ item_id: best[0], ...shown });

  // A purchase is one more; another brand and price, and the average with those of the past.
  const item = `${ROWS - 1}`;
  await publish('purchase', 'u1', { event_id: 'e1', item_id: item, category_code: 'audio.x', brand: 'new', price: 9 });
  await eventually(
    async () => {
      const { items } = await client.getRecommendations({
        userId: 'u1',
        limit: 1,
        category: 'audio',
        strategy: 'category-popularity',
      });
      // Interest: a purchase weighs 5.
      expect(items[0]).toMatchObject({ itemId: item, brand: 'new', type: 'streaming_category_popularity' });
      expect(items[0]!.score / 5).toBeCloseTo(ROWS / 100, 0);
    },
    { timeout: 30_000 },
  );

  // Without a catalogue an item has the brand of its latest event, and the average of its prices.
  const fresh = { item_id: 'fresh', category_code: 'fresh.x', brand: 'acme' };
  await publish('purchase', 'u2', { ...fresh, event_id: 'f1', price: 4 });
  await publish('purchase', 'u2', { ...fresh, event_id: 'f2', price: 6.5 });
  await eventually(
    async () => {
      const facts = { brand: 'acme', price: 5.25 };
      const { items } = await client.getRecommendations({
        userId: 'u2',
        limit: 1,
        category: 'fresh',
        strategy: 'category-popularity',
      });
      expect(items).toMatchObject([{ itemId: 'fresh', ...facts }]);
      const answered = (await (await fetch(`${http}/reco/u2?category=fresh`)).json()) as { items: object[] };
      expect(answered.items).toMatchObject([{ item_id: 'fresh', ...facts }]);
    },
    { timeout: 30_000 },
  );

  // The same file again, by any node, loads nothing, and so does another one.
  const stored = async (): Promise<(number | undefined)[]> => {
    const lasts = [0, 1, 2, 3].map((q) =>
      log.last('RIVULET_POPULARITY', `rivulet.popularity.${q}.popularity-table.${q}`),
    );
    return (await Promise.all(lasts)).map((last) => last?.sequence);
  };
  const before = await stored();
  expect(before).not.toContain(undefined);
  await start('c', '--popularity', file).printed(/the popularity table was loaded before/);
  const other = table('other.csv', ['7,1000000,audio,,']);
  await start('d', '--popularity', other).printed(/another popularity table was loaded before: this one is not/);
  expect(await stored()).toEqual(before);
  expect((await strangers()).map(({ itemId }) => itemId)).toEqual(best);
});

it.each([
  ['a file that is not there', 'none.csv', undefined, /there is no file none\.csv \[USAGE\]\nhint: .*--popularity/],
  ['another header', 'header.csv', 'item,count\n1,2\n', /line 1: the header lacks product_id, .*\[POPULARITY_TABLE\]/],
  [
    'a bad row',
    'row.csv',
    `${HEADER}\n1,2,,,\n2,many,,,\n`,
    /line 3, column total_purchases: "many" .*\[POPULARITY_TABLE\]/,
  ],
])('refuses %s before anything is loaded', async (_, name, content, says) => {
  if (content !== undefined) writeFileSync(join(cwd, name), content);
  const refused = start('refused', '--popularity', name);
  const { code, stderr } = await refused.ended;
  expect([code, stderr]).toEqual([2, expect.stringMatching(says)]);
});
