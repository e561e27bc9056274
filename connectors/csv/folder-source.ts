/**
 * folder-source: the CSV and JSONL files of a folder, plain or gzipped, as one bounded input: one epoch per file, in name order.
 *
 *   order    code units of the names ("part-10" comes before "part-2": number with leading zeros); hidden files and subfolders are ignored;
 *            the folder is listed once, when reading begins
 *   resume   behind the last stored chunk; files that the record has as done (runtime/jobs/file-records.ts) are not read again, whatever their names, so new files
 *            of a folder that has grown are what is left. Fatal SOURCE_POSITION: the file to go on in is missing or shorter, or a finished one has
 *            changed its size, since its new rows would never be read
 *   memory   one chunk at the consumer and one read ahead, whatever the size of a file
 */
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { asError, fatal } from '../../runtime/contract/errors.js';
import type { ChunkSource, FileRecord, FileRecords, SourceChunk, StoredChunks } from '../../runtime/contract/ports.js';
import { unreadable } from './file-bytes.js';
import { type FileChunkOptions, fileChunks, type FileFormat } from './file-chunks.js';
import { RECORD_BYTES_MAX } from './record-boundary.js';

export interface FolderSourceOptions {
  readonly directory: string;
  readonly records: FileRecords;
  /** Files done by earlier jobs, which ended the input behind them: it goes on. */
  readonly doneBefore?: number;
  /** Size of a chunk, unless one record is longer; 1 to 4 MiB, default 512 KiB. */
  readonly chunkBytes?: number;
  /** Returns the required columns that a CSV header lacks; any is fatal SOURCE_HEADER. */
  readonly checkHeader?: (header: Uint8Array) => readonly string[];
}

export const CHUNK_BYTES = 512 * 1024;

const NAME = /^[^.].*\.(csv|jsonl)(\.gz)?$/i;

/** csv or jsonl, by the name of a file; `undefined` for other kinds. */
export function formatOf(name: string): FileFormat | undefined {
  return NAME.exec(name)?.[1]?.toLowerCase() as FileFormat | undefined;
}

export function folderSource(options: FolderSourceOptions): ChunkSource {
  const { chunkBytes = CHUNK_BYTES } = options;
  if (!Number.isInteger(chunkBytes) || chunkBytes < 1 || chunkBytes > RECORD_BYTES_MAX) {
    throw new RangeError(`chunkBytes is ${chunkBytes}, and must be 1 to ${RECORD_BYTES_MAX}`);
  }
  return { chunks: (stored) => folderChunks({ ...options, chunkBytes }, stored) };
}

async function* folderChunks(
  options: FolderSourceOptions & { readonly chunkBytes: number },
  stored: StoredChunks,
): AsyncGenerator<SourceChunk, void, undefined> {
  const { directory, records, chunkBytes, checkHeader, doneBefore = 0 } = options;
  const files = await filesIn(directory);
  const last = await records.load(stored);
  const open = last?.endsEpoch === false ? last : undefined;
  for (const file of files) if (records.isDone(file)) await mustBeAsRead(directory, records.get(file)!);
  if (last?.endsInput === true && records.done > doneBefore) return;
  if (open !== undefined && !files.includes(open.file))
    throw positionLost(`${join(directory, open.file)}, from which reading must go on, is no longer there`);
  const left = files.filter((file) => !records.isDone(file) && file !== open?.file);
  if (open !== undefined) left.unshift(open.file);
  if (left.length === 0 && last?.endsInput !== true)
    throw positionLost(`the files of ${directory} that come after ${last?.file ?? 'others'} are no longer there`);
  for (const [i, file] of left.entries()) {
    const path = join(directory, file);
    const { size: bytes } = await found(path);
    if (file !== open?.file) await records.put({ file, bytes, ...NOTHING_READ });
    const after = file === open?.file ? open : undefined;
    let at = { nextOffset: 0, nextLine: 1 };
    for await (const chunk of chunksOf(path, { chunkBytes, checkHeader, after })) {
      at = chunk;
      yield { ...chunk, endsInput: chunk.endsEpoch && i === left.length - 1 };
    }
    const { nextOffset, nextLine } = at;
    await records.put({ file, bytes, done: true, chunk: await stored.all(), nextOffset, nextLine });
  }
}

export const NOTHING_READ = { done: false, chunk: 0, nextOffset: 0, nextLine: 1 } as const;

/** The chunks of one file, the next one read ahead. */
export async function* chunksOf(
  path: string,
  options: Omit<FileChunkOptions, 'format'>,
): AsyncGenerator<Omit<SourceChunk, 'endsInput'>, void, undefined> {
  const file = basename(path);
  const format = formatOf(file)!;
  for await (const { endsFile, storedBytes: _, ...chunk } of oneAhead(fileChunks(path, { ...options, format })))
    yield { ...chunk, format, file, endsEpoch: endsFile };
}

async function filesIn(directory: string): Promise<string[]> {
  const { files, others } = await listing(directory);
  if (files.length > 0) return files;
  throw fatal('SOURCE_EMPTY', `no .csv, .csv.gz, .jsonl or .jsonl.gz file is in ${directory}`, {
    hint: `${others === 0 ? 'the folder is empty' : `it holds ${others} other entries`}: give the folder with the input files`,
  });
}

/** The names of its files with events, in order, and how many other entries there are. Fatal SOURCE_FOLDER. */
export async function listing(directory: string): Promise<{ readonly files: string[]; readonly others: number }> {
  let entries;
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    throw folderUnreadable(directory, error);
  }
  const files = entries.filter((entry) => !entry.isDirectory() && formatOf(entry.name) !== undefined);
  return { files: files.map(({ name }) => name).sort(), others: entries.length - files.length };
}

function folderUnreadable(directory: string, error: unknown): Error {
  const hint = 'give the folder with the input files';
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return fatal('SOURCE_FOLDER', `there is no folder ${directory}`, { hint });
  if (code === 'ENOTDIR') return fatal('SOURCE_FOLDER', `${directory} is a file, not a folder`, { hint });
  return fatal('SOURCE_FOLDER', `cannot read the folder ${directory}`, { cause: asError(error), hint });
}

/** A file that is done must have its old length. */
async function mustBeAsRead(directory: string, { file, bytes }: FileRecord): Promise<void> {
  const path = join(directory, file);
  const { size } = await found(path);
  if (size !== bytes) throw positionLost(`${path} was read to its end at ${bytes} bytes, and has ${size} now`);
}

async function found(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

const positionLost = (message: string): Error =>
  fatal('SOURCE_POSITION', message, {
    hint: 'put the file back as it was (new rows belong in a new file), or do the job anew (rivulet replay --restart)',
  });

/** Reads at most one item ahead of the consumer. */
async function* oneAhead<T>(items: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  try {
    let coming = items.next();
    for (;;) {
      const { done, value } = await coming;
      if (done === true) return;
      coming = items.next();
      // Thrown when it is awaited; until then it must not count as unhandled.
      coming.catch(() => undefined);
      yield value;
    }
  } finally {
    await items.return();
  }
}
