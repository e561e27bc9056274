/**
 * Takes a backup: the streams one after the other (the order: backup/order.ts), then the manifest.
 *
 * Consistency is checked, not assumed: no message may leave a stream between the start and the stream's own save. The hold (backup/hold.ts) ensures
 * it.
 */
import type { SavedStream, StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { fatal, hasCode } from '../../contract/errors.js';
import { REPARTITIONING_STREAM, RESTORING_STREAM, restoreUnfinished } from '../../contract/streams.js';
import { BackupFile, type BackupManifest, type BackupStream, makeFolder, removeFiles, writeManifest } from './files.js';
import { COPIES_STREAM, type StreamToSave } from './order.js';
import type { Soundness } from './soundness.js';

export interface BackupRequest {
  readonly archive: StreamArchive;
  readonly folder: string;
  readonly streams: readonly StreamToSave[];
  /** Absent: possibly damaged streams are saved as they are. */
  readonly soundness?: Soundness;
  readonly rivulet: string;
  readonly deployment: unknown;
  readonly nowMs: () => number;
  /** Throws when the nodes may trim. */
  readonly mustHold: () => void;
  /** Messages are counted in the server's bytes, before compression. */
  readonly onProgress: (stream: string, bytes: number) => void;
  readonly signal: AbortSignal;
}

/** For a stream that did not arrive complete, or a table that changed while it was saved. */
const TRIES_MAX = 10;

/** The existing streams. Fatal BACKUP_NOTHING, BACKUP_NO_COPIES, RESTORE_UNFINISHED or REPARTITION_UNFINISHED: a backup would be useless. */
export async function streamsNow(
  archive: StreamArchive,
  streams: readonly StreamToSave[],
): Promise<Map<string, SavedStream>> {
  if ((await archive.find(RESTORING_STREAM)) !== undefined) {
    throw restoreUnfinished();
  }
  if ((await archive.find(REPARTITIONING_STREAM)) !== undefined) {
    throw fatal('REPARTITION_UNFINISHED', 'a repartition is under way on this NATS, or was interrupted', {
      hint: 'wait for it, or run the same rivulet repartition again',
    });
  }
  const found = new Map<string, SavedStream>();
  for (const { name, needed } of streams) {
    const stream = await archive.find(name);
    if (stream !== undefined) found.set(name, stream);
    else if (needed) {
      throw fatal('BACKUP_NOTHING', `there is no stream ${name} on this NATS`, {
        hint: 'name the NATS of a deployment that has run (--nats-url, --data-dir), with its configuration',
      });
    }
  }
  const trimmed = streams.find(({ name, needed, loses }) => {
    const { messages, last_seq: last } = found.get(name)?.state ?? { messages: 0, last_seq: 0 };
    return needed && loses === 'nothing' && messages < last;
  });
  if (trimmed !== undefined && !found.has(COPIES_STREAM)) {
    throw fatal('BACKUP_NO_COPIES', `${trimmed.name} was trimmed, and no copy of the state is on this NATS`, {
      hint: 'the state is in the data directory of the node alone: stop the node, and copy the whole directory',
    });
  }
  return found;
}

/** Fatal BACKUP_EXISTS, BACKUP_TRIMMED, BACKUP_COPY, BACKUP_STREAM; a failed backup removes its files. */
export function takeBackup(request: BackupRequest): Promise<BackupManifest> {
  return written(request, () => streamsNow(request.archive, request.streams));
}

/** Saves all of these streams without checks, while no node runs. */
export function keepStreams(
  request: Pick<BackupRequest, 'archive' | 'folder' | 'rivulet' | 'nowMs' | 'signal'>,
  names: readonly string[],
): Promise<BackupManifest> {
  const streams = names.map((name): StreamToSave => ({ name, needed: true, loses: 'nothing' }));
  const now = async (): Promise<Map<string, SavedStream>> => {
    const found = await Promise.all(names.map((name) => request.archive.find(name)));
    return new Map(found.flatMap((stream) => (stream === undefined ? [] : [[stream.name, stream] as const])));
  };
  const nobody = { deployment: null, mustHold: () => undefined, onProgress: () => undefined };
  return written({ ...request, ...nobody, streams }, now);
}

async function written(request: BackupRequest, now: () => Promise<Map<string, SavedStream>>): Promise<BackupManifest> {
  const { archive, folder, streams, nowMs } = request;
  const startedMs = nowMs();
  await makeFolder(folder);
  try {
    const before = await now();
    const saved: BackupStream[] = [];
    for (const stream of streams) {
      const start = before.get(stream.name);
      if (start !== undefined) saved.push(await saveStream(request, stream, start));
    }
    await request.soundness?.mustBeSound(saved, request.signal);
    request.mustHold();
    const manifest: BackupManifest = {
      format: 1,
      takenAt: new Date(startedMs).toISOString(),
      seconds: (nowMs() - startedMs) / 1000,
      rivulet: request.rivulet,
      natsServer: archive.serverVersion,
      deployment: request.deployment,
      streams: saved,
    };
    await writeManifest(folder, manifest);
    return manifest;
  } catch (error) {
    await removeFiles(folder, streams);
    throw error;
  }
}

async function saveStream(request: BackupRequest, stream: StreamToSave, start: SavedStream): Promise<BackupStream> {
  const { archive, mustHold } = request;
  for (let attempt = 1; ; attempt++) {
    mustHold();
    const saved = await tried(request, stream.name, attempt);
    if (saved === undefined) continue;
    // Before the check for replaced values: the parts to check are those of the saved manifests.
    if (stream.name === COPIES_STREAM) await request.soundness?.manifestsSaved();
    if (stream.loses === 'oldest') return saved;
    // A table is consistent in itself. The others must not have lost a message since the backup began, or the saved streams would not fit together.
    const removed = await archive.removedSince(stream.loses === 'replaced' ? saved : start);
    if (removed === 0 && saved.created === start.created) return saved;
    if (stream.loses === 'replaced' && attempt < TRIES_MAX) continue;
    throw fatal('BACKUP_TRIMMED', `${stream.name} lost ${removed} messages while the backup ran`, {
      hint: 'a node trims although it was told to wait: see that all nodes run this version, and run the backup again',
    });
  }
}

/** `undefined`: it did not arrive complete; a retry may succeed. */
async function tried(
  { archive, folder, signal, onProgress }: BackupRequest,
  name: string,
  attempt: number,
): Promise<BackupStream | undefined> {
  const file = await BackupFile.create(folder, name);
  let bytes = 0;
  const write = async (chunk: Uint8Array): Promise<void> => {
    await file.write(chunk);
    onProgress(name, (bytes += chunk.length));
  };
  try {
    const saved = await archive.save(name, write, signal);
    const written = await file.end();
    onProgress(name, saved.state.bytes);
    return { ...saved, ...written };
  } catch (error) {
    await file.abandon();
    signal.throwIfAborted();
    if (attempt < TRIES_MAX && hasCode(error, 'ARCHIVE_BROKEN')) return undefined;
    throw error;
  }
}
