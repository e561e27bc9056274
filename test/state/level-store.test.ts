/** The store on disk (K1, K2), in a real LevelDB. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { textOf, utf8 } from '../../runtime/bytes.js';
import { openDatabase, openLevelStore } from '../../state/level-store.js';
import { storeContract } from '../contracts/store-contract.js';

const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'rivulet-level-'));

storeContract('LevelDB', async () => {
  const folder = await newFolder();
  return {
    open: () => openLevelStore(folder),
    stop: () => rm(folder, { recursive: true }),
    damage: async (key) => {
      const db = await openDatabase(folder);
      const bytes = Uint8Array.from((await db.get(key))!);
      bytes[0]! ^= 1;
      await db.put(key, bytes);
      await db.close();
    },
  };
});

describe('a directory', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await newFolder();
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('belongs to one store at a time (K2)', async () => {
    const first = await openLevelStore(folder);
    await expect(openLevelStore(folder)).rejects.toMatchObject({ reaction: 'fatal', code: 'DATA_DIR_LOCKED' });
    await first.write([{ key: 'a', value: utf8('1') }]);
    await first.close();
    const second = await openLevelStore(folder);
    expect(textOf(second.getSync('a')!)).toBe('1');
    await second.close();
  });

  it('that cannot be opened is refused with what to do', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'no directory');
    await expect(openLevelStore(file)).rejects.toMatchObject({
      ...{ reaction: 'fatal', code: 'STATE_OPEN', hint: expect.stringContaining('permissions') },
    });
  });

  it('that cannot be written to is Fatal STATE_WRITE', async () => {
    const store = await openLevelStore(folder);
    await store.close();
    await expect(store.write([{ key: 'a', value: utf8('1') }])).rejects.toMatchObject({
      ...{ reaction: 'fatal', code: 'STATE_WRITE' },
    });
  });
});
