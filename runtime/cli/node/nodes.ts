/** `rivulet nodes`: the live nodes, the owner and standbys of each shard, and the age of the copies. */
import type { NatsConnection } from '@nats-io/transport-node';
import { mainTopology } from '../../../actors/topology.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { entriesOfBucket } from '../../../connectors/nats/key-value.js';
import { leasesIn, nodesIn, type NodeEntry } from '../../cluster/entries.js';
import type { Config } from '../../config/config.js';
import { layoutOf } from '../../config/deployment.js';
import { BUCKETS } from '../../node/buckets.js';
import { deploymentAmong } from '../../node/deployment.js';
import { laidOut } from '../state/deployed-config.js';
import { allShards } from '../../node/shards.js';
import { natsOf } from '../nats-link.js';
import { pipelineOptions } from './node-options.js';
import { type JsonOptions, settingsOf } from '../settings.js';
import { duration, harmless, instant, table } from '../terminal.js';

export interface ShardPlacement {
  readonly shard: string;
  /** Node id; absent: the lease is free. */
  readonly owner: string | undefined;
  /** Nodes that have its state up to the newest copy. */
  readonly standbys: readonly string[];
  /** When the newest copy was made; absent: there is none. */
  readonly copiedAtMs: number | undefined;
}

export interface Deployed {
  readonly nodes: readonly NodeEntry[];
  /** All shards that the deployment has, owned or not. */
  readonly shards: readonly ShardPlacement[];
}

/** `undefined` when no node has ever joined on this NATS. */
export async function deployed(config: Config, connection: NatsConnection): Promise<Deployed | undefined> {
  const entries = await entriesOfBucket(connection, BUCKETS.nodes);
  if (entries === undefined) return undefined;
  const nodes = [...nodesIn(entries)].sort((a, b) => a.startedAtMs - b.startedAtMs);
  const leases = leasesIn((await entriesOfBucket(connection, BUCKETS.leases)) ?? []);
  const copies = new Map(
    ((await entriesOfBucket(connection, BUCKETS.manifests)) ?? []).map(({ key, storedAtMs }) => [key, storedAtMs]),
  );
  const made = deploymentAmong((await entriesOfBucket(connection, BUCKETS.deployment)) ?? []);
  const { sourcePartitions } = made ?? config;
  const own = made === undefined ? config : { ...laidOut(config, layoutOf(made)), sourcePartitions };
  const names = allShards(mainTopology(pipelineOptions(own)));
  const shards = names.map(({ name: shard }) => {
    const owner = leases.get(shard)?.node;
    const standbys = nodes.filter(({ id, standbyOf }) => id !== owner && standbyOf.includes(shard)).map(({ id }) => id);
    return { shard, owner, standbys, copiedAtMs: copies.get(shard) };
  });
  return { nodes, shards };
}

export async function nodes(options: JsonOptions): Promise<void> {
  const { config } = settingsOf(options);
  const connection = await connectNats(natsOf(config), 'rivulet-nodes');
  try {
    const found = (await deployed(config, connection)) ?? { nodes: [], shards: [] };
    process.stdout.write(`${options.json === true ? asJson(found) : asText(found, Date.now())}\n`);
  } finally {
    await connection.close();
  }
}

const iso = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());

function asJson({ nodes, shards }: Deployed): string {
  const document = {
    nodes: nodes.map(({ id, name, grpc, startedAtMs, draining, hold }) => ({
      ...{ id, name, grpc: grpc ?? null, since: iso(startedAtMs), leaving: draining, backup: hold ?? null },
      owns: shards.filter(({ owner }) => owner === id).map(({ shard }) => shard),
      standby_of: shards.filter(({ standbys }) => standbys.includes(id)).map(({ shard }) => shard),
    })),
    shards: shards.map(({ shard, owner, standbys, copiedAtMs }) => ({
      ...{ shard, owner: owner ?? null, standbys, copied_at: iso(copiedAtMs) },
    })),
  };
  return JSON.stringify(document, undefined, 2);
}

function asText({ nodes, shards }: Deployed, nowMs: number): string {
  if (nodes.length === 0) return 'No live nodes.';
  const nodeRows = nodes.map(({ id, name, grpc, startedAtMs, draining }) => [
    ...[harmless(id), harmless(name), harmless(grpc ?? '–'), instant(startedAtMs)],
    ...[
      String(shards.filter(({ owner }) => owner === id).length),
      String(shards.filter(({ standbys }) => standbys.includes(id)).length),
    ],
    draining ? 'leaving' : 'live',
  ]);
  const shardRows = shards.map(({ shard, owner, standbys, copiedAtMs }) => [
    ...[harmless(shard), harmless(owner ?? 'none'), harmless(standbys.join(', ') || '–')],
    copiedAtMs === undefined ? 'none' : `${duration(Math.max(0, nowMs - copiedAtMs))} ago`,
  ]);
  return [
    table(['NODE', 'HOST', 'GRPC', 'SINCE', 'OWNS', 'STANDBY', 'STATE'], nodeRows, new Set([4, 5])),
    '',
    table(['SHARD', 'OWNER', 'STANDBYS', 'NEWEST COPY'], shardRows),
  ].join('\n');
}
