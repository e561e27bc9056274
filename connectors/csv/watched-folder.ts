/**
 * watched-folder: a folder to which files are added while it is read. Each file that is complete is taken in once, as a whole.
 *
 *   complete  it has not changed (size, times of modification and change) for `settleMs`, and is not empty. Temporary names (.tmp, .part, hidden) are no files with
 *             events; those who rename a file at its end need not wait for more
 *   order     by name, among the files that are complete when the next one is chosen; one that was begun comes first
 *   once      by the record of files (runtime/jobs/file-records.ts): the position is the file, and how far it was read. Rows need no ids
 *   checked   a file is read to its end before its first chunk is given, with a digest. One that cannot be read, or lacks columns, is reported and
 *             left out until it changes; the others go on. So is one that was done, or begun, and has other content now
 *   polling   every `pollMs`, which works on network file systems as well; files that are done are compared each minute only
 */
import { createHash } from 'node:crypto';
import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { explain, fatal, reactionOf } from '../../runtime/contract/errors.js';
import type { ChunkSource, Clock, FileRecord, SourceChunk, StoredChunks } from '../../runtime/contract/ports.js';
import { unreadable } from './file-bytes.js';
import { CHUNK_BYTES, chunksOf, type FolderSourceOptions, listing, NOTHING_READ } from './folder-source.js';

export interface WatchedFolderOptions extends Pick<FolderSourceOptions, 'directory' | 'records' | 'checkHeader'> {
  readonly settleMs: number;
  readonly pollMs: number;
  /** A chunk with its header has at most so many bytes; a file with a longer record cannot be taken in. */
  readonly messageBytesMax: number;
  readonly clock: Clock;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** A file, or the folder, that cannot be read, once for each state of it. */
  readonly onProblem: (message: string) => void;
  readonly onDone: (file: string) => void;
}

/** A stat of each file that is done is not for each poll: there may be thousands, on a network file system. */
const COMPARE_EVERY_MS = 60_000;

/** A file as it was found. */
interface Found {
  readonly bytes: number;
  readonly modifiedMs: number;
  /** When its content, its times or who may read it were changed: a file that could not be read may be mended without a change of the others. */
  readonly changedMs: number;
  /** Since when it is like this, by the monotonic clock. */
  readonly sinceMs: number;
}

interface Problem {
  readonly found: Omit<Found, 'sinceMs'>;
  readonly message: string;
}

interface Chosen {
  readonly file: string;
  readonly record: FileRecord;
}

const NOT_FOUND = { bytes: 0, modifiedMs: 0, changedMs: 0 };

const recordTooLong = (path: string, line: number, bytesMax: number): Error =>
  fatal(
    'SOURCE_RECORD_TOO_LONG',
    `${path}, line ${line}: with the header, the record has more than ${bytesMax} bytes`,
    {
      hint: 'a message on NATS takes no more (max_payload): check that the file is text with a line end after each record',
    },
  );

const isSame = (a: Problem['found'], b: Problem['found']): boolean =>
  a.bytes === b.bytes && a.modifiedMs === b.modifiedMs && a.changedMs === b.changedMs;

export class WatchedFolder implements ChunkSource {
  private readonly found = new Map<string, Found>();
  private readonly problems = new Map<string, Problem>();
  private folderProblem: string | undefined;
  private comparedMs = -Infinity;
  /** Files taken in since the start. */
  done = 0;

  constructor(private readonly options: WatchedFolderOptions) {}

  /** Why files, or the folder, cannot be read now. */
  get troubles(): readonly string[] {
    const files = [...this.problems.values()].map(({ message }) => message);
    return this.folderProblem === undefined ? files : [this.folderProblem, ...files];
  }

  /** Files that are there and not done: those that wait until they are complete, and those with problems. */
  get waiting(): number {
    return this.found.size;
  }

  private get chunkBytes(): number {
    return Math.min(CHUNK_BYTES, Math.ceil(this.options.messageBytesMax / 2));
  }

  /** Never ends by itself. */
  async *chunks(stored: StoredChunks): AsyncGenerator<SourceChunk, void, undefined> {
    const { records, signal } = this.options;
    const last = await records.load(stored);
    let open = last?.endsEpoch === false ? last.file : undefined;
    for (;;) {
      const chosen = await this.next(open);
      if (chosen === undefined || signal.aborted) return;
      open = undefined;
      yield* this.chunksOf(chosen, stored);
    }
  }

  private async *chunksOf(
    { file, record }: Chosen,
    stored: StoredChunks,
  ): AsyncGenerator<SourceChunk, void, undefined> {
    const { directory, records, onDone } = this.options;
    const { chunkBytes } = this;
    await records.put(record);
    let at = record;
    try {
      const after = record.chunk === 0 ? undefined : record;
      for await (const chunk of chunksOf(join(directory, file), { chunkBytes, after })) {
        yield { ...chunk, endsInput: false };
        const { nextOffset, nextLine } = chunk;
        at = { ...at, nextOffset, nextLine };
      }
    } catch (error) {
      if (reactionOf(error) !== 'fatal') throw error;
      // What the writer throws does not come here: this is the file, which was complete, and now cannot be read.
      // Of a file of which nothing more was given the record is as it was: the last chunk is another one's.
      if (at !== record) await records.put({ ...at, chunk: await stored.all() });
      this.report(
        file,
        this.found.get(file) ?? NOT_FOUND,
        `${explain(error)}; its lines before ${at.nextLine} are taken in`,
      );
      return;
    }
    await records.put({ ...at, done: true, chunk: await stored.all() });
    this.found.delete(file);
    this.done++;
    onDone(file);
  }

  /** Waits for a file that is complete and can be read; `undefined`: the watch has ended. */
  private async next(open: string | undefined): Promise<Chosen | undefined> {
    const { clock, pollMs, signal } = this.options;
    while (!signal.aborted) {
      const complete = await this.look();
      if (open !== undefined) complete.sort((a, b) => Number(b === open) - Number(a === open));
      for (const file of complete) {
        const chosen = await this.examine(file);
        if (signal.aborted) return undefined;
        if (chosen !== undefined) return chosen;
      }
      await clock.sleep(pollMs, signal);
    }
    return undefined;
  }

  /** The files to examine: complete, and not known to be done or unreadable as they are. */
  private async look(): Promise<string[]> {
    const { directory, records, clock, settleMs } = this.options;
    let files: readonly string[];
    try {
      ({ files } = await listing(directory));
      this.folderProblem = undefined;
    } catch (error) {
      if (this.folderProblem === undefined) this.options.onProblem(explain(error));
      this.folderProblem = explain(error);
      return [];
    }
    const present = new Set(files);
    for (const known of [this.found, this.problems])
      for (const file of known.keys()) if (!present.has(file)) known.delete(file);
    const nowMs = clock.monotonicMs();
    const compares = nowMs - this.comparedMs >= COMPARE_EVERY_MS;
    if (compares) this.comparedMs = nowMs;
    const complete: string[] = [];
    for (const file of files) {
      const isDone = records.isDone(file);
      if (isDone && !compares && !this.found.has(file)) continue;
      const found = await this.stat(file, nowMs);
      if (found === undefined) continue;
      const record = records.get(file);
      if (isDone && record?.bytes === found.bytes && record.modifiedMs === found.modifiedMs) this.forget(file);
      else if (found.bytes > 0 && nowMs - found.sinceMs >= settleMs && !this.hasProblem(file, found))
        complete.push(file);
    }
    return complete;
  }

  private async stat(file: string, nowMs: number): Promise<Found | undefined> {
    const path = join(this.options.directory, file);
    let now;
    try {
      const { size: bytes, mtimeMs: modifiedMs, ctimeMs: changedMs } = await stat(path);
      now = { bytes, modifiedMs, changedMs };
    } catch (error) {
      // Unless it is gone since the folder was listed, as a link to nowhere is not.
      const isThere = await lstat(path).then(
        () => true,
        () => false,
      );
      if (isThere) this.report(file, NOT_FOUND, explain(unreadable(path, error)));
      return undefined;
    }
    const before = this.found.get(file);
    if (before !== undefined && isSame(before, now)) return before;
    const found = { ...now, sinceMs: nowMs };
    this.found.set(file, found);
    return found;
  }

  /** Reads the file to its end; `undefined`: there is nothing to take in, or a problem, which is reported. */
  private async examine(file: string): Promise<Chosen | undefined> {
    const { directory, records, checkHeader, messageBytesMax, signal } = this.options;
    const { chunkBytes } = this;
    const path = join(directory, file);
    const found = this.found.get(file)!;
    const { bytes, modifiedMs } = found;
    const hash = createHash('sha256');
    try {
      let isFirst = true;
      for await (const { header, data, line } of chunksOf(path, { chunkBytes, checkHeader })) {
        if (signal.aborted) return undefined;
        if (header.length + data.length > messageBytesMax) throw recordTooLong(path, line, messageBytesMax);
        if (isFirst) hash.update(header).update('\n');
        hash.update(data);
        isFirst = false;
      }
    } catch (error) {
      if (reactionOf(error) !== 'fatal') throw error;
      this.report(file, found, explain(error));
      return undefined;
    }
    const digest = hash.digest('hex');
    this.problems.delete(file);
    const before = records.get(file);
    if (before === undefined || (!before.done && before.chunk === 0))
      return { file, record: { file, bytes, modifiedMs, digest, ...NOTHING_READ } };
    if (before.digest !== digest) {
      // The lines in any case: it may have changed while it was read, after it was checked.
      const read = `was taken in up to line ${before.nextLine - 1}`;
      this.report(file, found, `${path} ${read}, and has changed since: new rows belong in a new file`);
      return undefined;
    }
    const record = { ...before, bytes, modifiedMs };
    if (!before.done) return { file, record };
    // Only touched, or copied.
    await records.put(record);
    this.forget(file);
    return undefined;
  }

  private forget(file: string): void {
    this.found.delete(file);
    this.problems.delete(file);
  }

  private hasProblem(file: string, found: Found): boolean {
    const problem = this.problems.get(file);
    return problem !== undefined && isSame(problem.found, found);
  }

  private report(file: string, found: Problem['found'], message: string): void {
    const before = this.problems.get(file);
    this.problems.set(file, { found, message });
    if (before?.message !== message) this.options.onProblem(message);
  }
}
