/** Where an instance's state stands in its store: `<stage>/<partition>/<cell>/<key>`. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type SnapshotHead, SnapshotHeadSchema } from '../proto/gen/rivulet/internal/v1/frame_pb.js';
import { utf8 } from './bytes.js';
import type { CellStore } from './cells.js';
import { fatal } from './errors.js';
import type { Store, StoreChange } from './ports.js';
import type { AnyStage } from './stage.js';
import type { Turn } from './turns.js';

/** Version of the snapshot's layout, as opposed to a stage's own. */
export const SNAPSHOT_FORMAT = 1;

export const instancePrefix = (stageId: string, partition: number): string => `${stageId}/${partition}/`;

export const headKey = (stageId: string, partition: number): string => `${instancePrefix(stageId, partition)}$head`;

/** Which keys a snapshot has written: what the next copy of the state takes with it. Local to a store, never copied itself. */
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

export const encodeHead = (head: Omit<SnapshotHead, '$typeName'>): Uint8Array =>
  toBinary(SnapshotHeadSchema, create(SnapshotHeadSchema, head));

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
  if (head.format !== SNAPSHOT_FORMAT) {
    throw fatal(
      'SNAPSHOT_FORMAT',
      `the snapshot of ${stage.id}.${partition} has format ${head.format}, this build reads ${SNAPSHOT_FORMAT}`,
      {
        hint: 'run the version that wrote it, or start with an empty data directory',
      },
    );
  }
  if (head.stageVersion !== stage.version) {
    throw fatal(
      'STAGE_VERSION',
      `the snapshot of ${stage.id}.${partition} is of version ${head.stageVersion}, this build's is ${stage.version}`,
      { hint: 'run the version that wrote it, or start with an empty data directory' },
    );
  }
  if (head.partitions !== partitions) {
    throw fatal(
      'PARTITIONS_CHANGED',
      `the data directory holds ${head.partitions} partitions, the configuration says ${partitions}`,
      {
        hint: `start with --partitions ${head.partitions}, or use another --data-dir; the number is fixed per deployment`,
      },
    );
  }
  return head;
}

/** The stored side of each cell of an instance; resident cells are read ahead, and restored, as other work gets its turn. */
export async function cellStores(
  store: Store,
  { id: stageId, state }: AnyStage,
  partition: number,
  resident: readonly string[],
  turn?: Turn,
): Promise<(cell: string) => CellStore> {
  const prefix = instancePrefix(stageId, partition);
  const get = (cell: string, key: string): Uint8Array | undefined => store.getSync(`${prefix}${cell}/${key}`);
  const loaded = new Map<string, CellStore>();
  for (const cell of resident) {
    const cellPrefix = `${prefix}${cell}/`;
    const entries = await store.entries(cellPrefix);
    const named = entries.map(([key, bytes]) => [key.slice(cellPrefix.length), bytes] as const);
    const own: CellStore = { get: (key) => get(cell, key), entries: () => named };
    const restored = state[cell]?.create();
    for (const _ of restored?.restoring?.(own) ?? []) {
      const due = turn?.();
      if (due !== undefined) await due;
    }
    loaded.set(cell, restored?.restoring === undefined ? own : { ...own, restored });
  }
  return (cell) => loaded.get(cell) ?? { get: (key) => get(cell, key), entries: () => [] };
}
