/** What the benchmarks of several nodes look at: the tables that the nodes share. */
import type { connect } from '@nats-io/transport-node';
import { entriesOfBucket } from '../../connectors/nats/key-value.js';
import { leasesIn, nodesIn } from '../../runtime/cluster/entries.js';
import { BUCKETS } from '../../runtime/node/buckets.js';
import { pause } from './fleet.js';

const POLL_MS = 10;
const GIVE_UP_MS = 300_000;

export type Connection = Awaited<ReturnType<typeof connect>>;

export async function ownersOf(connection: Connection): Promise<Map<string, string | undefined>> {
  const leases = leasesIn((await entriesOfBucket(connection, BUCKETS.leases)) ?? []);
  return new Map([...leases].map(([shard, { node }]) => [shard, node]));
}

/** Of the node that answers on a port. */
export async function idOf(connection: Connection, port: number): Promise<string | undefined> {
  const nodes = nodesIn((await entriesOfBucket(connection, BUCKETS.nodes)) ?? []);
  return nodes.find(({ grpc }) => grpc?.endsWith(`:${port}`) === true)?.id;
}

/** Each of so many nodes owns some, and is a standby of what it does not own. */
export async function isShared(connection: Connection, count: number): Promise<boolean> {
  const owners = await ownersOf(connection);
  const nodes = nodesIn((await entriesOfBucket(connection, BUCKETS.nodes)) ?? []);
  const isWhole = nodes.every(({ id, standbyOf }) =>
    [...owners].every(([shard, node]) => node === id || standbyOf.includes(shard)),
  );
  return nodes.length === count && new Set(owners.values()).size === count && isWhole;
}

export async function until(what: string, reached: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + GIVE_UP_MS;
  while (!(await reached().catch(() => false))) {
    if (performance.now() > endMs) throw new Error(`waited five minutes for ${what}`);
    await pause(POLL_MS);
  }
}
