/** The buckets of a deployment, for commands that look at it from outside: none is made. */
import type { NatsConnection } from '@nats-io/transport-node';
import { openKeyValue } from '../../connectors/nats/key-value.js';
import type { StreamArchive } from '../../connectors/nats/log/stream-archive.js';
import { BUCKETS } from '../node/buckets.js';
import type { KeyValue } from '../contract/ports.js';
import type { NodesTable } from './backup/hold.js';

const NANOS_PER_MS = 1e6;

/** The table in which nodes say that they live; `undefined` where none has run. */
export async function openNodes(archive: StreamArchive, connection: NatsConnection): Promise<NodesTable | undefined> {
  const table = await openBucket(archive, connection, BUCKETS.nodes);
  return table === undefined ? undefined : { nodes: table.entries, ttlMs: table.ttlMs };
}

/** A bucket as it is, with its settings; absent where no node has made it. */
export async function openBucket(
  archive: StreamArchive,
  connection: NatsConnection,
  bucket: string,
): Promise<{ readonly entries: KeyValue; readonly ttlMs: number } | undefined> {
  const found = await archive.find(`KV_${bucket}`);
  if (found === undefined) return undefined;
  const { max_age: ageNs, num_replicas: replicas } = found.config;
  const ttl = ageNs === 0 ? {} : { ttlMs: ageNs / NANOS_PER_MS };
  return { entries: await openKeyValue(connection, { bucket, replicas, ...ttl }), ttlMs: ttl.ttlMs ?? Infinity };
}
