/**
 * Restores the streams of a backup, all or none: while it runs, and after it was broken off, a stream named RIVULET_RESTORING stands there, with which no
 * node starts. (A node that found some of the streams would make the others anew, and drop as said what it never said.)
 */
import type { StreamArchive } from '../../connectors/nats/stream-archive.js';
import { fatal } from '../errors.js';
import { type BackupManifest, piecesOf } from './backup-files.js';
import { BUCKETS } from '../main-copies.js';
import { RESTORING_STREAM } from '../streams.js';

export interface RestoreRequest {
  readonly archive: StreamArchive;
  readonly folder: string;
  readonly manifest: BackupManifest;
  readonly replace: boolean;
  readonly replicas: number | undefined;
  /** Throws when a node is live. Asked once more when none can start any longer. */
  readonly mustBeAlone: () => Promise<void>;
  /** Told before anything is deleted. */
  readonly onReplace: (names: readonly string[]) => void;
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** All that a deployment makes; leases and presence end by themselves. */
const OWN = /^(KV_|OBJ_)?RIVULET_/;
const PASSING = new Set([`KV_${BUCKETS.nodes}`, `KV_${BUCKETS.leases}`]);

/** Streams of a deployment that stand where the backup's are to be. */
export async function streamsInTheWay(archive: StreamArchive): Promise<string[]> {
  return (await archive.names()).filter((name) => OWN.test(name) && !PASSING.has(name));
}

/** Fatal RESTORE_EXISTS; NATS_REPLICAS when there are fewer servers; RESTORE_STREAM when the server refuses one: what was restored until then is removed. */
export async function restoreStreams(request: RestoreRequest): Promise<void> {
  const { archive, manifest, replace, mustBeAlone, onReplace } = request;
  const inTheWay = await streamsInTheWay(archive);
  if (inTheWay.length > 0 && !replace) {
    throw fatal('RESTORE_EXISTS', `a deployment is on this NATS already: ${inTheWay.join(', ')}`, {
      hint: 'restore to another NATS, or give --replace: that deletes these streams first',
    });
  }
  const replicas = request.replicas ?? Math.max(1, ...manifest.streams.map(({ config }) => config.num_replicas));
  if (!inTheWay.includes(RESTORING_STREAM)) await archive.mark(RESTORING_STREAM, replicas);
  await mustBeAlone().catch(async (error: unknown) => {
    if (!inTheWay.includes(RESTORING_STREAM)) await archive.delete(RESTORING_STREAM);
    throw error;
  });
  if (inTheWay.length > 0) onReplace(inTheWay);
  try {
    for (const name of inTheWay) if (name !== RESTORING_STREAM) await archive.delete(name);
    for (const stream of manifest.streams) {
      await archive.restore(stream, counted(request, piecesOf(request.folder, stream)), request.replicas);
    }
  } catch (error) {
    // Where that fails as well the mark stays, and the first error is the one to tell.
    await removeAll(archive).catch(() => undefined);
    throw request.signal.aborted ? request.signal.reason : error;
  }
  await archive.delete(RESTORING_STREAM);
}

/** The mark goes last: should this be broken off, no node starts on what is left. */
async function removeAll(archive: StreamArchive): Promise<void> {
  const names = await streamsInTheWay(archive);
  for (const name of names) if (name !== RESTORING_STREAM) await archive.delete(name);
  if (names.includes(RESTORING_STREAM)) await archive.delete(RESTORING_STREAM);
}

async function* counted(
  { onBytes, signal }: RestoreRequest,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    signal.throwIfAborted();
    yield piece;
    onBytes(piece.length);
  }
}
