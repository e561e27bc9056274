/**
 * A live node, its nats-server, or both, killed with -9 while events are published: every acknowledged event is counted once, what was
 * repeated is a duplicate, and the lists are those of a node that was left alone.
 */
import type { ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import type * as CliOptions from '../../runtime/cli/node-options.js';
import type * as CliSettings from '../../runtime/cli/settings.js';
import { seededRandom } from '../../runtime/cli/demo-catalogue.js';
import type { Counters } from '../../runtime/instance.js';
import type * as MainNode from '../../runtime/main-node.js';
import { ROOT } from '../guards/source-files.js';
import { startCli, workingDirectory } from '../cli/run-cli.js';
import { awaited, hasEnded, natsPid, pause, processesOn, signal, type Target } from '../support/blows.js';
import { type Event, StubbornPublisher } from '../support/stubborn-publisher.js';

const SEED = Number(process.env.RIVULET_CRASH_SEED ?? 3);
const USERS = Array.from({ length: 40 }, (_, i) => `user-${i}`);
const CATEGORIES = ['audio', 'shoes', 'chairs', 'lamps', 'books'];
const PURCHASES = 300;
const VIEWS = 1_800;
/** The categories of ten views of a user, counted from their favourite: no two are liked nearly as much. */
const TASTE = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3];
const BAD_EVERY = 37;
/** Interests fade with the time of the frame that brought them: frames cut elsewhere move scores a little. */
const SCORE_TOLERANCE = 1e-3;
const PER_SECOND = 300;
const BLOWS: readonly Target[] = ['node', 'nats', 'both', 'nats', 'node'];
const PARTITIONS = 2;

const { cwd, remove } = workingDirectory();
const children: ChildProcess[] = [];
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const name of ['calm', 'beaten']) {
    const server = await natsPid(join(cwd, name, 'nats'));
    if (server !== undefined) signal(server, 'SIGKILL');
  }
  remove();
});

const item = (n: number): Record<string, string> => ({
  item_id: `i${n}`,
  category_code: `${CATEGORIES[n % CATEGORIES.length]!}.all`,
});

function event(id: string, type: string, user: string, more: Record<string, unknown>, timeMs: number): Event {
  const body = { event_id: id, event_type: type, event_time: new Date(timeMs).toISOString(), user_id: user, ...more };
  return { subject: `rivulet.events.${type}.${user}`, body };
}

/** What decides the popularity; what decides the interests; and a last view of each user, so that each list is made with all of it known. */
function eventsOf(seed: number) {
  const random = seededRandom(seed);
  const startMs = Date.UTC(2026, 0, 1, 12);
  const purchases = Array.from({ length: PURCHASES }, (_, i) =>
    event(
      `p${i}`,
      'purchase',
      `buyer-${i % 7}`,
      { ...item(Math.floor(random() ** 2 * 50)), price: 5 },
      startMs + i * 100,
    ),
  );
  const views = Array.from({ length: VIEWS }, (_, i) => {
    const bad = i % BAD_EVERY === 0 ? { price: -1 } : {};
    const user = i % USERS.length;
    const category = (user + TASTE[Math.floor(i / USERS.length) % TASTE.length]!) % CATEGORIES.length;
    const chosen = item(category + CATEGORIES.length * Math.floor(random() * 10));
    return event(`v${i}`, 'view', USERS[user]!, { ...chosen, ...bad }, startMs + 60_000 + i * 100);
  });
  const last = USERS.map((name, i) => event(`l${i}`, 'view', name, item(i), startMs + 300_000));
  return { purchases, views, last };
}

const sumOf = (node: MainNode.RunningNode): Counters =>
  node.statuses().reduce(
    (sum, { counters: { events, on_time, late, dead_letter, duplicates } }) => ({
      events: sum.events + events,
      on_time: sum.on_time + on_time,
      late: sum.late + late,
      dead_letter: sum.dead_letter + dead_letter,
      duplicates: sum.duplicates + duplicates,
    }),
    { events: 0, on_time: 0, late: 0, dead_letter: 0, duplicates: 0 },
  );

const settled = ({ events, on_time, late, dead_letter, duplicates }: Counters): boolean =>
  events === on_time + late + dead_letter + duplicates;

/** In this process, to look at its counters; from `dist`, as its threads are. */
async function startNode(dataDir: string, natsPort: number): Promise<MainNode.RunningNode> {
  const load = async <T>(path: string): Promise<T> => (await import(join(ROOT, 'dist', 'runtime', path))) as T;
  const { startNode: start } = await load<typeof MainNode>('main-node.js');
  const { nodeOptions } = await load<typeof CliOptions>('cli/node-options.js');
  const { settingsOf } = await load<typeof CliSettings>('cli/settings.js');
  const natsServer = process.env.RIVULET_NATS_SERVER;
  const flags = { dataDir, natsPort, grpcPort: 0, partitions: PARTITIONS, logLevel: 'error', natsServer };
  const { config } = settingsOf(flags, { env: {} });
  return start({ ...nodeOptions(config), onProgress: () => undefined });
}

/** Until `events` are counted, each once, and nothing is on its way. */
async function counted(node: MainNode.RunningNode, good: number): Promise<Counters> {
  return (await awaited(() => {
    const sum = sumOf(node);
    return settled(sum) && sum.on_time + sum.late >= good ? sum : undefined;
  }))!;
}

/** The last views, once all else is counted; then the lists. */
async function lists(node: MainNode.RunningNode, publisher: StubbornPublisher, last: readonly Event[], good: number) {
  await publisher.publish(last, 1_000);
  const counters = await counted(node, good + last.length);
  const look = (): Map<string, number> =>
    new Map(
      USERS.flatMap((userId) => {
        const query = { userId, limit: 100, category: undefined, excludeSeen: false, explain: false };
        return node
          .answer(query)
          .items.map(({ itemId, type, score }) => [`${userId} ${itemId} ${type}`, score] as const);
      }).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  // The lists follow the counters by a few frames: until two looks a while apart are the same.
  for (let before = look(); ;) {
    await pause(500);
    const now = look();
    if (isDeepStrictEqual(now, before)) return { counters, answers: now };
    before = now;
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** Starts it, and again after each blow, until all is published. */
async function beatenWhile(dataDir: string, natsPort: number, work: Promise<void>): Promise<number> {
  const random = seededRandom(SEED);
  const store = join(dataDir, 'nats');
  let over = false;
  void work.finally(() => (over = true));
  const launch = (): ChildProcess => {
    const flags = ['--grpc-port', '0', '--nats-port', String(natsPort), '--partitions', String(PARTITIONS)];
    const { child } = startCli(cwd, ['start', '--data-dir', dataDir, '--snapshot-every-seconds', '0.3', ...flags]);
    children.push(child);
    return child;
  };
  let child = launch();
  let kills = 0;
  let before: number | undefined;
  for (const target of BLOWS) {
    const server = await awaited(
      () => natsPid(store, before),
      () => hasEnded(child),
    );
    await pause(300 + random() * 900);
    if (over) break;
    expect(hasEnded(child)).toBe(false);
    if (target !== 'nats') child.kill('SIGKILL');
    if (target !== 'node') signal(server!, 'SIGKILL');
    kills++;
    before = server;
    if (target === 'nats') continue;
    await awaited(() => (hasEnded(child) ? true : undefined));
    child = launch();
  }
  await work;
  // The last one as well: what it has not written is replayed.
  child.kill('SIGKILL');
  await awaited(() => (hasEnded(child) ? true : undefined));
  return kills + 1;
}

it('counts every acknowledged event once, and has the lists of a node that was left alone', async () => {
  const { purchases, views, last } = eventsOf(SEED);
  const good = purchases.length + views.length - Math.ceil(VIEWS / BAD_EVERY);

  const calmPort = await freePort();
  const calm = await startNode(join(cwd, 'calm'), calmPort);
  const toCalm = await StubbornPublisher.connect(`127.0.0.1:${calmPort}`);
  await toCalm.publish([...purchases, ...views], 5_000);
  await counted(calm, good);
  const { answers: expected } = await lists(calm, toCalm, last, good);
  await toCalm.close();
  await calm.stop(10_000);

  const dataDir = join(cwd, 'beaten');
  const natsPort = await freePort();
  // Connected once there is a server.
  const connecting = StubbornPublisher.connect(`127.0.0.1:${natsPort}`);
  const publishing = connecting.then((one) => one.publish([...purchases, ...views], PER_SECOND));
  const kills = await beatenWhile(dataDir, natsPort, publishing);
  const publisher = await connecting;

  const node = await startNode(dataDir, natsPort);
  await counted(node, good);
  const { counters, answers } = await lists(node, publisher, last, good);
  console.log(`seed ${SEED}: ${kills} kills, ${publisher.sent} sent for ${publisher.acked} acknowledged`, counters);
  await publisher.close();
  await node.stop(10_000);
  expect(kills).toBeGreaterThan(3);
  expect(counters.on_time + counters.late).toBe(good + last.length);
  const bad = purchases.length + views.length - good;
  expect(counters.dead_letter).toBeGreaterThanOrEqual(bad);
  expect(counters.dead_letter + counters.duplicates).toBeLessThanOrEqual(bad + publisher.sent - publisher.acked);
  expect([...answers.keys()]).toEqual([...expected.keys()]);
  for (const [key, score] of expected) {
    expect(Math.abs(answers.get(key)! - score), key).toBeLessThanOrEqual(score * SCORE_TOLERANCE);
  }
  expect(await processesOn(cwd)).toEqual([]);
}, 120_000);
