/**
 * Restores the streams of a backup, all or none. While it runs, and after an interruption, a stream named RIVULET_RESTORING exists, which keeps nodes from
 * starting. (A node that found some of the streams would create the others empty, and drop outputs as duplicates that were never published.)
 *
 * Only a restore shows whether the server accepts a stream, and only under the stream's own name: so the streams that a backup replaces are saved
 * first, and restored when it fails.
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
  /** Saves the streams to be replaced; absent: not wanted. */
  readonly keep: ((names: readonly string[]) => Promise<Kept>) | undefined;
  readonly replicas: number | undefined;
  /** Throws when a node is live. Called again when no node can start any more. */
  readonly mustBeAlone: () => Promise<void>;
  /** Called before anything is deleted. */
  readonly onReplace: (names: readonly string[], kept: Kept | undefined) => void;
  /** Called after a failure. `error`: of putting the saved streams back. */
  readonly onBack: (kept: Kept, error?: unknown) => void;
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** The previous streams, as a backup. */
export interface Kept {
  readonly folder: string;
  readonly manifest: BackupManifest;
}

/** All streams of a deployment; leases and membership entries expire. */
const OWN = /^(KV_|OBJ_)?RIVULET_/;
const PASSING = new Set([`KV_${BUCKETS.nodes}`, `KV_${BUCKETS.leases}`]);

/** Existing streams of a deployment, which the backup would replace. */
export async function streamsInTheWay(archive: StreamArchive): Promise<string[]> {
  return (await archive.names()).filter((name) => OWN.test(name) && !PASSING.has(name));
}

/**
 * Fatal RESTORE_EXISTS, RESTORE_CHANGED; NATS_REPLICAS with too few servers; RESTORE_STREAM when the server refuses a stream: the streams restored until
 * then are removed, and the previous ones put back.
 */
export async function restoreStreams(request: RestoreRequest): Promise<void> {
  const { archive, manifest, replace, mustBeAlone, onReplace } = request;
  const inTheWay = await streamsInTheWay(archive);
  if (inTheWay.length > 0 && !replace) {
    throw fatal('RESTORE_EXISTS', `a deployment is on this NATS already: ${inTheWay.join(', ')}`, {
      hint: 'restore to another NATS, or give --replace: that saves these streams next to the data directory, and deletes them',
    });
  }
  // The remains of an interrupted restore are not worth saving.
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
    // If that fails too, the mark stays; the first error is the one to report.
    await putBack(archive, kept).then(
      () => kept !== undefined && request.onBack(kept),
      (failure: unknown) => kept !== undefined && request.onBack(kept, failure),
    );
    throw request.signal.aborted ? request.signal.reason : error;
  }
  await archive.delete(RESTORING_STREAM);
}

/** A node that ran meanwhile has written more than was saved, or has removed something; time removes what has a maximum age. */
async function mustBeAsSaved(archive: StreamArchive, { name, created, config, state }: SavedStream): Promise<void> {
  const now = await archive.find(name);
  const messages = now?.state.messages ?? 0;
  const hasAll = messages === state.messages || (config.max_age > 0 && messages < state.messages);
  if (now?.created === created && now.state.last_seq === state.last_seq && hasAll) return;
  throw fatal('RESTORE_CHANGED', `${name} changed while it was saved, and would be deleted as it is now`, {
    hint: 'see that no node runs and nobody publishes, and restore again; nothing was changed',
  });
}

/** Restores the previous streams. The mark is deleted last: after an interruption no node starts on incomplete streams. */
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
