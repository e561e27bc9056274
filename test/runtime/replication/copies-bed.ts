/** One shard's store, its copies and its copiers, against a model: the state of a stage after input S is a function of S. */
import { expect } from 'vitest';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { catchUp, forget, sequencesOf } from '../../../runtime/replication/reader.js';
import { ReplicaWriter } from '../../../runtime/replication/writer.js';
import type { ReplicaStore } from '../../../runtime/replication/store.js';
import {
  changedRecord,
  encodeHead,
  headKey,
  instancePrefix,
  SNAPSHOT_FORMAT,
} from '../../../runtime/state/keyspace.js';
import type { StoreChange } from '../../../runtime/contract/ports.js';
import type { MemoryStore } from '../../../state/memory-store.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { MemoryObjects } from '../../support/memory-objects.js';
import { SILENT } from '../tuning.js';
import { VirtualClock } from '../virtual-clock.js';

export const UNIT = { name: 'user-1', partition: 1, stages: ['window', 'rank'] };

/** Input n of a stage changes one key, and now and then drops another. */
const changesOf = (stage: string, n: number): StoreChange[] => {
  const key = (k: number): string => `${instancePrefix(stage, 1)}cell/${k % 9}`;
  const put = { key: key(n * 5), value: utf8(`${stage} ${n}`) };
  return n % 4 === 0 ? [put, { key: key(n), value: undefined }] : [put];
};

function stateAt(stage: string, sequence: number): Map<string, string> {
  const state = new Map<string, string>();
  for (let n = 1; n <= sequence; n++) {
    for (const { key, value } of changesOf(stage, n)) {
      if (value === undefined) state.delete(key);
      else state.set(key, Buffer.from(value).toString());
    }
  }
  return state;
}

/** What an actor's snapshot writes after `more` further inputs. */
export async function advance(store: MemoryStore, stage: string, more: number, idle = 0): Promise<void> {
  const before = sequencesOf(store, UNIT)[stage]!;
  const sequence = before + more + idle;
  const changes = Array.from({ length: more }, (_, i) => changesOf(stage, before + 1 + i)).flat();
  const head = {
    ...{ format: SNAPSHOT_FORMAT, stage, stageVersion: 1, partition: 1, partitions: 2 },
    ...{ sequence, stream: 'made-1' },
  };
  const record = changedRecord(stage, 1, sequence, changes);
  await store.write([...changes, record, { key: headKey(stage, 1), value: encodeHead(head) }]);
}

export const contentsOf = (store: MemoryStore, stage: string): Map<string, string> =>
  new Map(
    [...store.contents()]
      .filter(([key]) => key.startsWith(`${instancePrefix(stage, 1)}cell/`))
      .map(([key, value]) => [key, Buffer.from(value).toString()]),
  );

export function expectSound(store: MemoryStore): void {
  for (const stage of UNIT.stages) {
    const sequence = sequencesOf(store, UNIT)[stage]!;
    if (sequence > 0) expect(contentsOf(store, stage), `${stage} at ${sequence}`).toEqual(stateAt(stage, sequence));
  }
}

export const makeCopies = (): ReplicaStore & { manifests: MemoryKeyValue; objects: MemoryObjects } => ({
  manifests: new MemoryKeyValue(),
  objects: new MemoryObjects(),
});

let copiers = 0;

export async function copierOf(
  copies: ReplicaStore,
  store: MemoryStore,
  node: string,
  isHeld = () => false,
): Promise<ReplicaWriter> {
  const options = {
    copies,
    shard: UNIT,
    store,
    clock: new VirtualClock(),
    logger: SILENT,
    everyMs: 1_000,
    writer: `${node}-${++copiers}`,
    isHeld,
  };
  return ReplicaWriter.open(options);
}

/** As a shard opens: what a broken off copy has left is forgotten, then it catches up. */
export async function following(copies: ReplicaStore, store: MemoryStore): Promise<void> {
  const have = sequencesOf(store, UNIT);
  const fresh = UNIT.stages.filter((id) => have[id] === 0);
  if (fresh.length > 0) await forget(UNIT, store, fresh);
  await catchUp(copies, UNIT, store);
}

export async function owned(copies: ReplicaStore, store: MemoryStore, number: number): Promise<ReplicaWriter> {
  await following(copies, store);
  return copierOf(copies, store, `n${number}`);
}
