/** The copies of a deployment as they are, for commands that run while no node does. */
import { fromBinary } from '@bufbuild/protobuf';
import type { NatsConnection } from '@nats-io/transport-node';
import { openObjects } from '../../../connectors/nats/objects/objects.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { type SnapshotHead, SnapshotHeadSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { type Copies, entriesOf, type Manifest, readManifest } from '../../replication/store.js';
import { asError, RivuletError } from '../../contract/errors.js';
import type { Topology } from '../../contract/graph.js';
import type { Unit } from '../../shards/host.js';
import { headKey, SNAPSHOT_FORMAT } from '../../state/keyspace.js';
import { BUCKETS } from '../../node/buckets.js';
import type { Log } from '../../contract/ports.js';
import { openBucket } from '../buckets.js';
import { type LogFit, logFit } from '../repair/log-fit.js';
import { hasCode } from '../nats-link.js';

/** Absent: no node has made any. */
export async function openStoredCopies(connection: NatsConnection): Promise<Copies | undefined> {
  const archive = await StreamArchive.open(connection);
  const manifests = await openBucket(archive, connection, BUCKETS.manifests);
  const bucket = BUCKETS.objects;
  const found = await archive.find(`OBJ_${bucket}`);
  if (manifests === undefined || found === undefined) return undefined;
  const objects = await openObjects(connection, { bucket, replicas: found.config.num_replicas });
  return { manifests: manifests.entries, objects };
}

type Holes = Extract<LogFit, { readonly kind: 'holes' }>;

export type CopyFit =
  | { readonly kind: 'none' }
  /** A node that starts without this unit's state takes the copy, and the log goes on from there, but for messages of publishers that were lost. */
  | { readonly kind: 'fits'; readonly holes: ReadonlyMap<string, Holes> }
  | { readonly kind: 'unfit'; readonly says: readonly string[] };

/** An owner may replace a part while it is read. */
const ATTEMPTS_MAX = 3;

/** Reads the copy whole: what a node would find damaged is found here. */
export async function copyFit(copies: Copies, log: Log, topology: Topology, unit: Unit): Promise<CopyFit> {
  for (let attempt = 1; ; attempt++) {
    const { manifest } = await readManifest(copies, unit.name);
    if (manifest === undefined) return { kind: 'none' };
    try {
      const holes = new Map<string, Holes>();
      const says = await unfitIn(await headsIn(copies, manifest, unit), log, topology, unit, holes);
      return says.length === 0 ? { kind: 'fits', holes } : { kind: 'unfit', says };
    } catch (error) {
      if (!(error instanceof RivuletError) || !/^OBJECT_/.test(error.code)) throw error;
      if (hasCode(error, 'OBJECT_MISSING') && attempt < ATTEMPTS_MAX) continue;
      return { kind: 'unfit', says: [`the copy that NATS holds cannot be used: ${asError(error).message}`] };
    }
  }
}

/** Where the copy stands in each mailbox. */
async function headsIn({ objects }: Copies, { parts }: Manifest, unit: Unit): Promise<Map<string, SnapshotHead>> {
  const stageOf = new Map(unit.stages.map((id) => [headKey(id, unit.partition), id]));
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
  { stages, partition }: Unit,
  holes: Map<string, Holes>,
): Promise<string[]> {
  const says: string[] = [];
  for (const stage of stages) {
    const head = heads.get(stage);
    const copy = `the copy of ${stage}.${partition} that NATS holds`;
    const { version } = topology.stage(stage);
    if (head !== undefined && head.format !== SNAPSHOT_FORMAT) says.push(`${copy} has format ${head.format}`);
    else if (head !== undefined && head.stageVersion !== version) {
      says.push(`${copy} is of version ${head.stageVersion} of the stage, this build's is ${version}`);
    } else {
      const fit = await logFit(log, topology, { stage, partition, head });
      if (fit.kind === 'holes') holes.set(stage, fit);
      else if (fit.kind !== 'fits') says.push(`${copy}: ${fit.says}`);
    }
  }
  return says;
}

/** A node that starts without these units' state reads their mailboxes from the beginning. */
export async function dropCopies({ manifests }: Copies, units: readonly string[]): Promise<void> {
  // Their objects are dropped by whoever makes the next copy.
  for (const unit of units) await manifests.delete(unit);
}
