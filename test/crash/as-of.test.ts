/**
 * What an answer says of its own age: `as_of` while another node takes over the user's partition, and `stale` on a node that is cut off from NATS.
 */
import { expect, it } from 'vitest';
import type { RivuletClient } from '../../connectors/grpc/client/client.js';
import { partitionOf } from '../../runtime/contract/stage.js';
import { runCli } from '../cli/run-cli.js';
import { pause, signal } from '../support/blows.js';
import { liveBed } from '../support/live-bed.js';
import { liveEvent } from '../support/live-events.js';
import { freePort, Watch } from '../support/live-nodes.js';
import { until } from '../support/nats-cluster.js';
import { StubbornPublisher } from '../support/stubborn-publisher.js';

const PARTITIONS = 4;
/** Source, users, items and the views of users, of what is trending, of the catalogue and of ranking. */
const UNITS = 4 + 3 * PARTITIONS;
const FLAGS = ['--partitions', String(PARTITIONS), '--set', 'leaseSeconds=4', '--set', 'copyEverySeconds=1'];
const ITEMS = Array.from({ length: 100 }, (_, i) => `i${i}`);
const PUBLISH_EVERY_MS = 100;
const ASK_EVERY_MS = 20;

const bed = liveBed(FLAGS);

let published = 0;
/** Happens, and is acknowledged, now: no event is stored behind one of a later time. Gives the time. */
async function happens(publisher: StubbornPublisher, type: string, user: string, item: string): Promise<number> {
  const time = Date.now();
  await publisher.publish(
    [liveEvent(`e${published++}`, type, user, { item_id: item, category_code: 'audio.all', price: 1 }, time)],
    1_000,
  );
  // The next one is of another millisecond.
  while (Date.now() === time) await pause(1);
  return time;
}

/** All items are popular, and in the user's list as long as the user has not looked at them. */
async function popular(publisher: StubbornPublisher, client: RivuletClient, user: string): Promise<void> {
  for (const [i, item] of ITEMS.entries()) await happens(publisher, 'purchase', `buyer-${i % 9}`, item);
  await happens(publisher, 'view', user, 'another');
  await until('all items to be in the list', async () => {
    const { items } = await client.getRecommendations({ userId: user, limit: 100, excludeSeen: true });
    return items.length === ITEMS.length ? true : undefined;
  });
}

it('is never later than an event of the user that the list lacks, while another node takes over', async () => {
  const nats = await bed.server();
  const [a, b] = [await bed.node('a', nats), await bed.node('b', nats)];
  await Promise.all([a.start(), b.start()]);
  const watch = await Watch.on(nats.url);
  const { stays, dies, orphaned } = await until('partitions of users to be on both nodes', async () => {
    const owners = await watch.owners();
    // Who stays goes on with everybody's events, and with what is popular.
    const [stays, dies] = owners.get('source-0') === a.address ? [a, b] : [b, a];
    const ofDying = [...owners].flatMap(([shard, address]) => (address === dies.address ? shard : []));
    const orphaned = ofDying.find((shard) => shard.startsWith('user-'));
    const isShared = owners.size === UNITS && Math.abs(ofDying.length - UNITS / 2) < UNITS / 8;
    return isShared && orphaned !== undefined ? { stays, dies, orphaned } : undefined;
  });
  const isOrphaned = (name: string): boolean => `user-${partitionOf(name, PARTITIONS)}` === orphaned;
  const user = Array.from({ length: 100 }, (_, i) => `u${i}`).find(isOrphaned)!;
  const publisher = await StubbornPublisher.connect(nats.url, { ackMs: 10_000 });
  const client = await stays.connect();
  await popular(publisher, client, user);

  const acked: { readonly item: string; readonly time: number }[] = [];
  let isOver = false;
  const publishing = (async () => {
    for (let n = 0; !isOver; n++) {
      const item = ITEMS[n];
      if (item !== undefined) acked.push({ item, time: await happens(publisher, 'view', user, item) });
      await happens(publisher, 'purchase', `buyer-${n % 9}`, ITEMS[(n * 7) % ITEMS.length]!);
      await pause(PUBLISH_EVERY_MS);
    }
  })();
  const tooLate: string[] = [];
  let lacking = 0;
  let newest = { lacks: 0, asOfMs: 0 };
  const asking = (async () => {
    while (!isOver) {
      const before = acked.slice();
      const { items, asOfMs = -Infinity } = await client.getRecommendations({
        userId: user,
        limit: 100,
        excludeSeen: true,
      });
      const listed = new Set(items.map(({ itemId }) => itemId));
      const lacked = before.filter(({ item }) => listed.has(item));
      if (lacked.length > 0) lacking++;
      newest = { lacks: lacked.length, asOfMs };
      for (const { item, time } of lacked) {
        if (asOfMs > time) tooLate.push(`as of ${asOfMs}, ${asOfMs - time} ms after ${item}, which it lacks`);
      }
      await pause(ASK_EVERY_MS);
    }
  })();
  await until('some events of the user', () => Promise.resolve(acked.length >= 5 ? true : undefined));
  await dies.kill();
  const killedMs = Date.now();
  lacking = 0;
  await watch.shared(UNITS, [stays]);
  await until('the list to know all that was acknowledged meanwhile', () =>
    Promise.resolve(newest.lacks === 0 && newest.asOfMs > killedMs ? true : undefined),
  );
  isOver = true;
  await Promise.all([publishing, asking]);
  console.log(`${lacking} answers lacked an acknowledged event`);
  expect(lacking, 'answers during the takeover').toBeGreaterThan(10);
  expect(tooLate).toEqual([]);
  client.close();
  await publisher.close();
  await watch.close();
}, 120_000);

it('is said to be stale, and for how long, on a node that is cut off from NATS, until it is not any more', async () => {
  const nats = await bed.server();
  const port = await freePort();
  const one = await bed.node('cut-off', nats, ['--http-port', String(port)]);
  await one.start();
  const publisher = await StubbornPublisher.connect(nats.url);
  const client = await one.connect();
  await popular(publisher, client, 'ann');
  const rest = async (etag = '') => {
    const answer = await fetch(`http://127.0.0.1:${port}/reco/ann`, { headers: { 'if-none-match': etag } });
    const body = answer.status === 304 ? {} : ((await answer.json()) as { as_of?: string; stale?: boolean });
    return { ...body, status: answer.status, age: answer.headers.get('age'), etag: answer.headers.get('etag')! };
  };
  const trending = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/trending?window=last-hour`);
    return { ...((await answer.json()) as { stale?: boolean }), age: answer.headers.get('age') };
  };
  await until('a tick in the trending lists', async () => ('stale' in (await trending()) ? undefined : true));
  await until('a tick', async () =>
    (await client.getRecommendations({ userId: 'ann' })).staleMs === undefined ? true : undefined,
  );
  const fresh = await rest();
  expect(fresh).toMatchObject({ status: 200, age: null });
  expect(fresh).not.toHaveProperty('stale');
  expect(await rest(fresh.etag)).toMatchObject({ status: 304 });

  signal(nats.pid, 'SIGSTOP');
  try {
    const updates = client.streamRecommendations({ userId: 'ann' });
    expect((await updates.next()).value).toMatchObject({ staleMs: undefined });
    // Told without being asked again.
    expect((await updates.next()).value).toMatchObject({ staleMs: expect.any(Number) });
    await updates.return(undefined);
    const answer = await client.getRecommendations({ userId: 'ann' });
    expect(answer.staleMs).toBeGreaterThan(5_000);
    const stale = await rest(fresh.etag);
    expect(stale).toMatchObject({ status: 200, stale: true, as_of: new Date(answer.asOfMs!).toISOString() });
    expect(Number(stale.age)).toBeGreaterThanOrEqual(5);
    expect(await rest(stale.etag)).toMatchObject({ status: 304, age: expect.stringMatching(/^\d+$/) });
    await until('trending lists to be stale', async () => (await trending()).stale);
    expect(Number((await trending()).age)).toBeGreaterThanOrEqual(5);
    const told = await runCli(bed.cwd, ['get', 'ann', '--address', one.address]);
    expect(told.stdout).toMatch(/STALE: for \d+ s the node has received no updates/);
  } finally {
    signal(nats.pid, 'SIGCONT');
  }
  await until('the list to be fresh again', async () => ('stale' in (await rest()) ? undefined : true));
  await until('trending lists to be, too', async () => ('stale' in (await trending()) ? undefined : true));
  client.close();
  await publisher.close();
  expect(await one.stop()).toMatchObject({ code: 0 });
}, 120_000);
