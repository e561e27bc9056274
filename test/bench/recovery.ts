/**
 * Recovery: a node with many users in state is killed with -9 under load; how long from the start of the next to SERVING, and to the right
 * answer for a user of old?
 *
 * The clock starts before the process does: Node's own start, the nats-server's, restore and replay are all in the figure. What was published
 * in the last seconds before the kill was in no snapshot: it is replayed. "Caught up" is when all of it is in lists that can be read. Before each load
 * the node rests, until what came before is in snapshots and LevelDB has sorted it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { BenchNode, eventOf, fill, FILLED_NODE, pause, spreadUser, userName } from './fleet.js';
import { CLI, cpuSeconds, loadAverage, round, say } from './machine.js';

const [GRPC_PORT, NATS_PORT] = [55_061, 55_232];
/** Published before the kill, at this rate; the snapshots of a restarted node are as far apart as by default. */
const LAST_EVENTS = 4_000;
const LAST_RATE = 2_000;
const ROUNDS = 5;
const REST_MS = 15_000;
const POLL_MS = 5;
const GIVE_UP_MS = 60_000;

export async function benchRecovery(users: number): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'rivulet-bench-recovery-'));
  const env = {
    RIVULET_DATA_DIR: dataDir,
    RIVULET_GRPC_PORT: String(GRPC_PORT),
    RIVULET_NATS_PORT: String(NATS_PORT),
  };
  say(
    `\nrecovery, ${users} users (kill -9 under ${LAST_RATE} events/s; from the start of the next process; load ${loadAverage()})`,
  );
  const node = BenchNode.start(env);
  let running: ChildProcess = node.process;
  try {
    await fill(node, users);
    for (let round = 1; round <= ROUNDS; round++) {
      await pause(REST_MS);
      await publishLast(round, users);
      await ended(running, 'SIGKILL');
      running = started(env);
      await measured(running, round, users);
    }
  } finally {
    // Its nats-server outlives a node that is killed, and is ended by the next one or by nobody.
    await ended(running, 'SIGTERM');
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function publishLast(round_: number, users: number): Promise<void> {
  const connection = await connect({ servers: `nats://127.0.0.1:${NATS_PORT}` });
  for (let n = 0; n < LAST_EVENTS; n++) {
    const user = spreadUser(n, users);
    connection.publish('rivulet.events.view', eventOf(`last-${round_}-${n}`, user, n, Date.now()));
    if (n % 20 === 0) await pause((20 / LAST_RATE) * 1000);
  }
  // A user who is new: who has a list of its own only when all before it was replayed.
  connection.publish('rivulet.events.view', eventOf(`mark-${round_}`, users + round_, 1, Date.now()));
  await connection.flush();
  await connection.close();
}

async function ended(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}

const started = (env: NodeJS.ProcessEnv): ChildProcess =>
  spawn(process.execPath, [CLI, 'start'], {
    env: { ...process.env, ...FILLED_NODE, ...env, RIVULET_LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });

async function measured(child: ChildProcess, round_: number, users: number): Promise<void> {
  const startedMs = performance.now();
  // Reconnects are not what is measured.
  const channel = { 'grpc.initial_reconnect_backoff_ms': 10, 'grpc.max_reconnect_backoff_ms': 20 };
  const client = await connectRivulet(`127.0.0.1:${GRPC_PORT}`, { channel });
  const since = (): string => `${round((performance.now() - startedMs) / 1000, 2)} s`;
  try {
    await until(async () => (await client.health()) === 'SERVING');
    const serving = `${since()} (${round(cpuSeconds(child.pid!), 2)} s of CPU)`;
    await until(() => hasOwnList(client, userName(Math.floor(users / 3))));
    const answering = since();
    await until(() => hasOwnList(client, userName(users + round_)));
    say(`  round ${round_}: SERVING ${serving}, right answer ${answering}, caught up ${since()}`);
  } finally {
    client.close();
  }
}

async function hasOwnList(client: RivuletClient, userId: string): Promise<boolean> {
  const { items } = await client.getRecommendations({ userId, strategy: 'category-popularity' });
  return items[0]?.type === 'streaming_category_popularity';
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + GIVE_UP_MS;
  while (!(await reached().catch(() => false))) {
    if (performance.now() > endMs) throw new Error('not reached within a minute');
    await pause(POLL_MS);
  }
}
