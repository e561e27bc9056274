/**
 * Two nodes on one NATS under load: one is killed, is told to stop, sleeps past its lease, or begins with nothing. Every published event is
 * counted once, nothing is said twice, who asks the other node is always answered, and both end with the lists of a node that was left alone.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openManager } from '../../connectors/nats/log/stream-manager.js';
import { runCli } from '../cli/run-cli.js';
import { liveBed } from '../support/live-bed.js';
import { liveEvents, type LiveEvents } from '../support/live-events.js';
import { Asker, countersIn, Watch } from '../support/live-nodes.js';
import { expectSameLists, finished, type Lists, Load } from '../support/live-story.js';
import { until } from '../support/nats-cluster.js';
import { StubbornPublisher } from '../support/stubborn-publisher.js';
import { Witness } from '../support/witness.js';

const SEED = Number(process.env.RIVULET_CRASH_SEED ?? 3);
const PARTITIONS = 2;
/** Source, users, items and the views of users, of what is trending, of the catalogue and of ranking. */
const UNITS = 4 + 3 * PARTITIONS;
const LEASE_SECONDS = 4;
const FLAGS = [
  ...['--partitions', String(PARTITIONS), '--set', `leaseSeconds=${LEASE_SECONDS}`, '--set', 'copyEverySeconds=1'],
  ...['--snapshot-every-seconds', '0.5', '--log-level', 'info'],
];
/** The server is never away: a busy machine should not make the publisher repeat itself. */
const PATIENT = { ackMs: 10_000 };
const MUCH = { users: 200, purchases: 400, views: 16_000, perSecond: 2_000 };
const LITTLE = { users: 60, purchases: 300, views: 6_000, perSecond: 1_000 };

/** Answers that the witness has compared: a fifth of what it sees on a slow machine. */
const SEEN_MIN = 100;

/** What `rivulet nodes --json` prints. */
interface Told {
  readonly nodes: readonly { readonly grpc: string; readonly owns: readonly string[] }[];
  readonly shards: readonly {
    readonly shard: string;
    readonly owner: string | null;
    readonly copied_at: string | null;
  }[];
}

const bed = liveBed(FLAGS);

/** The lists of a node that is left alone. */
async function undisturbed(name: string, events: LiveEvents): Promise<Lists> {
  const nats = await bed.server();
  const alone = await bed.node(name, nats);
  await alone.start();
  const publisher = await StubbornPublisher.connect(nats.url, PATIENT);
  await publisher.publish([...events.purchases, ...events.views], 10_000);
  const { lists } = await finished([alone], publisher, events);
  await publisher.close();
  expect((await alone.stop()).code).toBe(0);
  await nats.stop();
  return lists[0]!;
}

const much = liveEvents(SEED, MUCH);
const little = liveEvents(SEED, LITTLE);
let expectedOfMuch: Lists;
let expectedOfLittle: Lists;
beforeAll(async () => {
  expectedOfMuch = await undisturbed('alone-much', much);
  expectedOfLittle = await undisturbed('alone-little', little);
});

/** Two nodes that share all shards, a load on them, and who looks on. */
async function stage(name: string, events: LiveEvents, perSecond: number, chaining = 'off') {
  const nats = await bed.server();
  const chained = ['--set', `pipeline.chaining=${chaining}`];
  const [a, b] = [await bed.node(`${name}-a`, nats, chained), await bed.node(`${name}-b`, nats, chained)];
  await Promise.all([a.start(), b.start()]);
  const witness = await Witness.start(nats.url, { partitions: PARTITIONS, chaining });
  const watch = await Watch.on(nats.url);
  await watch.shared(UNITS, [a, b]);
  const publisher = await StubbornPublisher.connect(nats.url, PATIENT);
  const [askedA, askedB] = [await Asker.of(a, events.users), await Asker.of(b, events.users)];
  const load = new Load(publisher, [...events.purchases, ...events.views], perSecond);
  /** To the end of the load; then everything that must be true. */
  const end = async (expected: Lists): Promise<void> => {
    await load.end();
    await watch.shared(UNITS, [a, b]);
    const { lists, marks } = await finished([a, b], publisher, events);
    await Promise.all([askedA.stop(), askedB.stop()]);
    for (const one of [b, a]) expect(await one.stop()).toMatchObject({ code: 0 });
    await witness.seenAll();
    const counters = await countersIn([a.dataDir, b.dataDir]);
    const { answers, unseen, wrong } = witness;
    console.log(`${name}: ${publisher.sent} sent for ${publisher.acked} acknowledged`, counters);
    console.log(`${name}: ${answers} answers, ${unseen} trimmed before they were seen; asked`, [
      askedA.answeredAt.length,
      askedB.answeredAt.length,
    ]);
    await witness.stop();
    await watch.close();
    await publisher.close();
    await nats.stop();
    expect(wrong).toEqual([]);
    expect(answers - unseen).toBeGreaterThan(SEEN_MIN);
    const { events: counted, on_time, late, dead_letter, duplicates } = counters;
    expect(counted).toBe(on_time + late + dead_letter + duplicates);
    expect(on_time + late).toBe(events.good + events.last.length + marks);
    expect(late).toBeGreaterThanOrEqual(events.late);
    expect(duplicates).toBeGreaterThanOrEqual(events.repeated);
    expect(dead_letter + duplicates - events.bad - events.repeated).toBe(counted - publisher.acked);
    expectSameLists(lists[0]!, expected, 'the first node');
    expectSameLists(lists[1]!, expected, 'the second node');
  };
  return { a, b, watch, load, askedA, askedB, end };
}

it('goes on with one node when the other is killed, and with both when it is back', async () => {
  const { a, b, watch, load, askedA, askedB, end } = await stage('killed', much, MUCH.perSecond);
  await load.at(0.25);
  expect(load.isOver).toBe(false);
  const killedAt = performance.now();
  await b.kill();
  await watch.shared(UNITS, [a]);
  const takenMs = performance.now() - killedAt;
  await b.start();
  const startedAt = performance.now();
  await watch.shared(UNITS, [a, b]);
  await end(expectedOfMuch);
  console.log(`killed: its shards had another owner after ${Math.round(takenMs)} ms`);
  expect(askedA.failures).toEqual([]);
  // Once it answers again, it answers all.
  const backAt = askedB.answeredAt.find((at) => at > startedAt)!;
  expect(backAt).toBeDefined();
  expect(askedB.failures.filter(({ at }) => at < killedAt || at > backAt)).toEqual([]);
  expect(askedB.failures).not.toEqual([]);
}, 180_000);

it('hands over when one is told to stop under load', async () => {
  const { a, b, watch, load, askedB, end } = await stage('stopped', little, LITTLE.perSecond);
  await load.at(0.3);
  expect(load.isOver).toBe(false);
  const { code, stderr } = await a.stop();
  expect(code, stderr).toBe(0);
  await watch.shared(UNITS, [b]);
  await a.start();
  await end(expectedOfLittle);
  expect(askedB.failures).toEqual([]);
});

it.each(['off', 'on'])(
  'lets go of its shards when it sleeps past its lease and wakes up, with chaining %s',
  async (chaining) => {
    const { a, b, watch, load, askedA, end } = await stage('asleep', little, LITTLE.perSecond, chaining);
    await load.at(0.3);
    expect(load.isOver).toBe(false);
    b.freeze();
    await watch.shared(UNITS, [a]);
    b.thaw();
    await b.printed(/another node has taken over this shard/);
    await end(expectedOfLittle);
    expect(b.hasEnded).toBe(true);
    expect(askedA.failures).toEqual([]);
  },
);

it('starts with an empty data directory from the copies, and goes on alone', async () => {
  const nats = await bed.server();
  const a = await bed.node('lost', nats);
  await a.start();
  const publisher = await StubbornPublisher.connect(nats.url, PATIENT);
  const load = new Load(publisher, [...little.purchases, ...little.views], LITTLE.perSecond);
  const connection = await connectNats({ url: nats.url }, 'trims');
  const { streams } = await openManager(connection);
  // Its first events are gone from the log: only the copies know of them.
  for (const stream of ['RIVULET_PARSE', 'RIVULET_WATERMARK', 'RIVULET_WINDOW', 'RIVULET_POPULARITY']) {
    await until(`${stream} to be trimmed`, async () => {
      const { state } = await streams.info(stream);
      return state.messages < state.last_seq / 2 ? true : undefined;
    });
  }
  await connection.close();
  const b = await bed.node('empty', nats);
  await b.start();
  const watch = await Watch.on(nats.url);
  await watch.shared(UNITS, [a, b]);
  // On a machine that is slow now a lease may be on its way from one to the other once more.
  const told = await until('every shard to have an owner', async () => {
    const { stdout } = await runCli(bed.cwd, ['nodes', '--json', '--nats-url', nats.url]);
    const all = JSON.parse(stdout) as Told;
    return all.shards.every(({ owner }) => owner !== null) ? all : undefined;
  });
  expect(told.nodes.map(({ grpc }) => grpc)).toEqual([a.address, b.address]);
  expect(told.nodes.flatMap(({ owns }) => owns).sort()).toEqual(told.shards.map(({ shard }) => shard).sort());
  expect(told.shards).toHaveLength(UNITS);
  for (const { owner, copied_at } of told.shards) expect([owner, copied_at]).not.toContain(null);
  await load.at(0.8);
  await a.kill();
  rmSync(a.dataDir, { recursive: true, force: true, maxRetries: 3 });
  await watch.shared(UNITS, [b]);
  await load.end();
  const { lists, marks } = await finished([b], publisher, little);
  expectSameLists(lists[0]!, expectedOfLittle, 'the node that began with nothing');
  expect(await b.stop()).toMatchObject({ code: 0 });
  const counters = await countersIn([b.dataDir]);
  expect(counters.on_time + counters.late).toBe(little.good + little.last.length + marks);
  await publisher.close();
  await watch.close();
  await nats.stop();
});

it('refuses a node of another configuration, and a copied data directory', async () => {
  const nats = await bed.server();
  const a = await bed.node('first', nats);
  await a.start();
  expect(await a.stop()).toMatchObject({ code: 0 });
  cpSync(a.dataDir, join(bed.place, 'copied'), { recursive: true });
  await a.start();
  const watch = await Watch.on(nats.url);
  await watch.shared(UNITS, [a]);
  const refused: readonly [string, readonly string[], RegExp][] = [
    ['third', ['--partitions', '3'], /PARTITIONS_CHANGED/],
    ['other', ['--set', 'pipeline.window.kind=hopping'], /PIPELINE_CHANGED/],
    ['copied', [], /NODE_TWICE/],
  ];
  for (const [name, more, reason] of refused) {
    const other = await bed.node(name, nats, more);
    // A copied directory may look like the node's next life until the first one speaks again.
    await other.start().catch(() => undefined);
    const { code, stderr } = await other.ended;
    expect([0, null], name).not.toContain(code);
    expect(stderr, name).toMatch(reason);
  }
  // Who was refused has left nothing that would be refused by itself.
  const third = await bed.node('third', nats);
  await third.start();
  expect(await third.stop()).toMatchObject({ code: 0 });
  await watch.shared(UNITS, [a]);
  expect(a.hasEnded).toBe(false);
  const doctor = async (): Promise<string> => (await runCli(bed.cwd, ['doctor', '--nats-url', nats.url])).stdout;
  expect(await doctor()).toContain(`1 node, and each of the ${UNITS} shards has an owner`);
  expect(await a.stop()).toMatchObject({ code: 0 });
  expect(await doctor()).toContain('! no node runs on this NATS');
  await watch.close();
  await nats.stop();
});
