/**
 * An append-only file: rows are put into blocks in memory, and full blocks are written asynchronously, in order.
 *
 * Invariants
 *   RESULT-FILE-1  A byte has its offset as soon as it is put: writes are positioned, so a file that was truncated to a length continues exactly there.
 *   RESULT-FILE-2  A failed write is final: the next call throws its error, and nothing is written after it.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { asError, fatal, type RivuletError } from '../../runtime/contract/errors.js';

const BLOCK_BYTES = 256 * 1024;
/** Beyond this number of unwritten bytes the caller must wait. */
const BACKLOG_BYTES_MAX = 4 * 1024 * 1024;

export class ResultFile {
  /** The position of the next byte is `block[at]`. Only valid after `room`, and only for the requested size. */
  block: Buffer = Buffer.alloc(0);
  at = 0;
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private writing: Promise<void> | undefined;
  private failure: RivuletError | undefined;
  private synced = false;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
    private written: number,
    /** Whether it has bytes behind `written`. */
    private hasRest: boolean,
  ) {}

  /**
   * Opens a file and truncates it to a length, or to nothing when none is given; `keepsRest`: with the first write or sync. Fatal SINK_FILE_SHORT,
   * SINK_UNWRITABLE.
   */
  static async open(path: string, length: number | undefined, keepsRest = false): Promise<ResultFile> {
    let handle;
    try {
      handle = await open(path, length === undefined ? 'w' : 'r+');
      const { size } = await handle.stat();
      if (length !== undefined && size < length) throw fileShort(path, size, length);
      const hasRest = length !== undefined && size > length;
      if (hasRest && !keepsRest) await handle.truncate(length);
      return new ResultFile(path, handle, length ?? 0, hasRest && keepsRest);
    } catch (error) {
      await handle?.close();
      if (length !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT')
        throw fileShort(path, undefined, length);
      throw writeFailed(path, error);
    }
  }

  /** Of the file, with all that was put. */
  get length(): number {
    return this.written + this.waitingBytes + this.at;
  }

  /** Makes room for `count` bytes at `at`, and returns `at`. */
  room(count: number): number {
    if (this.at + count > this.block.length) {
      this.pass();
      this.block = Buffer.allocUnsafe(Math.max(BLOCK_BYTES, count));
    }
    return this.at;
  }

  put(bytes: Uint8Array): void {
    const at = this.room(bytes.length);
    this.block.set(bytes, at);
    this.at += bytes.length;
  }

  /** Starts to write full blocks; returns a promise when the caller should wait before it puts more. */
  flow(): Promise<void> | undefined {
    this.check();
    if (this.waiting.length > 0) this.writing ??= this.writeWaiting();
    return this.waitingBytes > BACKLOG_BYTES_MAX ? this.flushed() : undefined;
  }

  /** Makes everything that was put durable, and returns the length of the file. */
  async sync(): Promise<number> {
    this.pass();
    await this.flushed();
    await this.dropRest().catch((error: unknown) => this.fail(error));
    if (!this.synced) await this.handle.datasync().catch((error: unknown) => this.fail(error));
    this.check();
    this.synced = true;
    return this.written;
  }

  /** Writes everything that was put, unless a write has failed; closes the file in any case. */
  async close(): Promise<void> {
    try {
      this.pass();
      if (this.failure === undefined) await this.flushed();
    } finally {
      await this.handle.close();
    }
  }

  private pass(): void {
    if (this.at === 0) return;
    this.waiting.push(this.block.subarray(0, this.at));
    this.waitingBytes += this.at;
    this.block = this.block.subarray(this.at);
    this.at = 0;
  }

  private async flushed(): Promise<void> {
    while (this.waiting.length > 0) {
      this.check();
      this.writing ??= this.writeWaiting();
      await this.writing;
    }
    this.check();
  }

  /** Never rejects: an error is thrown by the next call. A block leaves the list when it has been written. */
  private async writeWaiting(): Promise<void> {
    try {
      for (let block = this.waiting[0]; block !== undefined && this.failure === undefined; block = this.waiting[0]) {
        await this.writeBlock(block);
        this.waiting.shift();
        this.waitingBytes -= block.length;
      }
    } catch (error) {
      this.fail(error);
    }
    this.writing = undefined;
  }

  private async writeBlock(block: Buffer): Promise<void> {
    this.synced = false;
    await this.dropRest();
    for (let done = 0; done < block.length;) {
      const { bytesWritten } = await this.handle.write(block, done, block.length - done, this.written);
      done += bytesWritten;
      this.written += bytesWritten;
    }
  }

  private async dropRest(): Promise<void> {
    if (!this.hasRest) return;
    this.synced = false;
    await this.handle.truncate(this.written);
    this.hasRest = false;
  }

  private fail(error: unknown): void {
    this.failure ??= writeFailed(this.path, error);
    this.waiting = [];
    this.waitingBytes = 0;
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

function fileShort(path: string, size: number | undefined, length: number): RivuletError {
  const state = size === undefined ? 'is gone' : `is ${size} bytes long`;
  return fatal('SINK_FILE_SHORT', `${path} ${state}, and ${length} bytes of it were on disk before`, {
    hint: 'put the file back as it was',
  });
}

function writeFailed(path: string, error: unknown): RivuletError {
  const cause = asError(error);
  if (cause.name === 'RivuletError') return cause as RivuletError;
  const { code } = cause as NodeJS.ErrnoException;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  if (isFull)
    return fatal('SINK_DISK_FULL', `no space is left to write ${path}`, {
      cause,
      hint: 'make space and run again: it goes on where it stopped',
    });
  return fatal('SINK_UNWRITABLE', `cannot write ${path}`, {
    cause,
    hint: 'check that the folder exists and that this user may write there',
  });
}
