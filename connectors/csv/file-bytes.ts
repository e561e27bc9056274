/** The bytes of one file, read sequentially and uncompressed. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { pipeline as piped } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { asError, fatal, type RivuletError } from '../../runtime/contract/errors.js';

export interface FileBytes {
  /** Fills target[from, to) with the result of one read; resolves to the number of bytes, 0 at the end of the file. */
  read(target: Buffer, from: number, to: number): Promise<number>;
  /** Skips `count` bytes; false when the file ends before that. */
  skip(count: number): Promise<boolean>;
  /** How much of the file, as it is stored, has been read: bytes. */
  readonly storedBytes: number;
  close(): Promise<void>;
}

/** The path that means standard input. */
export const STDIN = '-';

/** Opens a file; one whose name ends in .gz is decompressed. Fatal SOURCE_UNREADABLE, and later SOURCE_GZIP. */
export async function openBytes(path: string): Promise<FileBytes> {
  if (path === STDIN) {
    const { stdin } = process;
    return new StreamBytes('standard input', stdin, { bytesRead: 0, close: async () => void stdin.destroy() });
  }
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
  return path.toLowerCase().endsWith('.gz') ? gunzipped(path, handle) : new PlainBytes(path, handle);
}

function gunzipped(path: string, handle: FileHandle): FileBytes {
  const compressed = handle.createReadStream({ highWaterMark: GUNZIP_BLOCK_BYTES });
  const stream = pipeline(compressed, createGunzip({ chunkSize: GUNZIP_BLOCK_BYTES }), () => undefined);
  return new StreamBytes(path, stream, {
    get bytesRead() {
      return compressed.bytesRead;
    },
    close: async () => {
      compressed.destroy();
      stream.destroy();
      await handle.close();
    },
  });
}

class PlainBytes implements FileBytes {
  private position = 0;

  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  get storedBytes(): number {
    return this.position;
  }

  async read(target: Buffer, from: number, to: number): Promise<number> {
    try {
      const { bytesRead } = await this.handle.read(target, from, to - from, this.position);
      this.position += bytesRead;
      return bytesRead;
    } catch (error) {
      throw unreadable(this.path, error);
    }
  }

  async skip(count: number): Promise<boolean> {
    this.position += count;
    return this.position <= (await this.handle.stat()).size;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

const GUNZIP_BLOCK_BYTES = 256 * 1024;

class StreamBytes implements FileBytes {
  private readonly blocks: AsyncIterator<Buffer>;
  private block: Buffer = Buffer.alloc(0);
  private given = 0;

  constructor(
    private readonly path: string,
    stream: Readable,
    private readonly origin: { readonly bytesRead: number; readonly close: () => Promise<void> },
  ) {
    // An error before the next read must not count as unhandled: that read throws it.
    stream.on('error', () => undefined);
    this.blocks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  get storedBytes(): number {
    return this.origin.bytesRead;
  }

  close(): Promise<void> {
    return this.origin.close();
  }

  async read(target: Buffer, from: number, to: number): Promise<number> {
    if (!(await this.more())) return 0;
    const count = this.block.copy(target, from, 0, to - from);
    this.advance(count);
    return count;
  }

  async skip(count: number): Promise<boolean> {
    for (let left = count; left > 0;) {
      if (!(await this.more())) return false;
      const step = Math.min(left, this.block.length);
      this.advance(step);
      left -= step;
    }
    return true;
  }

  private async more(): Promise<boolean> {
    while (this.block.length === 0) {
      let next;
      try {
        next = await this.blocks.next();
      } catch (error) {
        throw this.failed(error);
      }
      if (next.done === true) return false;
      this.block = next.value;
    }
    return true;
  }

  private advance(count: number): void {
    this.given += count;
    this.block = this.block.subarray(count);
  }

  private failed(error: unknown): RivuletError {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!code.startsWith('Z_')) return unreadable(this.path, error);
    const what = code === 'Z_BUF_ERROR' ? 'ends in the middle of its gzip data' : 'holds broken gzip data';
    return fatal('SOURCE_GZIP', `${this.path} ${what}: ${this.given} uncompressed bytes could be read`, {
      cause: error,
      hint: `check it with \`gzip -t\`, and fetch or compress it anew`,
    });
  }
}

/** SHA-256 of a file as it is stored, in hexadecimal. Fatal SOURCE_UNREADABLE. */
export async function digestOf(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  try {
    await piped(createReadStream(path), hash, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw unreadable(path, error);
  }
  return hash.digest('hex');
}

export function unreadable(path: string, cause: unknown): RivuletError {
  return fatal('SOURCE_UNREADABLE', `cannot read ${path}`, {
    cause: asError(cause),
    hint: 'check that it is a file and that this user may read it',
  });
}
