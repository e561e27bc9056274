/** Where an instance's state is in its store: `<stage>/<partition>/<state>/<key>`. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type SnapshotHead, SnapshotHeadSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { utf8 } from '../frames/bytes.js';
import type { StoredState } from './kinds.js';
import { judgeHead, mustFit } from '../log-integrity/verdict.js';
import type { Store, StoreChange } from '../contract/ports.js';
import type { AnyStage } from '../contract/stage.js';
import type { Scheduler } from '../shards/scheduler.js';

/** Version of the snapshot's layout, as opposed to a stage's own. An older store is migrated when it is opened (state/format.ts). */
export const SNAPSHOT_FORMAT = 2;

export const instancePrefix = (stageId: string, partition: number): string => `${stageId}/${partition}/`;

export const headKey = (stageId: string, partition: number): string => `${instancePrefix(stageId, partition)}$head`;

/** Is it the head of any instance? Other states of the runtime have other names, those of stages no `$`. */
export const isHeadKey = (key: string): boolean => /^[^/]+\/\d+\/\$head$/.test(key);

/** Which keys a snapshot has written, for the next copy of the state. Local to a store, never copied itself. */
export const changedPrefix = (stageId: string, partition: number): string =>
  `${instancePrefix(stageId, partition)}$changed/`;

export const changedRecord = (
  stageId: string,
  partition: number,
  sequence: number,
  changes: readonly StoreChange[],
): StoreChange => ({
  key: `${changedPrefix(stageId, partition)}${sequence}`,
  value: utf8(JSON.stringify(changes.map(({ key }) => key))),
});

export const encodeHead = (head: MessageInitShape<typeof SnapshotHeadSchema>): Uint8Array =>
  toBinary(SnapshotHeadSchema, create(SnapshotHeadSchema, head));

/** The build and the number of partitions that a snapshot is for. */
export const headIdentity = ({ version }: AnyStage, partitions: number) => ({
  format: SNAPSHOT_FORMAT,
  stageVersion: version,
  partitions,
});

/** The head of the last snapshot; Fatal when it is of another deployment or another version. */
export function readHead(
  store: Store,
  stage: AnyStage,
  partition: number,
  partitions: number,
): SnapshotHead | undefined {
  const bytes = store.getSync(headKey(stage.id, partition));
  if (bytes === undefined) return undefined;
  const head = fromBinary(SnapshotHeadSchema, bytes);
  mustFit(judgeHead(`${stage.id}.${partition}`, head, headIdentity(stage, partitions)));
  return head;
}

/** The stored side of each state of an instance; resident states are read ahead, and restored, as other work gets its turn. */
export async function storedStates(
  store: Store,
  { id: stageId, state }: AnyStage,
  partition: number,
  resident: readonly string[],
  turn?: Scheduler,
): Promise<(name: string) => StoredState> {
  const prefix = instancePrefix(stageId, partition);
  const get = (name: string, key: string): Uint8Array | undefined => store.getSync(`${prefix}${name}/${key}`);
  const loaded = new Map<string, StoredState>();
  for (const name of resident) {
    const statePrefix = `${prefix}${name}/`;
    const entries = await store.entries(statePrefix);
    const named = entries.map(([key, bytes]) => [key.slice(statePrefix.length), bytes] as const);
    const own: StoredState = { get: (key) => get(name, key), entries: () => named };
    const restored = state[name]?.create();
    for (const _ of restored?.restoring?.(own) ?? []) {
      const due = turn?.('restore');
      if (due !== undefined) await due;
    }
    loaded.set(name, restored?.restoring === undefined ? own : { ...own, restored });
  }
  return (name) => loaded.get(name) ?? { get: (key) => get(name, key), entries: () => [] };
}

/** The sequence that an instance's state in a store includes; 0 without a head. */
export const sequenceIn = (head: Uint8Array | undefined): number =>
  head === undefined ? 0 : fromBinary(SnapshotHeadSchema, head).sequence;
