/**
 * Takeover: two nodes share many users; one is killed with -9 under load. How long until the other has all shards, and until its lists have what
 * was published after the kill?
 *
 * Two clocks: since the death, and since it was seen, which is when the dead node's entry ended (leaseSeconds after its last sign of life; its
 * leases end at about the same time). The probes are users who nobody knows, published at once after the kill, enough for each partition.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { startTestNats } from '../support/nats.js';
import { BenchNode, eventOf, fill, pause, userName } from './fleet.js';
import { DIST, loadAverage, round, say } from './machine.js';
import { type Connection, idOf, isShared, ownersOf, until } from './nodes-watch.js';

const GRPC_PORTS = [55_071, 55_072] as const;
const LOAD_RATE = 500;
const LOAD_SECONDS_MAX = 600;
/** Under load, before the kill. */
const WARM_UP_MS = 8_000;
const ROUNDS = 2;
const PROBES = 16;

export async function benchTakeover(users: number): Promise<void> {
  say(`\ntakeover, ${users} users on two nodes (kill -9 under ${LOAD_RATE} events/s; load ${loadAverage()})`);
  const nats = await startTestNats();
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-takeover-'));
  const start = (which: 0 | 1): BenchNode =>
    BenchNode.start({
      RIVULET_NATS_URL: nats.url,
      RIVULET_DATA_DIR: join(directory, `node-${which}`),
      RIVULET_GRPC_PORT: String(GRPC_PORTS[which]),
    });
  const nodes = [start(0)];
  const connection = await connect({ servers: nats.url });
  let load: ReturnType<typeof spawn> | undefined;
  try {
    await fill(nodes[0]!, users);
    nodes.push(start(1));
    await until('both to share the shards', () => isShared(connection, 2));
    const args = [nats.url, String(LOAD_RATE), String(LOAD_SECONDS_MAX), String(users)];
    load = spawn(process.execPath, [join(DIST, 'test/bench/live-load.js'), ...args], { stdio: 'ignore' });
    for (let n = 0; n < ROUNDS; n++) {
      const victim = (n % 2) as 0 | 1;
      await pause(WARM_UP_MS);
      await measured(nodes, victim, connection, n, users);
      nodes[victim] = start(victim);
      await until('both to share the shards', () => isShared(connection, 2));
    }
  } finally {
    load?.kill('SIGKILL');
    await Promise.all(nodes.map((node) => node.end('SIGTERM')));
    await connection.close();
    await nats.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function measured(
  nodes: readonly BenchNode[],
  victim: 0 | 1,
  connection: Connection,
  n: number,
  users: number,
): Promise<void> {
  const shards = await ownersOf(connection);
  const dead = await idOf(connection, GRPC_PORTS[victim]);
  const owned = [...shards.values()].filter((node) => node === dead).length;
  const client = await connectRivulet(`127.0.0.1:${GRPC_PORTS[1 - victim]!}`);
  const killedMs = performance.now();
  const since = (fromMs: number): number => (performance.now() - fromMs) / 1000;
  await nodes[victim]!.end('SIGKILL');
  const probes = Array.from({ length: PROBES }, (_, i) => users + n * PROBES + i);
  for (const user of probes) {
    connection.publish('rivulet.events.view', eventOf(`probe-${user}`, user, user, Date.now()));
  }
  let seenMs = NaN;
  try {
    await until('the death to be seen', async () => (await idOf(connection, GRPC_PORTS[victim])) === undefined);
    seenMs = performance.now();
    await until('all shards to be taken', async () => {
      const now = await ownersOf(connection);
      return now.size >= shards.size && [...now.values()].every((node) => node !== dead);
    });
    const [taken, takenSeen] = [since(killedMs), since(seenMs)];
    await until('the probes', async () => {
      const lists = await Promise.all(
        probes.map((user) => client.getRecommendations({ userId: userName(user), strategy: 'category-popularity' })),
      );
      return lists.every(({ items }) => items[0]?.type === 'streaming_category_popularity');
    });
    const [answered, answeredSeen] = [since(killedMs), since(seenMs)];
    const seen = (seenMs - killedMs) / 1000;
    const s = (value: number): string => `${round(value, 2)} s`;
    say(
      `  round ${n + 1}: it owned ${owned} of ${shards.size} shards; seen dead after ${s(seen)}; all taken ${s(taken)} after the death, ` +
        `${s(takenSeen)} after it was seen; lists with later events ${s(answered)}, ${s(answeredSeen)} (load ${loadAverage()})`,
    );
  } finally {
    client.close();
  }
}
