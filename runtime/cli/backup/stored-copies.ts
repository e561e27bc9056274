/** The stored copies of a deployment, for commands that run while no node does. */
import { fromBinary } from '@bufbuild/protobuf';
import type { NatsConnection } from '@nats-io/transport-node';
import { openObjects } from '../../../connectors/nats/objects/objects.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { type SnapshotHead, SnapshotHeadSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { type ReplicaStore, entriesOf, type Manifest, readManifest } from '../../replication/store.js';
import { asError, hasCode, RivuletError } from '../../contract/errors.js';
import type { Topology } from '../../contract/graph.js';
import type { ShardSpec } from '../../shards/shard-spec.js';
import { headKey } from '../../state/keyspace.js';
import { BUCKETS } from '../../node/buckets.js';
import type { Log } from '../../contract/ports.js';
import { type Misfit, verdictText } from '../../log-integrity/verdict.js';
import { openBucket } from '../buckets.js';
import { judgeLog } from '../repair/log-fit.js';

/** Absent: no node has made any. */
export async function openStoredCopies(connection: NatsConnection): Promise<ReplicaStore | undefined> {
  const archive = await StreamArchive.open(connection);
  const manifests = await openBucket(archive, connection, BUCKETS.manifests);
  const bucket = BUCKETS.objects;
  const found = await archive.find(`OBJ_${bucket}`);
  if (manifests === undefined || found === undefined) return undefined;
  const objects = await openObjects(connection, { bucket, replicas: found.config.num_replicas });
  return { manifests: manifests.entries, objects };
}

export type CopyFit =
  | { readonly kind: 'none' }
  /** A node that starts without this shard's state can use the copy and continue with the log, except for lost messages of publishers. */
  | { readonly kind: 'fits'; readonly holes: ReadonlyMap<string, Misfit> }
  | { readonly kind: 'unfit'; readonly problems: readonly string[] };

/** The copy's position in each mailbox, by stage; or why it cannot be used. */
export type StoredCopy =
  | { readonly kind: 'none' }
  | { readonly kind: 'heads'; readonly heads: ReadonlyMap<string, SnapshotHead> }
  | { readonly kind: 'damaged'; readonly problems: string };

/** An owner may replace a part while it is read. */
const ATTEMPTS_MAX = 3;

/** Reads the complete copy, to find the damage that a node would find. */
export async function storedCopy(copies: ReplicaStore, shard: ShardSpec): Promise<StoredCopy> {
  for (let attempt = 1; ; attempt++) {
    const { manifest } = await readManifest(copies, shard.name);
    if (manifest === undefined) return { kind: 'none' };
    try {
      return { kind: 'heads', heads: await headsIn(copies, manifest, shard) };
    } catch (error) {
      if (!(error instanceof RivuletError) || !/^OBJECT_/.test(error.code)) throw error;
      if (hasCode(error, 'OBJECT_MISSING') && attempt < ATTEMPTS_MAX) continue;
      return { kind: 'damaged', problems: `the copy that NATS holds cannot be used: ${asError(error).message}` };
    }
  }
}

export async function copyFit(copy: StoredCopy, log: Log, topology: Topology, shard: ShardSpec): Promise<CopyFit> {
  if (copy.kind === 'none') return copy;
  if (copy.kind === 'damaged') return { kind: 'unfit', problems: [copy.problems] };
  const holes = new Map<string, Misfit>();
  const problems = await unfitIn(copy.heads, log, topology, shard, holes);
  return problems.length === 0 ? { kind: 'fits', holes } : { kind: 'unfit', problems };
}

/** The copy's position in each mailbox. */
async function headsIn(
  { objects }: ReplicaStore,
  { parts }: Manifest,
  shard: ShardSpec,
): Promise<Map<string, SnapshotHead>> {
  const stageOf = new Map(shard.stages.map((id) => [headKey(id, shard.partition), id]));
  const heads = new Map<string, SnapshotHead>();
  for (const { name } of parts) {
    for await (const changes of entriesOf(objects.get(name))) {
      for (const { key, value } of changes) {
        const stage = stageOf.get(key);
        if (stage !== undefined && value !== undefined) heads.set(stage, fromBinary(SnapshotHeadSchema, value));
      }
    }
  }
  return heads;
}

async function unfitIn(
  heads: ReadonlyMap<string, SnapshotHead>,
  log: Log,
  topology: Topology,
  { stages, partition }: ShardSpec,
  holes: Map<string, Misfit>,
): Promise<string[]> {
  const says: string[] = [];
  for (const stage of stages) {
    const verdict = await judgeLog({ log, topology, stage, partition, head: heads.get(stage) });
    if (verdict.fits) continue;
    if (verdict.kind === 'lost') holes.set(stage, verdict);
    else says.push(`the copy of ${stage}.${partition} that NATS holds: ${verdictText(verdict)}`);
  }
  return says;
}

/** A node that starts without these shards' state reads their mailboxes from the beginning. */
export async function dropCopies({ manifests }: ReplicaStore, shards: readonly string[]): Promise<void> {
  // The next replication writer deletes their objects.
  for (const shard of shards) await manifests.delete(shard);
}
