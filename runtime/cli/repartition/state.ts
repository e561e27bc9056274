/** The stores of a repartition: those of the old partitions, and those that will replace them. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { SnapshotHeadSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { openLevelStore } from '../../../state/level-store.js';
import { kindOf } from '../../cluster/placement.js';
import { recordTrim } from '../../actor/quarantine.js';
import { COPIED, sequencesOf } from '../../replication/reader.js';
import type { Topology } from '../../contract/graph.js';
import type { ShardSpec } from '../../shards/shard-spec.js';
import { encodeHead, headIdentity, headKey } from '../../state/keyspace.js';
import { allShards } from '../../node/shards.js';
import type { Log, Store, StoreChange } from '../../contract/ports.js';
import { repartitionStage } from '../../jobs/repartition.js';
import { workDirectory } from './journal.js';

export interface Change {
  readonly dataDir: string;
  readonly before: Topology;
  readonly after: Topology;
}

const newStores = (dataDir: string): string => join(workDirectory(dataDir), 'new');
const oldStores = (dataDir: string): string => join(workDirectory(dataDir), 'old');
const stores = (dataDir: string): string => join(dataDir, 'state');

/** Shards whose partitions change; those of the source stay. */
export const movedShards = (topology: Topology): ShardSpec[] =>
  allShards(topology).filter((shard) => !isSource(topology, shard));
export const keptShards = (topology: Topology): ShardSpec[] =>
  allShards(topology).filter((shard) => isSource(topology, shard));
const isSource = (topology: Topology, { stages }: ShardSpec): boolean => topology.stage(stages[0]!).key === 'source';

export const movedStages = ({ stages }: Topology): string[] =>
  stages.filter(({ key }) => key !== 'source').map(({ id }) => id);

async function open(folder: string, { name }: ShardSpec): Promise<Store> {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  return openLevelStore(directory);
}

/** Creates the new stores without their heads; deletes the remains of an earlier attempt. */
export async function makeStores({ dataDir, before, after }: Change): Promise<void> {
  rmSync(newStores(dataDir), { recursive: true, force: true });
  const [old, fresh] = [movedShards(before), movedShards(after)];
  const opened: Store[] = [];
  try {
    for (const [kind, stages] of new Map(fresh.map(({ name, stages }) => [kindOf(name), stages]))) {
      const ofKind = (shards: readonly ShardSpec[]): ShardSpec[] => shards.filter(({ name }) => kindOf(name) === kind);
      const from: Store[] = [];
      const to: Store[] = [];
      for (const shard of ofKind(old)) opened.push((from[shard.partition] = await open(stores(dataDir), shard)));
      for (const shard of ofKind(fresh)) opened.push((to[shard.partition] = await open(newStores(dataDir), shard)));
      for (const stage of stages) await repartitionStage({ before, after, stage, from, to });
    }
  } finally {
    for (const store of opened) await store.close();
  }
}

/** The position of a stage's state in its new stream. */
export interface Beginning {
  readonly stream: string;
  readonly sequence: number;
}

/** Writes the heads, with which the new stores become valid. */
export async function writeHeads(
  { dataDir, after }: Change,
  beginnings: ReadonlyMap<string, Beginning>,
): Promise<void> {
  for (const shard of movedShards(after)) {
    const { partition, stages } = shard;
    const heads = stages.map((id): StoreChange => {
      const head = { ...headIdentity(after.stage(id), after.count(id)), ...beginnings.get(id) };
      return { key: headKey(id, partition), value: encodeHead(head) };
    });
    await written(newStores(dataDir), shard, () => heads);
  }
}

/**
 * The mailboxes of the source's stages may have all their messages, but the new streams have no outputs of them: an instance without the state that
 * includes them would publish all of it again. They count as trimmed, so that no instance starts before that position (QUARANTINE-4).
 */
export async function closeToOthers({ dataDir, before }: Change, log: Log): Promise<void> {
  for (const shard of keptShards(before)) {
    const store = await open(stores(dataDir), shard);
    try {
      for (const [id, sequence] of Object.entries(sequencesOf(store, shard))) {
        await recordTrim({ log, stage: { id }, partition: shard.partition }, sequence + 1);
      }
    } finally {
      await store.close();
    }
  }
}

/** Outputs of the source's stages to deleted streams are no longer expected there; the next copy of these stages is a complete one. */
export async function forgetOutputs({ dataDir, before }: Change): Promise<void> {
  const gone = movedStages(before).map((id) => `rivulet.${id}.`);
  for (const shard of keptShards(before)) {
    await written(stores(dataDir), shard, (store) => {
      const changes: StoreChange[] = [{ key: COPIED, value: undefined }];
      for (const id of shard.stages) {
        const key = headKey(id, shard.partition);
        const bytes = store.getSync(key);
        if (bytes === undefined) continue;
        const { $typeName: _, ...head } = fromBinary(SnapshotHeadSchema, bytes);
        const left = (of: Readonly<Record<string, number>>): Record<string, number> =>
          Object.fromEntries(
            Object.entries(of).filter(([subject]) => !gone.some((prefix) => subject.startsWith(prefix))),
          );
        changes.push({
          key,
          value: encodeHead({ ...head, published: left(head.published), answered: left(head.answered) }),
        });
      }
      return changes;
    });
  }
}

async function written(folder: string, shard: ShardSpec, changes: (store: Store) => StoreChange[]): Promise<void> {
  const store = await open(folder, shard);
  try {
    await store.write(changes(store));
  } finally {
    await store.close();
  }
}

/** Replaces the old stores by the new ones; resumes after an interruption. */
export function swapStores({ dataDir, before, after }: Change): void {
  mkdirSync(oldStores(dataDir), { recursive: true });
  mkdirSync(newStores(dataDir), { recursive: true });
  const made = new Set(readdirSync(newStores(dataDir)));
  const names = (topology: Topology): string[] => movedShards(topology).map(({ name }) => name);
  for (const name of new Set([...names(before), ...names(after)])) {
    const [now, old] = [join(stores(dataDir), name), join(oldStores(dataDir), name)];
    // A new store that is in place already is no longer among the created ones.
    const isOld = made.has(name) || !names(after).includes(name);
    if (isOld && existsSync(now)) {
      rmSync(old, { recursive: true, force: true });
      renameSync(now, old);
    }
    if (made.has(name)) renameSync(join(newStores(dataDir), name), now);
  }
}
