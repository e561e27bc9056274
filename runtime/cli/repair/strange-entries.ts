/** Foreign entries of the deployment's buckets: nodes ignore and overwrite them. */
import { hasCode } from '../../contract/errors.js';
import type { NatsConnection } from '@nats-io/transport-node';
import { entriesOfBucket, type StoredEntry } from '../../../connectors/nats/key-value.js';
import type { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { LEASES, NODES, unreadableIn } from '../../cluster/entries.js';
import { MANIFESTS, manifestIn } from '../../replication/store.js';
import { fileRecordIn } from '../../jobs/file-records.js';
import { BUCKETS } from '../../node/buckets.js';
import { unreadableDeployment } from '../../node/deployment.js';
import type { KeyValueEntry } from '../../contract/ports.js';
import { openBucket } from '../buckets.js';

export interface StrangeEntry {
  readonly bucket: string;
  readonly key: string;
  readonly revision: number;
}

const STRANGE: Readonly<Record<string, (entries: readonly StoredEntry[]) => readonly KeyValueEntry[]>> = {
  [MANIFESTS]: (entries) => entries.filter(isStrangeCopy),
  [BUCKETS.deployment]: unreadableDeployment,
  [BUCKETS.files]: (entries) => entries.filter((entry) => fileRecordIn(entry) === undefined),
  [NODES]: (entries) => unreadableIn(NODES, entries),
  [LEASES]: (entries) => unreadableIn(LEASES, entries),
};

function isStrangeCopy(entry: KeyValueEntry): boolean {
  try {
    return manifestIn(entry).unreadable !== undefined;
  } catch (error) {
    if (hasCode(error, 'COPY_FORMAT')) return false;
    throw error;
  }
}

export async function strangeEntries(connection: NatsConnection): Promise<StrangeEntry[]> {
  const found: StrangeEntry[] = [];
  for (const [bucket, strange] of Object.entries(STRANGE)) {
    const entries = (await entriesOfBucket(connection, bucket)) ?? [];
    found.push(...strange(entries).map(({ key, revision }) => ({ bucket, key, revision })));
  }
  return found;
}

/** Entries that were written again meanwhile stay. */
export async function removeStrange(
  archive: StreamArchive,
  connection: NatsConnection,
  strange: readonly StrangeEntry[],
): Promise<void> {
  for (const { bucket, key, revision } of strange) {
    const table = await openBucket(archive, connection, bucket);
    await table?.entries.delete(key, revision).catch((error: unknown) => {
      if (!hasCode(error, 'FENCED')) throw error;
    });
  }
}

export const strangeText = ({ bucket, key, revision }: StrangeEntry): string =>
  `the entry ${key} of the bucket ${bucket} (revision ${revision}) was not written by rivulet`;
