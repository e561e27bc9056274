/** `rivulet repair` in a simulated world: the plan of the command, done to disks and copies in memory. */
import { fromBinary } from '@bufbuild/protobuf';
import { SnapshotHeadSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { recordLoss } from '../../runtime/actor/quarantine.js';
import { planOfShard, type StorePlan } from '../../runtime/cli/repair/plan.js';
import type { StoredCopy } from '../../runtime/cli/backup/stored-copies.js';
import { streamOf } from '../../runtime/contract/graph.js';
import type { ShardSpec } from '../../runtime/shards/shard-spec.js';
import { headKey, instancePrefix } from '../../runtime/state/keyspace.js';
import { isWithin } from '../../runtime/log-integrity/spans.js';
import { MemoryStore, type StoreContents } from '../../state/memory-store.js';
import { sequenceIn, SimulatedShard } from './shard.js';
import type { World } from './world.js';

function headsIn(contents: StoreContents, { stages, partition }: ShardSpec) {
  return stages.flatMap((stage) => {
    const bytes = contents.get(headKey(stage, partition));
    return bytes === undefined
      ? []
      : [{ stage, partition, head: fromBinary(SnapshotHeadSchema, bytes), entries: 1, bytes: 1 }];
  });
}

function copyOf(world: World, shard: ShardSpec): StoredCopy {
  const contents = world.copies.get(shard.name);
  if (contents === undefined) return { kind: 'none' };
  return { kind: 'heads', heads: new Map(headsIn(contents, shard).map(({ stage, head }) => [stage, head])) };
}

/** Of all that is stopped. What cannot be made good is `lost`. */
export async function plansOf(world: World): Promise<StorePlan[]> {
  const { shards, job, server } = world;
  const plans: StorePlan[] = [];
  for (const { shard, disk } of shards) {
    const report = { problems: [], instances: headsIn(disk.contents(), shard) };
    plans.push(await planOfShard(job.topology, server.log, shard, report, () => Promise.resolve(copyOf(world, shard))));
  }
  return plans;
}

export async function carryOut(world: World, plans: readonly StorePlan[]): Promise<void> {
  const { shards, server } = world;
  for (const { gone } of plans) {
    for (const { stage: id, partition, missing } of gone) {
      await recordLoss({ log: server.log, stage: { id }, partition }, missing);
      server.giveUp(streamOf(id), (sequence) => isWithin(missing, [sequence, sequence]));
    }
  }
  for (const [at, { shard, node, disk, generation }] of shards.entries()) {
    const { remedy } = plans[at]!;
    const isSetAside = remedy !== 'nothing' && remedy !== 'skip';
    if (remedy === 'replay') world.copies.delete(shard.name);
    const own: StoreContents = isSetAside ? new Map() : disk.contents();
    shards[at] = new SimulatedShard(
      shard,
      node,
      new MemoryStore(caughtUp(world.copies.get(shard.name), shard, own)),
      generation + 1,
    );
  }
}

/** As a node does when it starts: of each stage the newer of disk and copy. */
export function caughtUp(
  copy: StoreContents = new Map(),
  { stages, partition }: ShardSpec,
  own: StoreContents,
): StoreContents {
  const contents = new Map(own);
  for (const id of stages) {
    if (sequenceIn(copy, id, partition) <= sequenceIn(own, id, partition)) continue;
    const prefix = instancePrefix(id, partition);
    for (const key of own.keys()) if (key.startsWith(prefix)) contents.delete(key);
    for (const [key, value] of copy) if (key.startsWith(prefix)) contents.set(key, value);
  }
  return contents;
}
