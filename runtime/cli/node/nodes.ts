/** `rivulet nodes`: who is there, who owns what, who could take over, and how old the copies are. */
import type { NatsConnection } from '@nats-io/transport-node';
import { mainTopology } from '../../../actors/topology.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { entriesOfBucket } from '../../../connectors/nats/key-value.js';
import { leasesIn, nodesIn, type NodeEntry } from '../../cluster/entries.js';
import type { Config } from '../../config/config.js';
import { BUCKETS } from '../../node/buckets.js';
import { sharedPartitions } from '../../node/deployment.js';
import { allUnits } from '../../node/shards.js';
import type { JsonOptions } from '../commands/inspection.js';
import { natsOf } from '../nats-link.js';
import { pipelineOptions } from './node-options.js';
import { settingsOf } from '../settings.js';
import { duration, harmless, instant, table } from '../terminal.js';

export interface UnitPlace {
  readonly unit: string;
  /** Node id; absent: nobody has the lease. */
  readonly owner: string | undefined;
  /** Nodes that have its state as far as the newest copy. */
  readonly warm: readonly string[];
  /** When the newest copy was made; absent: there is none. */
  readonly copiedAtMs: number | undefined;
}

export interface Deployed {
  readonly nodes: readonly NodeEntry[];
  /** All units that the deployment has, owned or not. */
  readonly units: readonly UnitPlace[];
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
  const pipeline = pipelineOptions(config);
  const partitions = sharedPartitions((await entriesOfBucket(connection, BUCKETS.deployment)) ?? []);
  const names = allUnits(mainTopology({ ...pipeline, partitions: partitions ?? pipeline.partitions }));
  const units = names.map(({ name: unit }) => {
    const owner = leases.get(unit)?.node;
    const warm = nodes.filter(({ id, warm }) => id !== owner && warm.includes(unit)).map(({ id }) => id);
    return { unit, owner, warm, copiedAtMs: copies.get(unit) };
  });
  return { nodes, units };
}

export async function nodes(options: JsonOptions): Promise<void> {
  const { config } = settingsOf(options);
  const connection = await connectNats(natsOf(config), 'rivulet-nodes');
  try {
    const found = (await deployed(config, connection)) ?? { nodes: [], units: [] };
    process.stdout.write(`${options.json === true ? asJson(found) : asText(found, Date.now())}\n`);
  } finally {
    await connection.close();
  }
}

const iso = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());

function asJson({ nodes, units }: Deployed): string {
  const document = {
    nodes: nodes.map(({ id, name, grpc, startedAtMs, draining, hold }) => ({
      ...{ id, name, grpc: grpc ?? null, since: iso(startedAtMs), leaving: draining, backup: hold ?? null },
      owns: units.filter(({ owner }) => owner === id).map(({ unit }) => unit),
      keeps_warm: units.filter(({ warm }) => warm.includes(id)).map(({ unit }) => unit),
    })),
    units: units.map(({ unit, owner, warm, copiedAtMs }) => ({
      ...{ unit, owner: owner ?? null, warm, copied_at: iso(copiedAtMs) },
    })),
  };
  return JSON.stringify(document, undefined, 2);
}

function asText({ nodes, units }: Deployed, nowMs: number): string {
  if (nodes.length === 0) return 'No node is there.';
  const people = nodes.map(({ id, name, grpc, startedAtMs, draining }) => [
    ...[harmless(id), harmless(name), harmless(grpc ?? '–'), instant(startedAtMs)],
    ...[
      String(units.filter(({ owner }) => owner === id).length),
      String(units.filter(({ warm }) => warm.includes(id)).length),
    ],
    draining ? 'leaving' : 'there',
  ]);
  const places = units.map(({ unit, owner, warm, copiedAtMs }) => [
    ...[harmless(unit), harmless(owner ?? 'nobody'), harmless(warm.join(', ') || '–')],
    copiedAtMs === undefined ? 'none' : `${duration(Math.max(0, nowMs - copiedAtMs))} ago`,
  ]);
  return [
    table(['NODE', 'HOST', 'GRPC', 'SINCE', 'OWNS', 'WARM', 'STATE'], people, new Set([4, 5])),
    '',
    table(['UNIT', 'OWNER', 'KEPT WARM BY', 'NEWEST COPY'], places),
  ].join('\n');
}
