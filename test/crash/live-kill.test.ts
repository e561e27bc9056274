/**
 * A live node, its nats-server, or both, killed with -9 while events are published: every acknowledged event is counted once, what was
 * repeated is a duplicate, and the lists are those of a node that was left alone.
 */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type * as CliOptions from '../../runtime/cli/node/node-options.js';
import type * as CliSettings from '../../runtime/cli/settings.js';
import { seededRandom } from '../../actors/maths/random.js';
import type { Counters } from '../../runtime/actor/instance.js';
import type * as MainNode from '../../runtime/node/node.js';
import { ROOT } from '../guards/source-files.js';
import { type Running, startCli, workingDirectory } from '../cli/run-cli.js';
import { awaited, hasEnded, natsPid, pause, processesOn, signal, type Target } from '../support/blows.js';
import { liveEvents, type LiveEvents } from '../support/live-events.js';
import { freePort } from '../support/live-nodes.js';
import { PURCHASES_ALONE, PURCHASES_ALONE_SET } from '../support/purchases-alone.js';
import { StubbornPublisher } from '../support/stubborn-publisher.js';

const SEED = Number(process.env.RIVULET_CRASH_SEED ?? 3);
const SIZE = { users: 40, purchases: 300, views: 1_800 };
/** Interests fade with the time of the frame that brought them: frames cut elsewhere move scores a little. */
const SCORE_TOLERANCE = 1e-3;
const PER_SECOND = 300;
/** The first and the last blow meet a node that is up, those between one that may still be starting. */
const BLOWS: readonly Target[] = ['node', 'nats', 'both', 'nats', 'node'];
const PARTITIONS = 2;

type Chaining = 'off' | 'on';
const chainingIs = (how: Chaining): string => `pipeline.chaining=${how}`;

const { cwd, remove } = workingDirectory();
const children: ChildProcess[] = [];
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const name of ['calm', 'beaten-off', 'beaten-on']) {
    const server = await natsPid(join(cwd, name, 'nats'));
    if (server !== undefined) signal(server, 'SIGKILL');
  }
  remove();
});

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
async function startNode(dataDir: string, natsPort: number, chaining: Chaining): Promise<MainNode.RunningNode> {
  const load = async <T>(path: string): Promise<T> => (await import(join(ROOT, 'dist', 'runtime', path))) as T;
  const { startNode: start } = await load<typeof MainNode>('node/node.js');
  const { nodeOptions } = await load<typeof CliOptions>('cli/node/node-options.js');
  const { settingsOf } = await load<typeof CliSettings>('cli/settings.js');
  const natsServer = process.env.RIVULET_NATS_SERVER;
  const flags = { dataDir, natsPort, grpcPort: 0, httpPort: 0, partitions: PARTITIONS, logLevel: 'error', natsServer };
  const set = [...PURCHASES_ALONE_SET, { key: 'pipeline.chaining', value: chaining, bySet: true }];
  const { config } = settingsOf({ ...flags, set }, { env: {} });
  return start({ ...nodeOptions(config), onProgress: () => undefined });
}

/** Until `events` are counted, each once, and nothing is on its way. */
async function counted(node: MainNode.RunningNode, good: number): Promise<Counters> {
  return (await awaited(() => {
    const sum = sumOf(node);
    return settled(sum) && sum.on_time + sum.late >= good ? sum : undefined;
  }))!;
}

/** Until nothing is joined any more: what is popular is told beside the counters, not before them. */
async function atRest(node: MainNode.RunningNode): Promise<void> {
  const said = (): number => node.statuses().reduce((sum, { rowsOut }) => sum + rowsOut, 0);
  for (let before = said(); ;) {
    // Threads say once a second how they are.
    await pause(2_500);
    const now = said();
    if (now === before) return;
    before = now;
  }
}

/** The last views, once all else is counted; then the lists. */
async function lists(node: MainNode.RunningNode, publisher: StubbornPublisher, { users, last, good }: LiveEvents) {
  await atRest(node);
  await publisher.publish(last, 1_000);
  const counters = await counted(node, good + last.length);
  const look = (): Map<string, number> =>
    new Map(
      users
        .flatMap((userId) => {
          const query = {
            userId,
            limit: 100,
            category: undefined,
            excludeSeen: false,
            explain: false,
            strategy: 'category-popularity' as const,
          };
          return node
            .answer(query)
            .items.map(({ itemId, type, score }) => [`${userId} ${itemId} ${type}`, score] as const);
        })
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  // The lists follow the counters by a few frames: until two looks a while apart are the same.
  for (let before = look(); ;) {
    await pause(500);
    const now = look();
    if (isDeepStrictEqual(now, before)) return { counters, answers: now };
    before = now;
  }
}

/** Starts it, and again after each blow; all is published meanwhile. */
async function beatenWhile(dataDir: string, natsPort: number, chaining: Chaining, work: Promise<void>): Promise<void> {
  const random = seededRandom(SEED);
  const store = join(dataDir, 'nats');
  const launch = (): Running => {
    const flags = ['--grpc-port', '0', '--nats-port', String(natsPort), '--partitions', String(PARTITIONS)];
    const fast = ['--snapshot-every-seconds', '0.3'];
    const chained = ['--set', chainingIs(chaining)];
    const running = startCli(cwd, ['start', '--data-dir', dataDir, ...fast, ...flags, ...PURCHASES_ALONE, ...chained]);
    children.push(running.child);
    return running;
  };
  let { child, ended, printed } = launch();
  let before: number | undefined;
  for (const [i, target] of BLOWS.entries()) {
    const server = await awaited(
      () => natsPid(store, before),
      () => hasEnded(child),
    );
    if (i === 0 || i === BLOWS.length - 1) await printed(/rivulet is up/);
    await pause(300 + random() * 900);
    if (hasEnded(child)) throw new Error(`the node has ended by itself: ${JSON.stringify(await ended)}`);
    if (target !== 'nats') child.kill('SIGKILL');
    if (target !== 'node') signal(server!, 'SIGKILL');
    before = server;
    if (target === 'nats') continue;
    await awaited(() => (hasEnded(child) ? true : undefined));
    ({ child, ended, printed } = launch());
  }
  await work;
  // The last one as well: what it has not written is replayed.
  child.kill('SIGKILL');
  await awaited(() => (hasEnded(child) ? true : undefined));
}

const events = liveEvents(SEED, SIZE);
let expected: ReadonlyMap<string, number>;
beforeAll(async () => {
  const port = await freePort();
  const calm = await startNode(join(cwd, 'calm'), port, 'off');
  const publisher = await StubbornPublisher.connect(`127.0.0.1:${port}`);
  await publisher.publish([...events.purchases, ...events.views], 5_000);
  await counted(calm, events.good);
  ({ answers: expected } = await lists(calm, publisher, events));
  await publisher.close();
  await calm.stop(10_000);
});

it.each([
  ['', 'off'],
  [', where stages run as one', 'on'],
] as const)(
  'counts every acknowledged event once, and has the lists of a node that was left alone%s',
  async (_, chaining) => {
    const { purchases, views, last, bad, repeated, late, good } = events;
    const dataDir = join(cwd, `beaten-${chaining}`);
    const natsPort = await freePort();
    // Connected once there is a server.
    const connecting = StubbornPublisher.connect(`127.0.0.1:${natsPort}`);
    const publishing = connecting.then((one) => one.publish([...purchases, ...views], PER_SECOND));
    await beatenWhile(dataDir, natsPort, chaining, publishing);
    const publisher = await connecting;

    const node = await startNode(dataDir, natsPort, chaining);
    await counted(node, good);
    const { counters, answers } = await lists(node, publisher, events);
    console.log(
      `seed ${SEED}: ${BLOWS.length + 1} kills, ${publisher.sent} sent for ${publisher.acked} acknowledged`,
      counters,
    );
    await publisher.close();
    await node.stop(10_000);
    expect(counters.on_time + counters.late).toBe(good + last.length);
    expect(counters.dead_letter).toBeGreaterThanOrEqual(bad);
    expect(counters.late).toBeGreaterThanOrEqual(late);
    expect(counters.duplicates).toBeGreaterThanOrEqual(repeated);
    expect(counters.dead_letter + counters.duplicates).toBeLessThanOrEqual(
      bad + repeated + publisher.sent - publisher.acked,
    );
    expect([...answers.keys()]).toEqual([...expected.keys()]);
    for (const [key, score] of expected) {
      expect(Math.abs(answers.get(key)! - score), key).toBeLessThanOrEqual(score * SCORE_TOLERANCE);
    }
    expect(await processesOn(cwd)).toEqual([]);
  },
);
