/**
 * The format of a store, and the migration from an older one to the current one.
 *
 *   1   plain values
 *   2   sealed values (state/sealed.ts)
 *
 * Invariants
 *   STORE-FORMAT-1  A store records its format in an entry of its own (FORMAT_KEY). A new store gets it before its first entry; one with entries but
 *                   without it has format 1.
 *   STORE-FORMAT-2  A migration processes the keys in order. Each step is one batch: some entries in the new format, and the progress. After an
 *                   interruption the next start resumes after the last step; nothing is converted twice.
 *   STORE-FORMAT-3  A store with a newer format than this build knows is refused and not changed.
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Level } from 'level';
import { SnapshotHeadSchema } from '../proto/gen/rivulet/internal/v1/frame_pb.js';
import { textOf, utf8 } from '../runtime/frames/bytes.js';
import { fatal } from '../runtime/contract/errors.js';
import { isHeadKey, SNAPSHOT_FORMAT } from '../runtime/state/keyspace.js';
import { damaged } from './damage.js';
import { sealed, unsealed } from './sealed.js';

export type Database = Level<string, Uint8Array>;

/** Sorts before every key of an instance; never listed. */
export const FORMAT_KEY = '\0format';
/** The first key that can be listed. */
export const FIRST_KEY = '\u0001';

interface FormatRecord {
  readonly format: number;
  /** A migration to the next format is under way: keys up to this one are migrated. */
  readonly migratedTo?: string;
}

/** From format n to n + 1: returns the new stored bytes of an entry. */
type Migration = (key: string, stored: Uint8Array) => Uint8Array;

const MIGRATIONS: Readonly<Record<number, Migration>> = {
  1: (key, stored) => sealed(key, isHeadKey(key) ? headOfFormat(2, stored) : stored),
};

const headOfFormat = (format: number, bytes: Uint8Array): Uint8Array =>
  toBinary(SnapshotHeadSchema, { ...fromBinary(SnapshotHeadSchema, bytes), format });

const ENTRIES_AT_A_TIME = 1_000;
/** Without a record: the number of entries read to distinguish a store of format 1 from one whose record was lost. */
const LOOKS = 16;

export interface Migrated {
  readonly from: number;
  readonly to: number;
  readonly entries: number;
}

/** Migrates an open database to the current format; returns what it did, if anything. `onStep` is called before each write (for tests). */
export async function bringToFormat(
  db: Database,
  directory: string,
  {
    entriesAtATime = ENTRIES_AT_A_TIME,
    onStep = () => undefined,
  }: { entriesAtATime?: number; onStep?: () => void } = {},
): Promise<Migrated | undefined> {
  let record = await formatOf(db, directory);
  const from = record?.format ?? SNAPSHOT_FORMAT;
  if (from > SNAPSHOT_FORMAT) {
    throw fatal(
      'SNAPSHOT_FORMAT',
      `the state in ${directory} has format ${from}, this build reads ${SNAPSHOT_FORMAT}`,
      {
        hint: 'run the version that wrote it or a newer one; going back to this one needs a backup from before, or another --data-dir',
      },
    );
  }
  const write = async (entries: readonly (readonly [string, Uint8Array])[], next: FormatRecord): Promise<void> => {
    onStep();
    const batch = db.batch();
    for (const [key, stored] of entries) batch.put(key, stored);
    batch.put(FORMAT_KEY, sealed(FORMAT_KEY, utf8(JSON.stringify(next))));
    await batch.write({ sync: true });
  };
  if (record === undefined) await write([], { format: SNAPSHOT_FORMAT });
  let entries = 0;
  while (record !== undefined && record.format < SNAPSHOT_FORMAT) {
    const { format, migratedTo } = record as FormatRecord;
    const behind = migratedTo === undefined ? { gte: FIRST_KEY } : { gt: migratedTo };
    const some = await db.iterator({ ...behind, limit: entriesAtATime }).all();
    const last = some.at(-1)?.[0];
    record = last === undefined ? { format: format + 1 } : { format, migratedTo: last };
    const migration = MIGRATIONS[format]!;
    const converted = some.map(([key, stored]) => [key, Uint8Array.from(migration(key, stored))] as const);
    await write(converted, record);
    entries += some.length;
  }
  return from === SNAPSHOT_FORMAT ? undefined : { from, to: SNAPSHOT_FORMAT, entries };
}

/** `undefined` for a new store. */
export async function formatOf(db: Database, directory: string): Promise<FormatRecord | undefined> {
  const stored = await db.get(FORMAT_KEY);
  if (stored !== undefined) {
    const record = unsealed(FORMAT_KEY, stored);
    if (record === undefined) throw damaged(directory, 'the record of its format is not what was written');
    return JSON.parse(textOf(record)) as FormatRecord;
  }
  const some = await db.iterator({ limit: LOOKS }).all();
  if (some.length === 0) return undefined;
  if (some.some(([key, bytes]) => unsealed(key, bytes) !== undefined)) {
    throw damaged(directory, 'the record of its format is gone');
  }
  return { format: 1 };
}
