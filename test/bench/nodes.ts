/**
 * Two nodes against one, on one machine: how long a backlog takes that comes faster than anybody can work it off, from the first event to the lists
 * that have the last ones. Both have NATS beside them; two nodes have two views, and share everything else.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { startTestNats } from '../support/nats.js';
import { BenchNode, eventOf, publishUsers, userName } from './fleet.js';
import { loadAverage, round, say } from './machine.js';
import { isShared, until } from './nodes-watch.js';

const GRPC_PORTS = [55_081, 55_082] as const;
/** Users who nobody knows, behind all others: enough for each partition. */
const PROBES = 16;

export async function benchNodes(events: number, rounds: number): Promise<void> {
  say(`\n${events} events through one node and through two, alternately (load ${loadAverage()})`);
  for (let n = 1; n <= rounds; n++) {
    const [one, two] = [await drained(1, events), await drained(2, events)];
    say(
      `  round ${n}: one node ${round(one, 1)} s (${Math.round(events / one)} events/s), two ${round(two, 1)} s ` +
        `(${Math.round(events / two)} events/s): ${round((two / one - 1) * 100, 1)} % (load ${loadAverage()})`,
    );
  }
}

/** Seconds. */
async function drained(count: 1 | 2, events: number): Promise<number> {
  const nats = await startTestNats();
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-nodes-'));
  const nodes = GRPC_PORTS.slice(0, count).map((port, i) =>
    BenchNode.start({
      RIVULET_NATS_URL: nats.url,
      RIVULET_DATA_DIR: join(directory, `node-${i}`),
      RIVULET_GRPC_PORT: String(port),
    }),
  );
  const connection = await connect({ servers: nats.url });
  try {
    await until('the nodes to share the shards', () => isShared(connection, count));
    const client = await connectRivulet(`127.0.0.1:${GRPC_PORTS[0]}`);
    const startedMs = performance.now();
    await publishUsers(connection, events);
    for (let i = 0; i < PROBES; i++) {
      connection.publish('rivulet.events.view', eventOf(`probe-${i}`, events + i, i + 1, Date.now()));
    }
    await until('the probes', async () => {
      const probes = Array.from({ length: PROBES }, (_, i) => userName(events + i));
      const lists = await Promise.all(
        probes.map((userId) => client.getRecommendations({ userId, strategy: 'category-popularity' })),
      );
      return lists.every(({ items }) => items[0]?.type === 'streaming_category_popularity');
    });
    const seconds = (performance.now() - startedMs) / 1000;
    client.close();
    return seconds;
  } finally {
    await connection.close();
    await Promise.all(nodes.map((node) => node.end('SIGTERM')));
    await nats.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
