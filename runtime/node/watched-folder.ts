/**
 * The folder that a live node watches (composition): connectors/csv/watched-folder.ts, written into the mailbox of parse like any source.
 *
 * Several nodes may watch one folder: they share the record of files, a write to either is fenced, and a node that is fenced waits until the other has
 * been silent for a lease before it reads on. So each file is written once, by one node at a time, and no lease is needed for that.
 *
 * A folder may hold more than a mailbox takes: chunks are written while the stream is less than half full, the rest is for publishers.
 */
import { basename } from 'node:path';
import { missingColumns } from '../../actors/formats/csv-header.js';
import { Schema } from '../../actors/formats/schema.js';
import type { ParseOptions } from '../../actors/parse.js';
import { listing } from '../../connectors/csv/folder-source.js';
import { WatchedFolder } from '../../connectors/csv/watched-folder.js';
import { explain, hasCode, reactionOf } from '../contract/errors.js';
import { streamOf } from '../contract/graph.js';
import type { ChunkSource, Clock, KeyValue, Log, Logger } from '../contract/ports.js';
import { DEAD_LETTER_BYTES } from '../contract/streams.js';
import { StoredFileRecords } from '../jobs/file-records.js';
import { lastChunk, writeChunks } from '../jobs/source-writer.js';
import type { FolderFigures } from '../telemetry/node-metrics.js';

export interface FolderOptions {
  readonly directory: string;
  readonly settleMs: number;
}

export interface WatchOptions extends FolderOptions {
  /** The bucket of the record of files. */
  readonly table: () => Promise<KeyValue>;
  readonly parse: ParseOptions;
  readonly log: Log;
  readonly streamBytesMax: number;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** The record of files is not what the log says: nothing can be read without reading something twice. */
  readonly onFatal: (error: Error) => void;
}

export interface FolderWatch {
  /** Resolves after the signal was aborted. */
  readonly ended: Promise<void>;
  figures(): FolderFigures;
  warnings(): readonly string[];
}

const TARGET = { to: 'parse', from: 'folder' };
const POLL_MS_MAX = 1_000;
const RETRY_MS = 1_000;
const LOOK_EVERY_MS = 200;
const NOTHING = { done: 0, waiting: 0, unreadable: 0 };

/** Fatal SOURCE_FOLDER. */
export async function mustBeReadable(directory: string): Promise<void> {
  await listing(directory);
}

export function watchFolder(options: WatchOptions): FolderWatch {
  let folder: WatchedFolder | undefined;
  const ended = watch(options, (opened) => (folder = opened));
  return {
    ended,
    figures: () =>
      folder === undefined
        ? NOTHING
        : { done: folder.done, waiting: folder.waiting, unreadable: folder.troubles.length },
    warnings: () => {
      const [first, ...others] = folder?.troubles ?? [];
      if (first === undefined) return [];
      return [`the watched folder: ${first}${others.length === 0 ? '' : `; and ${others.length} more`}`];
    },
  };
}

/** Never rejects. */
async function watch(options: WatchOptions, onOpened: (folder: WatchedFolder) => void): Promise<void> {
  const { clock, logger, signal, leaseMs, onFatal } = options;
  let folder: WatchedFolder | undefined;
  while (!signal.aborted) {
    try {
      if (folder === undefined) onOpened((folder = await opened(options)));
      await othersSilent(options);
      await writeChunks(options, withRoom(folder, options), TARGET, () => undefined);
    } catch (error) {
      if (signal.aborted) return;
      if (reactionOf(error) !== 'transient') {
        onFatal(error as Error);
        return;
      }
      if (hasCode(error, 'FENCED')) {
        logger.debug({}, 'another node reads the watched folder');
        await clock.sleep(leaseMs, signal);
      } else {
        logger.warn({ reason: explain(error) }, 'the watched folder waits for NATS');
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }
}

async function opened({ directory, settleMs, parse, log, table, clock, logger, signal }: WatchOptions) {
  return new WatchedFolder({
    ...{ directory, settleMs, clock, signal },
    records: new StoredFileRecords(await table()),
    pollMs: Math.min(POLL_MS_MAX, Math.max(settleMs, LOOK_EVERY_MS)),
    checkHeader: missingColumns(new Schema(parse.schema ?? 'auto')),
    // A row that is refused becomes a dead letter, with what is said about it.
    messageBytesMax: log.payloadBytesMax - 2 * DEAD_LETTER_BYTES,
    onProblem: (reason) => logger.warn({ directory, reason }, 'the watched folder has what cannot be taken in'),
    onDone: (file) => logger.info({ directory, file: basename(file) }, 'a file is taken in'),
  });
}

/** In the middle of a file, which a node that was killed has begun, or another one is reading: waits until nothing has come for a lease. */
async function othersSilent({ log, clock, leaseMs, signal }: WatchOptions): Promise<void> {
  let last = await lastChunk(log, TARGET);
  let sinceMs = clock.monotonicMs();
  while (last?.endsEpoch === false && clock.monotonicMs() - sinceMs < leaseMs && !signal.aborted) {
    await clock.sleep(Math.min(LOOK_EVERY_MS, leaseMs), signal);
    const now = await lastChunk(log, TARGET);
    if (now?.number !== last.number) [last, sinceMs] = [now, clock.monotonicMs()];
  }
}

/** Gives a chunk when the stream has room for it. */
function withRoom(folder: ChunkSource, { log, streamBytesMax, clock, signal }: WatchOptions): ChunkSource {
  return {
    async *chunks(stored) {
      for await (const chunk of folder.chunks(stored)) {
        while (!signal.aborted && (await log.info(streamOf(TARGET.to))).bytes > streamBytesMax / 2)
          await clock.sleep(LOOK_EVERY_MS, signal);
        yield chunk;
      }
    },
  };
}
