/** Checks a store without its stages, for `rivulet state verify` and `rivulet repair`. Reads every byte, in pieces. */
import { fromBinary } from '@bufbuild/protobuf';
import { type SnapshotHead, SnapshotHeadSchema } from '../proto/gen/rivulet/internal/v1/frame_pb.js';
import { asError, RivuletError } from '../runtime/contract/errors.js';
import { isHeadKey, SNAPSHOT_FORMAT } from '../runtime/state/keyspace.js';
import { type Database, FIRST_KEY, formatOf } from './format.js';
import { openDatabase, storeProblems } from './level-store.js';
import { unsealed } from './sealed.js';

const ENTRIES_AT_A_TIME = 1_000;
/** The number of damaged entries that are listed by name. */
const NAMED_MAX = 20;

export interface StoredInstance {
  readonly stage: string;
  readonly partition: number;
  head: SnapshotHead | undefined;
  entries: number;
  bytes: number;
}

export interface StoreReport {
  /** Damage, as text; empty when there is none. */
  readonly problems: readonly string[];
  /** Absent: an empty store, or one that was not opened because its files are damaged. */
  readonly format: number | undefined;
  readonly instances: readonly StoredInstance[];
}

/** Fatal DATA_DIR_LOCKED while a node runs on it. A store with damaged files is not opened: LevelDB would write to it. */
export async function examineStore(directory: string): Promise<StoreReport> {
  const problems: string[] = [];
  for await (const problem of storeProblems(directory)) problems.push(problem);
  if (problems.length > 0) return { problems, format: undefined, instances: [] };
  let db: Database;
  try {
    db = await openDatabase(directory);
  } catch (error) {
    return { problems: [damageIn(error)], format: undefined, instances: [] };
  }
  try {
    const format = (await formatOf(db, directory))?.format;
    return { problems, format, instances: await instancesIn(db, format, problems) };
  } catch (error) {
    return { problems: [...problems, damageIn(error)], format: undefined, instances: [] };
  } finally {
    await db.close();
  }
}

async function instancesIn(db: Database, format: number | undefined, problems: string[]): Promise<StoredInstance[]> {
  const instances = new Map<string, StoredInstance>();
  // The entries of a newer format cannot be interpreted; those of an older one have no checksums.
  if (format === undefined || format > SNAPSHOT_FORMAT) return [];
  let damagedEntries = 0;
  const iterator = db.iterator({ gte: FIRST_KEY });
  try {
    for (;;) {
      const some = await iterator.nextv(ENTRIES_AT_A_TIME);
      if (some.length === 0) break;
      for (const [key, stored] of some) {
        const value = format === 1 ? stored : unsealed(key, stored);
        if (value === undefined && ++damagedEntries <= NAMED_MAX) {
          problems.push(`the entry ${key} is not what was written`);
        }
        const instance = instanceOf(instances, key);
        if (instance === undefined) continue;
        instance.entries++;
        instance.bytes += stored.length;
        if (value === undefined || !isHeadKey(key)) continue;
        const head = fromBinary(SnapshotHeadSchema, value);
        // A node migrates an older store to the current format.
        instance.head = format < SNAPSHOT_FORMAT ? { ...head, format: SNAPSHOT_FORMAT } : head;
      }
    }
  } finally {
    await iterator.close();
  }
  if (damagedEntries > NAMED_MAX) problems.push(`${damagedEntries - NAMED_MAX} other entries are damaged as well`);
  for (const { stage, partition, head } of instances.values()) {
    if (head === undefined) problems.push(`${stage}.${partition} has entries and no head`);
  }
  return [...instances.values()];
}

/** `undefined`: an entry of the store itself, such as the record of its copies. */
function instanceOf(instances: Map<string, StoredInstance>, key: string): StoredInstance | undefined {
  const [name, stage = '', partition = ''] = /^([^/]+)\/(\d+)(?=\/)/.exec(key) ?? [];
  if (name === undefined) return undefined;
  let instance = instances.get(name);
  if (instance === undefined) {
    instance = { stage, partition: Number(partition), head: undefined, entries: 0, bytes: 0 };
    instances.set(name, instance);
  }
  return instance;
}

/** The message of a damage error; anything else is rethrown. */
function damageIn(error: unknown): string {
  if (error instanceof RivuletError && error.code === 'STATE_DAMAGED') {
    const cause = error.cause === undefined ? '' : `: ${asError(asError(error.cause).cause ?? error.cause).message}`;
    return error.message + cause;
  }
  throw error;
}
