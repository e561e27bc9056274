/** A worker thread of a live node ends while events are published: it is restarted, and the lists are those of a node that was left alone. */
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, expect, it } from 'vitest';
import type * as CliOptions from '../../runtime/cli/node/node-options.js';
import type * as CliSettings from '../../runtime/cli/settings.js';
import type * as Loading from '../../runtime/node/loading.js';
import type * as MainNode from '../../runtime/node/node.js';
import { ROOT } from '../guards/source-files.js';
import { startCli, workingDirectory } from '../cli/run-cli.js';
import { awaited, natsPid, pause, POLL_MS, signal } from '../support/blows.js';
import { liveEvents } from '../support/live-events.js';
import { freePort, type LiveNode } from '../support/live-nodes.js';
import { expectSameLists, finished, Load } from '../support/live-story.js';
import { PURCHASES_ALONE_SET } from '../support/purchases-alone.js';
import { StubbornPublisher } from '../support/stubborn-publisher.js';
import { connectRivulet } from '../../connectors/grpc/client/client.js';

const EVENTS = liveEvents(5, { users: 40, purchases: 300, views: 1_200 });
const { cwd, remove } = workingDirectory();
const nodes: MainNode.RunningNode[] = [];
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop(5_000)));
  remove();
});

/** In this process, from `dist`, as its threads are: they can be ended one by one. */
async function started(
  name: string,
): Promise<{ node: MainNode.RunningNode; workers: readonly Worker[]; port: number }> {
  const load = async <T>(path: string): Promise<T> => (await import(join(ROOT, 'dist', 'runtime', path))) as T;
  const { startNode } = await load<typeof MainNode>('node/node.js');
  const { nodeOptions } = await load<typeof CliOptions>('cli/node/node-options.js');
  const { settingsOf } = await load<typeof CliSettings>('cli/settings.js');
  const { loadingThreads } = await load<typeof Loading>('node/loading.js');
  const natsPort = await freePort();
  const natsServer = process.env.RIVULET_NATS_SERVER;
  const flags = {
    dataDir: join(cwd, name),
    natsPort,
    grpcPort: 0,
    httpPort: 0,
    partitions: 2,
    logLevel: 'error',
    natsServer,
    set: PURCHASES_ALONE_SET,
  };
  const { config } = settingsOf(flags, { env: {} });
  const workers = loadingThreads(['worker-0', 'worker-1']);
  const node = await startNode({ ...nodeOptions(config), onProgress: () => undefined }, [...workers]);
  nodes.push(node);
  return { node, workers, port: natsPort };
}

async function published(
  name: string,
  disturb: (one: Awaited<ReturnType<typeof started>>, load: Load) => Promise<void>,
) {
  const one = await started(name);
  const publisher = await StubbornPublisher.connect(`127.0.0.1:${one.port}`);
  await publisher.publish(EVENTS.purchases, 1_000);
  const load = new Load(publisher, EVENTS.views, 300);
  await disturb(one, load);
  await load.end();
  const client = { connect: () => connectRivulet(`127.0.0.1:${one.node.grpcPort}`) } as unknown as LiveNode;
  const { lists } = await finished([client], publisher, EVENTS);
  await publisher.close();
  return { lists: lists[0]!, node: one.node };
}

it('each thread is restarted, and so is the nats-server; nothing is lost or doubled', async () => {
  const calm = await published('calm', () => Promise.resolve());
  const beaten = await published('beaten', async ({ node, workers }, load) => {
    for (const [i, worker] of workers.entries()) {
      await load.at(0.2 + 0.2 * i);
      await worker.terminate();
    }
    await load.at(0.7);
    const server = (await natsPid(join(cwd, 'beaten', 'nats')))!;
    signal(server, 'SIGKILL');
    await awaited(async () => (await natsPid(join(cwd, 'beaten', 'nats'), server)) ?? undefined);
    expect(node.threads().length).toBe(3);
  });
  expectSameLists(beaten.lists, calm.lists, 'the lists');
  await expect.poll(() => beaten.node.health()?.reasons, { timeout: 20_000 }).toEqual([]);
  const counted = (node: MainNode.RunningNode) =>
    node.statuses().reduce((sum, { counters }) => sum + counters.on_time, 0);
  expect(counted(beaten.node)).toBeGreaterThan(0);
});

it('a nats-server that is killed again and again escalates: the node ends, and says why', async () => {
  const args = ['start', '--data-dir', 'doomed', '--grpc-port', '0', '--http-port', '0'];
  args.push('--nats-port', String(await freePort()));
  const node = startCli(cwd, args);
  await node.printed(/rivulet is up/);
  let hasEnded = false;
  const ended = node.ended.finally(() => (hasEnded = true));
  const store = join(cwd, 'doomed', 'nats');
  let killed: number | undefined;
  while (!hasEnded) {
    const pid = await natsPid(store, killed);
    if (pid === undefined) await pause(POLL_MS);
    else signal((killed = pid), 'SIGKILL');
  }
  const { code, stderr } = await ended;
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/more than 5 restarts within 300 s.*\[NATS_SERVER_DOWN\]/s),
  ]);
  expect(await natsPid(store)).toBeUndefined();
}, 60_000);
