/**
 * folder-source: the CSV and JSONL files of a folder, plain or gzipped, as one bounded input: one epoch per file, in name order.
 *
 *   order    code units of the names ("part-10" comes before "part-2": number with leading zeros); hidden files and subfolders are ignored;
 *            the folder is listed once, when reading begins
 *   resume   a position names a file and an offset in it; a file that is missing or shorter is fatal SOURCE_POSITION, and so is a finished one
 *            that has grown, since its new rows would never be read
 *   memory   one chunk at the consumer and one read ahead, whatever the size of a file
 */
import { stat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asError, fatal } from '../../runtime/contract/errors.js';
import type { ChunkSource, SourceChunk, SourcePosition } from '../../runtime/contract/ports.js';
import { unreadable } from './file-bytes.js';
import { type FileChunkOptions, fileChunks, type FileFormat } from './file-chunks.js';
import { RECORD_BYTES_MAX } from './record-boundary.js';

export interface FolderSourceOptions {
  readonly directory: string;
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
  return { chunks: (after) => oneAhead(folderChunks({ ...options, chunkBytes }, after)) };
}

async function* folderChunks(
  { directory, chunkBytes, checkHeader }: FolderSourceOptions & { readonly chunkBytes: number },
  after: SourcePosition | undefined,
): AsyncGenerator<SourceChunk, void, undefined> {
  const files = await filesIn(directory);
  let first = 0;
  if (after !== undefined) {
    first = files.indexOf(after.file);
    if (first < 0)
      throw positionLost(`${join(directory, after.file)}, from which reading must go on, is no longer there`);
    if (after.endsEpoch) await checkFinished(directory, files[first++]!, after.nextOffset);
  }
  for (let i = first; i < files.length; i++) {
    const file = files[i]!;
    const format = formatOf(file)!;
    const options: FileChunkOptions = {
      format,
      chunkBytes,
      checkHeader,
      after: after?.file === file ? after : undefined,
    };
    for await (const { endsFile, ...chunk } of fileChunks(join(directory, file), options)) {
      yield { ...chunk, format, file, endsEpoch: endsFile, endsInput: endsFile && i === files.length - 1 };
    }
  }
}

async function filesIn(directory: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    throw folderUnreadable(directory, error);
  }
  const files = entries.filter((entry) => !entry.isDirectory() && formatOf(entry.name) !== undefined);
  if (files.length === 0) {
    throw fatal('SOURCE_EMPTY', `no .csv, .csv.gz, .jsonl or .jsonl.gz file is in ${directory}`, {
      hint: `${entries.length === 0 ? 'the folder is empty' : `it holds ${entries.length} other entries`}: give the folder with the input files`,
    });
  }
  return files.map(({ name }) => name).sort();
}

function folderUnreadable(directory: string, error: unknown): Error {
  const hint = 'give the folder with the input files';
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return fatal('SOURCE_FOLDER', `there is no folder ${directory}`, { hint });
  if (code === 'ENOTDIR') return fatal('SOURCE_FOLDER', `${directory} is a file, not a folder`, { hint });
  return fatal('SOURCE_FOLDER', `cannot read the folder ${directory}`, { cause: asError(error), hint });
}

/** A file whose epoch has ended must have its old length. For gzipped files this is not checked: it would mean decompressing them. */
async function checkFinished(directory: string, file: string, length: number): Promise<void> {
  if (file.toLowerCase().endsWith('.gz')) return;
  const path = join(directory, file);
  let size;
  try {
    ({ size } = await stat(path));
  } catch (error) {
    throw unreadable(path, error);
  }
  if (size !== length) throw positionLost(`${path} was read to its end at ${length} bytes, and has ${size} now`);
}

const positionLost = (message: string): Error =>
  fatal('SOURCE_POSITION', message, {
    hint: 'put the file back as it was (new rows belong in a new file), or start anew with an empty data directory',
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
