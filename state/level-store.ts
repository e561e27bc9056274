/**
 * The store of one shard: LevelDB on disk.
 *
 * Invariants
 *   LEVEL-STORE-1  A write is one batch with `sync`: after a crash all of it exists or nothing.
 *   LEVEL-STORE-2  One process and one thread per directory; a second one is refused with a clear error.
 *   LEVEL-STORE-3  A read returns what was written, or throws Fatal STATE_DAMAGED: each entry has a checksum (state/sealed.ts), and the files of a store
 *                  that was not closed are checked before it is opened (state/file-check.ts), since a checksum cannot reveal a missing entry.
 *   LEVEL-STORE-4  No write follows a failed one: LevelDB would append it to the remains of the failed one, and not find it again.
 */
import { mkdir } from 'node:fs/promises';
import { Level } from 'level';
import { fatal, RivuletError } from '../runtime/contract/errors.js';
import type { Logger, Store, StoreChange, StoreView } from '../runtime/contract/ports.js';
import { damaged } from './damage.js';
import { fileProblems, isAsClosed, markClosed } from './file-check.js';
import { bringToFormat, type Database, FIRST_KEY } from './format.js';
import { sealed, unsealed } from './sealed.js';

/** Entries read at a time when a state is loaded completely. */
const READ_AHEAD = 1000;
/** Keys put into a batch before other work gets its turn. */
const FILL_KEYS = 256;

export const newDatabase = (directory: string): Database =>
  new Level<string, Uint8Array>(directory, {
    valueEncoding: 'view',
    // A node has some fifteen stores: each has up to twice this in memory, and up to twelve times this on disk before it is compacted.
    writeBufferSize: 1024 * 1024,
    // Snapshot pages are columns of narrow integers; compression would cost more than it saves.
    compression: false,
  });

/** Opens or creates a store; migrates an older one to the current format. */
export async function openLevelStore(directory: string, logger?: Pick<Logger, 'info'>): Promise<Store> {
  try {
    await mkdir(directory, { recursive: true });
    if (!(await isAsClosed(directory))) {
      for await (const problem of storeProblems(directory)) throw damaged(directory, problem);
    }
  } catch (error) {
    throw explainedRefusal(directory, error);
  }
  const db = await openDatabase(directory);
  try {
    const migrated = await bringToFormat(db, directory);
    if (migrated !== undefined) {
      const { from, to, entries } = migrated;
      logger?.info({ directory, from, to, entries }, `state brought from format ${from} to ${to}`);
    }
  } catch (error) {
    await db.close();
    throw explainedRefusal(directory, error);
  }
  return new LevelStore(db, directory);
}

/** Damage in the files of a closed store; Fatal DATA_DIR_LOCKED when a process has it open, which may be writing. */
export async function* storeProblems(directory: string): AsyncGenerator<string> {
  // LevelDB takes its lock before it reports that the store exists.
  await newDatabase(directory)
    .open({ errorIfExists: true, createIfMissing: false })
    .catch((error: unknown) => {
      if (levelCode(error) === 'LEVEL_LOCKED') throw refusal(directory, error);
    });
  yield* fileProblems(directory);
}

/** Usually a full disk: the first writes are the directory and the record of the format. */
const explainedRefusal = (directory: string, error: unknown): Error =>
  error instanceof RivuletError ? error : refusal(directory, error);

export async function openDatabase(directory: string): Promise<Database> {
  const db = newDatabase(directory);
  try {
    await db.open();
    return db;
  } catch (error) {
    throw refusal(directory, error);
  }
}

class LevelStore implements Store {
  private failed: RivuletError | undefined;

  constructor(
    private readonly db: Database,
    private readonly directory: string,
  ) {}

  getSync(key: string): Uint8Array | undefined {
    try {
      const stored = this.db.getSync(key);
      return stored === undefined ? undefined : this.opened(key, stored);
    } catch (error) {
      throw this.explained(error);
    }
  }

  async entries(prefix: string): Promise<[string, Uint8Array][]> {
    const found: [string, Uint8Array][] = [];
    for await (const some of this.pieces(prefix)) found.push(...some);
    return found;
  }

  view(): StoreView {
    const snapshot = this.db.snapshot();
    return {
      values: (keys) => this.values([...keys], snapshot),
      entries: (prefix) => this.pieces(prefix, snapshot),
      close: () => snapshot.close(),
    };
  }

  private async values(keys: string[], snapshot: Snapshot): Promise<(Uint8Array | undefined)[]> {
    try {
      const found = await this.db.getMany(keys, { snapshot });
      return found.map((stored, i) => (stored === undefined ? undefined : this.opened(keys[i]!, stored)));
    } catch (error) {
      throw this.explained(error);
    }
  }

  private async *pieces(prefix: string, snapshot?: Snapshot): AsyncGenerator<[string, Uint8Array][]> {
    const end = keyBehind(prefix);
    const range = { gte: prefix === '' ? FIRST_KEY : prefix, ...(end === undefined ? {} : { lt: end }) };
    const iterator = this.db.iterator(snapshot === undefined ? range : { ...range, snapshot });
    try {
      for (;;) {
        const some = await iterator.nextv(READ_AHEAD);
        if (some.length === 0) return;
        for (const entry of some) entry[1] = this.opened(...entry);
        yield some;
      }
    } catch (error) {
      throw this.explained(error);
    } finally {
      await iterator.close();
    }
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    this.mustBeWritable();
    try {
      // Filled in pieces, written at once: a snapshot of many keys must not block the thread.
      const batch = this.db.batch();
      for (let i = 0; i < changes.length; i++) {
        const { key, value } = changes[i]!;
        if (value === undefined) batch.del(key);
        else batch.put(key, sealed(key, value)); // Copied at once.
        if (i % FILL_KEYS === FILL_KEYS - 1) await new Promise<void>((resolve) => setImmediate(resolve));
      }
      await batch.write({ sync: true }).catch((error: unknown) => {
        this.failed = this.writeFailure(error);
      });
    } catch (error) {
      throw this.writeFailure(error);
    }
    this.mustBeWritable();
  }

  private mustBeWritable(): void {
    if (this.failed !== undefined) throw this.failed;
  }

  async close(): Promise<void> {
    await this.db.close();
    // Without the mark the next start checks the files: required after a failed write, and harmless when there is no room for the mark.
    if (this.failed === undefined) await markClosed(this.directory).catch(() => undefined);
  }

  private writeFailure(error: unknown): RivuletError {
    return fatal('STATE_WRITE', `cannot write a snapshot to ${this.directory}`, {
      cause: error,
      hint: 'check free space and permissions of the data directory',
    });
  }

  private opened(key: string, stored: Uint8Array): Uint8Array {
    const value = unsealed(key, stored);
    if (value === undefined) throw damaged(this.directory, `the entry ${key} is not what was written`);
    return value;
  }

  private explained(error: unknown): unknown {
    if (error instanceof RivuletError || levelCode(error) !== 'LEVEL_CORRUPTION') return error;
    return damaged(this.directory, 'LevelDB cannot read it', error);
  }
}

type Snapshot = ReturnType<Database['snapshot']>;

/** LevelDB's own code, of an error or of its cause. */
const levelCode = (error: unknown): unknown => {
  if (!(error instanceof Error)) return undefined;
  return (
    ('code' in error && error.code !== 'LEVEL_DATABASE_NOT_OPEN' ? error.code : undefined) ?? levelCode(error.cause)
  );
};

/** The first key, in byte order, after all keys with the prefix; `undefined` when there can be none. */
function keyBehind(prefix: string): string | undefined {
  const characters = [...prefix];
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    const next = last.codePointAt(0)! + 1;
    // Surrogates are not characters; UTF-8 sorts by code point, without them.
    if (next <= 0x10ffff) return characters.join('') + String.fromCodePoint(next === 0xd800 ? 0xe000 : next);
  }
  return undefined;
}

function refusal(directory: string, error: unknown): Error {
  const code = levelCode(error);
  if (code === 'LEVEL_LOCKED') {
    return fatal('DATA_DIR_LOCKED', `the data directory is in use: ${directory}`, {
      hint: 'another rivulet runs on it; stop that one, or give this one its own --data-dir',
    });
  }
  if (code === 'LEVEL_CORRUPTION') return damaged(directory, 'LevelDB cannot open it', error);
  return fatal('STATE_OPEN', `cannot open the state in ${directory}`, {
    cause: error,
    hint: 'check permissions and free space of the data directory',
  });
}
