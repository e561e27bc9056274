/** What a node asks of NATS per round: to write its entry and its leases, and nothing that grows with the shards there are (CLUSTER-6). */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openKeyValue } from '../../../connectors/nats/key-value.js';
import { Cluster } from '../../../runtime/cluster/cluster.js';
import type { ClusterHost } from '../../../runtime/cluster/options.js';
import type { KeyValue } from '../../../runtime/contract/ports.js';
import { eventually } from '../../support/eventually.js';
import { startTestNats, type TestNats } from '../../support/nats.js';
import { VirtualClock } from '../virtual-clock.js';

const ROUNDS = 8;

let server: TestNats;
beforeAll(async () => {
  server = await startTestNats();
});
afterAll(() => server.stop());

const note = (): void => undefined;
const nothing = async (): Promise<void> => undefined;
const host: ClusterHost = { check: nothing, follow: nothing, own: nothing, close: nothing, hold: nothing };

/** Messages to the server in two leases, without those that write. */
async function readsWith(shards: number): Promise<number> {
  const connection = await connectNats({ url: server.url }, 'test');
  let writes = 0;
  const table = async (name: string): Promise<KeyValue> => {
    const inner = await openKeyValue(connection, { bucket: `${name}-${shards}`, ttlMs: 600_000, replicas: 1 });
    const put: KeyValue['put'] = (...entry) => {
      writes++;
      return inner.put(...entry);
    };
    return Object.assign(Object.create(inner) as KeyValue, { put });
  };
  const clock = new VirtualClock();
  const cluster = await Cluster.join({
    ...{ node: 'a', process: 'process of a', name: 'here', nodes: await table('nodes'), leases: await table('leases') },
    ...{ host, clock, leaseMs: 4_000, standbys: 1, onFatal: note },
    shards: Array.from({ length: shards }, (_, partition) => ({ name: `user-${partition}`, partition, stages: [] })),
    logger: { debug: note, info: note, warn: note, error: note },
  });
  const isResting = (): Promise<void> => eventually(() => expect(clock.sleeping).toBe(1));
  const round = async (): Promise<void> => {
    const before = writes;
    await isResting();
    clock.wakeNext();
    await eventually(() => expect(writes - before).toBeGreaterThanOrEqual(shards + 1));
    await isResting();
  };
  // The first ones are about what has just been taken.
  for (let i = 0; i < 3; i++) await round();
  const [sent, written] = [connection.stats().outMsgs, writes];
  for (let i = 0; i < ROUNDS; i++) await round();
  const reads = connection.stats().outMsgs - sent - (writes - written);
  await cluster.stop();
  await connection.close();
  return reads;
}

it('as much for a hundred shards as for four', async () => {
  // Each round asks both tables how far they are; the consumers ask for more messages now and then.
  const most = 4 * ROUNDS;
  expect(await readsWith(4)).toBeLessThan(most);
  expect(await readsWith(100)).toBeLessThan(most);
});
