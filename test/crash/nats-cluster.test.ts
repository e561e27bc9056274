/**
 * Two nodes on a NATS cluster of three servers, each stream on all three: a server is killed, a node is killed, then one of each at once. Leaders
 * are elected anew meanwhile, for seconds. Every acknowledged event is counted once, nothing is said twice, no node ends by itself.
 */
import { afterAll, expect, it } from 'vitest';
import { liveBed } from '../support/live-bed.js';
import { liveEvents } from '../support/live-events.js';
import { Asker, countersIn, type LiveNode, Watch } from '../support/live-nodes.js';
import { expectSameLists, finished, type Lists, Load } from '../support/live-story.js';
import { type NatsCluster, startNatsCluster } from '../support/nats-cluster.js';
import { StubbornPublisher } from '../support/stubborn-publisher.js';
import { Witness } from '../support/witness.js';

const SEED = Number(process.env.RIVULET_CRASH_SEED ?? 3);
const PARTITIONS = 2;
const UNITS = 4 + 3 * PARTITIONS;
const FLAGS = [
  ...['--partitions', String(PARTITIONS), '--set', 'copyEverySeconds=2', '--snapshot-every-seconds', '1'],
  ...['--log-level', 'info'],
];
const PER_SECOND = 300;
/** Answers that the witness has compared: far fewer than it sees on a slow machine. */
const SEEN_MIN = 100;

const bed = liveBed(FLAGS);
let cluster: NatsCluster | undefined;
afterAll(() => cluster?.stop());

async function started(name: string, nats: { readonly url: string }, more?: readonly string[]): Promise<LiveNode> {
  const node = await bed.node(name, nats, more);
  await node.start();
  return node;
}

const events = liveEvents(SEED, { users: 60, purchases: 300, views: 6_600 });

/** The lists of one node on one server, which are left alone. */
async function undisturbed(): Promise<Lists> {
  const nats = await bed.server();
  const alone = await started('alone', nats);
  const publisher = await StubbornPublisher.connect(nats.url);
  await publisher.publish([...events.purchases, ...events.views], 10_000);
  const { lists } = await finished([alone], publisher, events);
  await publisher.close();
  expect((await alone.stop()).code).toBe(0);
  await nats.stop();
  return lists[0]!;
}

it('loses nothing when servers, nodes, and both at once are killed', async () => {
  const expected = await undisturbed();
  cluster = await startNatsCluster();
  const { url } = cluster;
  const replicas = ['--replicas', '3'];
  const [a, b] = await Promise.all([started('a', cluster, replicas), started('b', cluster, replicas)]);
  const [witness, watch] = [await Witness.start(url, { partitions: PARTITIONS }), await Watch.on(url)];
  await watch.shared(UNITS, [a, b]);
  const publisher = await StubbornPublisher.connect(url);
  const asked = await Asker.of(a, events.users);
  const load = new Load(publisher, [...events.purchases, ...events.views], PER_SECOND);

  // Whoever takes in what is published.
  await load.at(0.1);
  const first = await cluster.leaderOf('RIVULET_PARSE');
  await cluster.kill(first);
  await load.at(0.25);
  await cluster.restart(first);

  await load.at(0.35);
  await b.kill();
  await watch.shared(UNITS, [a]);
  await b.start();
  await cluster.whole('RIVULET_PARSE', 'KV_RIVULET_LEASES');
  await watch.shared(UNITS, [a, b]);

  // Whoever takes in the leases, and a node that has some.
  const second = await cluster.leaderOf('KV_RIVULET_LEASES');
  const isLoaded = !load.isOver;
  const failuresBefore = asked.failures.length;
  await Promise.all([cluster.kill(second), a.kill()]);
  await watch.shared(UNITS, [b]);
  await Promise.all([cluster.restart(second), a.start()]);
  await load.end();
  await watch.shared(UNITS, [a, b]);

  const { lists, marks } = await finished([a, b], publisher, events);
  await asked.stop();
  expectSameLists(lists[0]!, expected, 'the first node');
  expectSameLists(lists[1]!, expected, 'the second node');
  for (const node of [a, b]) expect(await node.stop()).toMatchObject({ code: 0 });
  await witness.seenAll();
  const counters = await countersIn([a.dataDir, b.dataDir]);
  const { answers, unseen, wrong } = witness;
  console.log(`${publisher.sent} sent for ${publisher.acked} acknowledged`, counters);
  console.log(`${answers} answers, ${unseen} trimmed before they were seen; under load to the end: ${isLoaded}`);
  await witness.stop();
  await Promise.all([watch.close(), publisher.close()]);
  expect(wrong).toEqual([]);
  expect(answers - unseen).toBeGreaterThan(SEEN_MIN);
  const { events: counted, on_time, late, dead_letter, duplicates } = counters;
  expect(counted).toBe(on_time + late + dead_letter + duplicates);
  expect(on_time + late).toBe(events.good + events.last.length + marks);
  expect(late).toBeGreaterThanOrEqual(events.late);
  expect(duplicates).toBeGreaterThanOrEqual(events.repeated);
  expect(dead_letter + duplicates - events.bad - events.repeated).toBe(counted - publisher.acked);
  expect(counted).toBeLessThanOrEqual(publisher.sent);
  // The lists are in the node: it needs no NATS to give them.
  expect(failuresBefore).toBe(0);
});
