/**
 * The store of one thread: LevelDB on disk.
 *
 * Invariants
 *   K1  A write is one batch with `sync`: after a crash all of it is there or none.
 *   K2  After a write that failed there is no other until the store is opened anew: LevelDB would go on behind the torn record, say that it is
 *       done, and drop it all when it is next opened.
 *   K3  One process, one thread per directory; a second one is refused with a clear error.
 */
import { Level } from 'level';
import { asError, fatal } from '../runtime/errors.js';
import type { Store, StoreChange, StoreView } from '../runtime/ports.js';

/** Entries read at a time when a cell is loaded whole. */
const READ_AHEAD = 1000;
/** Keys put into a batch before other work gets its turn. */
const FILL_KEYS = 256;

export async function openLevelStore(directory: string): Promise<Store> {
  const db = new Level<string, Uint8Array>(directory, {
    valueEncoding: 'view',
    writeBufferSize: 8 * 1024 * 1024,
    // Snapshot pages are columns of narrow integers; compressing them costs more than it saves.
    compression: false,
  });
  try {
    await db.open();
  } catch (error) {
    throw refusal(directory, error);
  }
  return new LevelStore(db, directory);
}

class LevelStore implements Store {
  private failed: Error | undefined;

  constructor(
    private readonly db: Level<string, Uint8Array>,
    private readonly directory: string,
  ) {}

  getSync(key: string): Uint8Array | undefined {
    return this.db.getSync(key);
  }

  async entries(prefix: string): Promise<[string, Uint8Array][]> {
    const found: [string, Uint8Array][] = [];
    for await (const some of this.pieces(prefix)) found.push(...some);
    return found;
  }

  view(): StoreView {
    const snapshot = this.db.snapshot();
    return {
      values: (keys) => this.db.getMany([...keys], { snapshot }),
      entries: (prefix) => this.pieces(prefix, snapshot),
      close: () => snapshot.close(),
    };
  }

  private async *pieces(
    prefix: string,
    snapshot?: ReturnType<typeof this.db.snapshot>,
  ): AsyncGenerator<[string, Uint8Array][]> {
    const end = keyBehind(prefix);
    const range = { gte: prefix, ...(end === undefined ? {} : { lt: end }) };
    const iterator = this.db.iterator(snapshot === undefined ? range : { ...range, snapshot });
    try {
      for (;;) {
        const some = await iterator.nextv(READ_AHEAD);
        if (some.length === 0) return;
        yield some;
      }
    } finally {
      await iterator.close();
    }
  }

  async write(changes: readonly StoreChange[]): Promise<void> {
    try {
      if (this.failed !== undefined) throw this.failed;
      // Filled in pieces, written whole: a snapshot of many keys must not hold up the thread.
      const batch = this.db.batch();
      for (let i = 0; i < changes.length; i++) {
        const { key, value } = changes[i]!;
        if (value === undefined) batch.del(key);
        else batch.put(key, value);
        if (i % FILL_KEYS === FILL_KEYS - 1) await new Promise<void>((resolve) => setImmediate(resolve));
      }
      await batch.write({ sync: true });
    } catch (error) {
      this.failed = asError(error);
      throw fatal('STATE_WRITE', `cannot write a snapshot to ${this.directory}`, {
        cause: error,
        hint: 'check free space and permissions of the data directory, then start again',
      });
    }
  }

  async close(): Promise<void> {
    await this.db.close();
  }
}

/** The first key, in byte order, behind all that start with the prefix; `undefined` when nothing can be. */
function keyBehind(prefix: string): string | undefined {
  const characters = [...prefix];
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    const next = last.codePointAt(0)! + 1;
    // The surrogates are no characters; UTF-8 orders by code point around them.
    if (next <= 0x10ffff) return characters.join('') + String.fromCodePoint(next === 0xd800 ? 0xe000 : next);
  }
  return undefined;
}

function refusal(directory: string, error: unknown): Error {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'LEVEL_LOCKED') {
    return fatal('DATA_DIR_LOCKED', `the data directory is in use: ${directory}`, {
      hint: 'another rivulet runs on it; stop that one, or give this one its own --data-dir',
    });
  }
  return fatal('STATE_OPEN', `cannot open the state in ${directory}`, {
    cause: error,
    hint: 'check permissions; if the files are damaged, move the directory away and let the node replay',
  });
}
