/** The buckets of a deployment, for commands that inspect it: none is created. */
import type { NatsConnection } from '@nats-io/transport-node';
import { openKeyValue } from '../../connectors/nats/key-value.js';
import type { StreamArchive } from '../../connectors/nats/log/stream-archive.js';
import { BUCKETS } from '../node/buckets.js';
import type { KeyValue } from '../contract/ports.js';
import type { NodesTable } from './backup/hold.js';

const NANOS_PER_MS = 1e6;

/** The nodes' membership table; `undefined` if no node has run. */
export async function openNodes(archive: StreamArchive, connection: NatsConnection): Promise<NodesTable | undefined> {
  const table = await openBucket(archive, connection, BUCKETS.nodes);
  return table === undefined ? undefined : { nodes: table.entries, ttlMs: table.ttlMs };
}

/** An existing bucket with its settings; absent if no node has created it. */
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
