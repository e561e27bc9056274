/** Items published over NATS, or from a file: their titles in the answers of a node as people run it, and what becomes of bad ones. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { eventually } from '../support/eventually.js';
import { startTestNats } from '../support/nats.js';
import { runCli, type Running, startCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
const ending: (() => unknown)[] = [];
let url: string;
let publisher: NatsConnection;

beforeEach(async () => {
  const nats = await startTestNats();
  ending.push(() => nats.stop());
  ({ url } = nats);
  publisher = await connectNats({ url }, 'publisher');
  ending.push(() => publisher.close());
});
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});
afterAll(remove);

interface Node {
  readonly running: Running;
  readonly client: RivuletClient;
  readonly address: string;
}

async function startNode(dataDir: string, ...more: string[]): Promise<Node> {
  const args = ['--nats-url', url, '--data-dir', dataDir, '--grpc-port', '0', '--snapshot-every-seconds', '0.2'];
  const running = startCli(cwd, ['start', ...args, ...more]);
  ending.push(() => {
    running.child.kill('SIGKILL');
    return running.ended;
  });
  const [, address] = await running.printed(/gRPC on (127\.0\.0\.1:\d+)/);
  const client = await connectRivulet(address!, { deadlineMs: 30_000 });
  ending.push(() => client.close());
  return { running, client, address: address! };
}

/** Each is stored when it resolves. */
const publish = (subject: string, body: unknown) =>
  publisher.request(subject, typeof body === 'string' ? body : JSON.stringify(body), { timeout: 10_000 });

/** The user buys each three times, and looks at them until its list has them all: a list is made anew with what its user does. */
async function sell(client: RivuletClient, ...items: string[]): Promise<void> {
  const event = { event_time: '2026-11-01T10:00:00Z', user_id: 'u1', category_code: 'home.chair' };
  for (const item of items) {
    for (const n of [1, 2, 3]) {
      const purchase = { ...event, event_id: `${item}-${n}`, event_type: 'purchase', item_id: item };
      await publish('rivulet.events.purchase.u1', purchase);
    }
  }
  for (let look = 0, list: string[] = []; !items.every((item) => list.includes(item)); look++) {
    for (const item of items) {
      const view = { ...event, event_id: `${item}-look-${look}`, event_type: 'view', item_id: item };
      await publish('rivulet.events.view.u1', view);
    }
    list = (await client.getRecommendations({ userId: 'u1' })).items.map(({ itemId }) => itemId);
  }
}

interface Shown {
  readonly title?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
}

/** Asks until the list shows its items so. */
async function until(client: RivuletClient, expected: Readonly<Record<string, Shown>>): Promise<void> {
  await eventually(
    async () => {
      const { items } = await client.getRecommendations({ userId: 'u1', limit: 10 });
      const shown = items.map(({ itemId, title, brand, price }) => [itemId, { title, brand, price }]);
      expect(Object.fromEntries(shown)).toEqual(expected);
    },
    { timeout: 40_000 },
  );
}

it('answers carry what was published of an item last, and still do after a restart', async () => {
  const node = await startNode('titles');
  const { client } = node;
  await sell(client, 'i1', 'i2');
  await until(client, { i1: {}, i2: {} });

  await publish('rivulet.items.i1', { item_id: 'i1', title: 'Chair', category: 'home.chair', brand: 'acme', price: 5 });
  await until(client, { i1: { title: 'Chair', brand: 'acme', price: 5 }, i2: {} });
  // The whole of it is replaced, so the brand goes; and lines, arrays and other names are understood.
  await publish(
    'rivulet.items.update',
    '{"item_id":"i1","title":"Armchair","price":7}\n{"product_id":"i2","name":"Stool"}',
  );
  await until(client, { i1: { title: 'Armchair', price: 7 }, i2: { title: 'Stool' } });

  // Answers that are not read from a kept list, batches and streams carry it as well.
  const filtered = await client.getRecommendations({ userId: 'u1', category: 'home', explain: true });
  expect(filtered.items.find(({ itemId }) => itemId === 'i1')).toMatchObject({ title: 'Armchair', price: 7 });
  const [batched] = await client.batchGetRecommendations({ userIds: ['u1'] });
  expect(batched!.items.find(({ itemId }) => itemId === 'i2')).toMatchObject({ title: 'Stool' });
  const stranger = await client.getRecommendations({ userId: 'nobody' });
  expect(stranger.items.map(({ title }) => title).sort()).toEqual(['Armchair', 'Stool']);

  // Who follows a list is told of a title that changes, though the list does not.
  const stop = new AbortController();
  const followed = client.streamRecommendations({ userId: 'u1' }, { signal: stop.signal });
  const titles = async () => (await followed.next()).value!.items.map(({ title }: Shown) => title).sort();
  expect(await titles()).toEqual(['Armchair', 'Stool']);
  await publish('rivulet.items.i2', [{ item_id: 'i2', title: 'Bar stool' }]);
  // Other changes may come before it.
  let shown = await titles();
  while (!shown.includes('Bar stool')) shown = await titles();
  expect(shown).toEqual(['Armchair', 'Bar stool']);
  stop.abort();
  for await (const { items } of client.streamTrending({ limit: 5 }, { deadlineMs: 30_000 })) {
    if (items.length < 2) continue;
    expect(items.map(({ title }) => title).sort()).toEqual(['Armchair', 'Bar stool']);
    break;
  }
  const { stdout } = await runCli(cwd, ['get', 'u1', '--address', node.address]);
  expect(stdout).toMatch(/TITLE[^]*i1 +Armchair/);

  // Killed, so that what was not in a snapshot is replayed; and stopped, so that nothing is.
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const last = signal === 'SIGKILL' ? node : await startNode('titles');
    last.running.child.kill(signal);
    await last.running.ended;
    const next = await startNode('titles');
    await until(next.client, { i1: { title: 'Armchair', price: 7 }, i2: { title: 'Bar stool' } });
    if (signal === 'SIGTERM') {
      await publish('rivulet.items.i1', { item_id: 'i1', deleted: true });
      await until(next.client, { i1: {}, i2: { title: 'Bar stool' } });
    }
    next.running.child.kill('SIGTERM');
    await next.running.ended;
  }
});

it('a bad item is a dead letter that says why, and can be mended; the good ones beside it are taken', async () => {
  const { client } = await startNode('bad');
  await sell(client, 'i1', 'i2');
  await publish('rivulet.items.update', [
    { item_id: 'i1', title: 'Chair' },
    { item_id: 'i2', title: 'Stool', price: -1 },
    { title: 'of nothing' },
  ]);
  await until(client, { i1: { title: 'Chair' }, i2: {} });
  const dlq = async (...args: string[]) => runCli(cwd, ['dlq', ...args, '--nats-url', url, '--json']);
  const listed = JSON.parse((await dlq('ls')).stdout) as Record<string, unknown>[];
  expect(listed).toMatchObject([
    { stage: 'parse-items', rule: 'missing_field', field: 'item_id', subject: 'rivulet.items.update', index: 2 },
    { stage: 'parse-items', rule: 'price_negative', field: 'price', reason: 'price is -1: send 0 or more', index: 1 },
  ]);
  const { stdout } = await dlq('retry', String(listed[1]!['id']), '--set', 'price=3');
  expect(JSON.parse(stdout)).toMatchObject([{ subject: 'rivulet.items.update' }]);
  await until(client, { i1: { title: 'Chair' }, i2: { title: 'Stool', price: 3 } });
});

it('a file of items is published, CSV or JSON lines, and its titles are there', async () => {
  const { client } = await startNode('files');
  await sell(client, 'i1', 'i2');
  const csv = join(cwd, 'items.csv');
  writeFileSync(csv, 'product_id,name,category_code,brand,price\ni1,"Chair, red",home.chair,acme,5.5\n,lost,,,\n');
  const sent = await runCli(cwd, ['publish', '--items', csv, '--nats-url', url]);
  expect(sent.code).toBe(0);
  expect(sent.stdout).toMatch(
    /^published 2 items in [^]*\n {2}will be a dead letter: line 3: item_id is missing or empty: .* \[missing_field\]/,
  );
  await until(client, { i1: { title: 'Chair, red', brand: 'acme', price: 5.5 }, i2: {} });
  const lines = join(cwd, 'more.txt');
  writeFileSync(lines, '{"item_id":"i2","title":"Stool"}\n{"item_id":"i1","deleted":true}\n');
  const more = await runCli(cwd, ['publish', '--items', lines, '--format', 'jsonl', '--json', '--nats-url', url]);
  expect(JSON.parse(more.stdout)).toMatchObject({
    published: 2,
    dead_letters: 0,
    items_per_second: expect.any(Number),
  });
  await until(client, { i1: {}, i2: { title: 'Stool' } });
  const both = await runCli(cwd, ['publish', '--items', csv, '--file', csv, '--nats-url', url]);
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('give --file with events, or --items')]);
});

it('a deployment from before there was a catalogue can be repartitioned, and has one from then on', async () => {
  // Killed before the first snapshot: nothing knows of the stages of the catalogue but their streams.
  const before = await startNode('old', '--snapshot-every-seconds', '3600');
  await sell(before.client, 'i1');
  await until(before.client, { i1: {} });
  before.running.child.kill('SIGKILL');
  await before.running.ended;
  const { streams } = await jetstreamManager(publisher);
  for (const stream of ['RIVULET_PARSE_ITEMS', 'RIVULET_CATALOGUE']) await streams.delete(stream);
  const args = ['repartition', '--partitions', '3', '--yes', '--data-dir', 'old', '--nats-url', url];
  let moved = await runCli(cwd, args);
  // A node that was killed is forgotten when its lease ends.
  while (moved.stderr.includes('REPARTITION_NODES_LIVE')) moved = await runCli(cwd, args);
  expect(moved, moved.stderr).toMatchObject({ code: 0 });
  const after = await startNode('old', '--partitions', '3');
  await publish('rivulet.items.i1', { item_id: 'i1', title: 'Chair' });
  await until(after.client, { i1: { title: 'Chair' } });
});
