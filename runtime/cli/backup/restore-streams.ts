/**
 * Restores the streams of a backup, all or none: while it runs, and after it was broken off, a stream named RIVULET_RESTORING stands there, with which no
 * node starts. (A node that found some of the streams would make the others anew, and drop as said what it never said.)
 *
 * The server says whether it can restore a stream by doing it, and only under the stream's own name: so what a backup takes the place of is saved
 * first, and put back when it fails.
 */
import type { SavedStream, StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { fatal } from '../../contract/errors.js';
import { type BackupManifest, piecesOf } from './files.js';
import { BUCKETS } from '../../node/buckets.js';
import { RESTORING_STREAM } from '../../contract/streams.js';

export interface RestoreRequest {
  readonly archive: StreamArchive;
  readonly folder: string;
  readonly manifest: BackupManifest;
  readonly replace: boolean;
  /** Saves what is replaced; absent: it is not wanted. */
  readonly keep: ((names: readonly string[]) => Promise<Kept>) | undefined;
  readonly replicas: number | undefined;
  /** Throws when a node is live. Asked once more when none can start any longer. */
  readonly mustBeAlone: () => Promise<void>;
  /** Told before anything is deleted. */
  readonly onReplace: (names: readonly string[], kept: Kept | undefined) => void;
  /** Told when it has failed. `error`: of what was to be put back. */
  readonly onBack: (kept: Kept, error?: unknown) => void;
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** What was there, as a backup. */
export interface Kept {
  readonly folder: string;
  readonly manifest: BackupManifest;
}

/** All that a deployment makes; leases and presence end by themselves. */
const OWN = /^(KV_|OBJ_)?RIVULET_/;
const PASSING = new Set([`KV_${BUCKETS.nodes}`, `KV_${BUCKETS.leases}`]);

/** Streams of a deployment that stand where the backup's are to be. */
export async function streamsInTheWay(archive: StreamArchive): Promise<string[]> {
  return (await archive.names()).filter((name) => OWN.test(name) && !PASSING.has(name));
}

/**
 * Fatal RESTORE_EXISTS, RESTORE_CHANGED; NATS_REPLICAS when there are fewer servers; RESTORE_STREAM when the server refuses one: what was restored until
 * then is removed, and what was there put back.
 */
export async function restoreStreams(request: RestoreRequest): Promise<void> {
  const { archive, manifest, replace, mustBeAlone, onReplace } = request;
  const inTheWay = await streamsInTheWay(archive);
  if (inTheWay.length > 0 && !replace) {
    throw fatal('RESTORE_EXISTS', `a deployment is on this NATS already: ${inTheWay.join(', ')}`, {
      hint: 'restore to another NATS, or give --replace: that saves these streams next to the data directory, and deletes them',
    });
  }
  // What a broken off restore has left is nothing to go back to.
  const isHalf = inTheWay.includes(RESTORING_STREAM);
  const kept = inTheWay.length === 0 || isHalf ? undefined : await request.keep?.(inTheWay);
  const replicas = request.replicas ?? Math.max(1, ...manifest.streams.map(({ config }) => config.num_replicas));
  if (!isHalf) await archive.mark(RESTORING_STREAM, replicas);
  try {
    await mustBeAlone();
    for (const stream of kept?.manifest.streams ?? []) await mustBeAsSaved(archive, stream);
  } catch (error) {
    if (!isHalf) await archive.delete(RESTORING_STREAM);
    throw error;
  }
  if (inTheWay.length > 0) onReplace(inTheWay, kept);
  try {
    for (const name of inTheWay) if (name !== RESTORING_STREAM) await archive.delete(name);
    for (const stream of manifest.streams) {
      await archive.restore(stream, counted(request, piecesOf(request.folder, stream)), request.replicas);
    }
  } catch (error) {
    // Where that fails as well the mark stays, and the first error is the one to tell.
    await putBack(archive, kept).then(
      () => kept !== undefined && request.onBack(kept),
      (failure: unknown) => kept !== undefined && request.onBack(kept, failure),
    );
    throw request.signal.aborted ? request.signal.reason : error;
  }
  await archive.delete(RESTORING_STREAM);
}

/** A node that came and went meanwhile has done more than was saved. */
async function mustBeAsSaved(archive: StreamArchive, { name, created, state }: SavedStream): Promise<void> {
  const now = await archive.find(name);
  if (now?.created === created && now.state.last_seq === state.last_seq && now.state.messages === state.messages)
    return;
  throw fatal('RESTORE_CHANGED', `${name} changed while it was saved, and would be deleted as it is now`, {
    hint: 'see that no node runs and nobody publishes, and restore again; nothing was changed',
  });
}

/** As it was before. The mark goes last: should this be broken off, no node starts on what is left. */
async function putBack(archive: StreamArchive, kept: Kept | undefined): Promise<void> {
  const names = await streamsInTheWay(archive);
  for (const name of names) if (name !== RESTORING_STREAM) await archive.delete(name);
  for (const stream of kept?.manifest.streams ?? [])
    await archive.restore(stream, piecesOf(kept!.folder, stream), undefined);
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
