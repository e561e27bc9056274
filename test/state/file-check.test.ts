/** Damaged files are found before their entries are missed (FILE-CHECK-1–FILE-CHECK-3): every file of a store, broken in every way that can be thought of. */
import { appendFile, cp, mkdtemp, readdir, readFile, rm, truncate, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../runtime/contract/ports.js';
import { examineStore } from '../../state/examine-store.js';
import { fileProblems, isAsClosed, markClosed } from '../../state/file-check.js';
import { crc32c } from '../../state/crc.js';
import { openLevelStore } from '../../state/level-store.js';
import { seededRandom } from '../../actors/maths/random.js';

const KEYS = 400;
const key = (n: number): string => `stage/0/cell/key-${String(n).padStart(5, '0')}`;
const value = (n: number, round: number): Uint8Array => new Uint8Array(50 + (n % 90)).fill(n + round * 7);

let parent: string;
let whole: string;
let copies = 0;

/** Tables of three rounds, and a log of several batches. */
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'rivulet-files-'));
  whole = join(parent, 'whole');
  for (let round = 0; round < 4; round++) {
    const store = await openLevelStore(whole);
    for (let from = 0; from < KEYS; from += 50) await store.write(batch(from, round));
    await store.close();
  }
});
afterAll(() => rm(parent, { recursive: true }));

const batch = (from: number, round: number) =>
  Array.from({ length: 50 }, (_, i) => ({ key: key(from + i), value: value(from + i, round) }));

async function copied(): Promise<string> {
  const folder = join(parent, `copy-${++copies}`);
  await cp(whole, folder, { recursive: true });
  return folder;
}

const filesOf = async (folder: string, ending: RegExp): Promise<string[]> =>
  (await readdir(folder)).filter((name) => ending.test(name)).sort();

async function flip(file: string, at: number, bit = 0): Promise<void> {
  const bytes = await readFile(file);
  bytes[at]! ^= 1 << bit;
  await writeFile(file, bytes);
}

const problemsOf = async (folder: string): Promise<string[]> => {
  const found: string[] = [];
  for await (const problem of fileProblems(folder)) found.push(problem);
  return found;
};

/** `damaged`, or the round whose values each batch of keys has: all of a batch or none. */
async function opened(folder: string): Promise<'damaged' | number[]> {
  let store: Store | undefined;
  try {
    store = await openLevelStore(folder);
    const rounds: number[] = [];
    for (let n = 0; n < KEYS; n++) {
      const bytes = store.getSync(key(n));
      const round = [0, 1, 2, 3].find((r) => bytes !== undefined && Buffer.compare(bytes, value(n, r)) === 0);
      if (round === undefined) throw new Error(`${key(n)} is wrong: ${String(bytes)}`);
      if (n % 50 === 0) rounds.push(round);
      expect(round).toBe(rounds.at(-1));
    }
    return rounds;
  } catch (error) {
    expect(error).toMatchObject({ reaction: 'fatal', code: expect.stringMatching(/^STATE_(DAMAGED|OPEN)$/) });
    return 'damaged';
  } finally {
    await store?.close();
  }
}

describe('a store', () => {
  it('that nobody touched is sound', async () => {
    expect(await filesOf(whole, /\.ldb$/)).not.toEqual([]);
    expect(await problemsOf(whole)).toEqual([]);
    expect(await opened(await copied())).toEqual(Array(8).fill(3));
  });

  it('with a table of which any one bit is flipped is refused', async () => {
    const random = seededRandom(11);
    for (const name of await filesOf(whole, /\.ldb$/)) {
      const { length } = await readFile(join(whole, name));
      // Everywhere, and in filter, indexes and footer above all.
      const places = [0, 1, length - 1, length - 40, ...Array.from({ length: 6 }, () => Math.floor(random() * length))];
      for (let back = 60; back < 700; back += 97) places.push(length - back);
      for (const at of places) {
        const folder = await copied();
        await flip(join(folder, name), at, at % 8);
        // Bytes between the footer's handles and its magic number are padding.
        if ((await problemsOf(folder)).length > 0) expect(await opened(folder), `${name} at ${at}`).toBe('damaged');
        else expect(await opened(folder), `${name} at ${at}`).toEqual(Array(8).fill(3));
        await rm(folder, { recursive: true });
      }
    }
  });

  it('is refused at each start, and opened again when its files are sound again (FILE-CHECK-2)', async () => {
    const folder = await copied();
    const table = join(folder, (await filesOf(folder, /\.ldb$/))[0]!);
    await flip(table, 100);
    const names = await readdir(folder);
    for (let start = 0; start < 2; start++) {
      await expect(openLevelStore(folder)).rejects.toMatchObject({
        ...{ code: 'STATE_DAMAGED', message: expect.stringContaining(basename(table)) },
        hint: expect.stringContaining('rivulet repair'),
      });
    }
    expect((await readdir(folder)).filter((name) => !/^(LOG|LOCK)/.test(name))).toEqual(
      names.filter((name) => !/^(LOG|LOCK)/.test(name)),
    );
    await flip(table, 100);
    expect(await opened(folder)).toEqual(Array(8).fill(3));
  });

  it('is checked whole before it is used, unless it was closed and nobody has touched its files since (FILE-CHECK-1)', async () => {
    const folder = await copied();
    // Copied: nobody knows by whom.
    expect(await opened(folder)).toEqual(Array(8).fill(3));
    const table = join(folder, (await filesOf(folder, /\.ldb$/)).at(-1)!);
    await utimes(table, 1_000, 1_000);
    await markClosed(folder);
    expect(await isAsClosed(folder)).toBe(true);
    await flip(table, 100);
    expect(await isAsClosed(folder)).toBe(false);
    expect(await opened(folder)).toBe('damaged');
    // A disk that loses a bit leaves the time as it was: `rivulet state verify` finds it.
    await utimes(table, 1_000, 1_000);
    expect(await isAsClosed(folder)).toBe(true);
    expect(await problemsOf(folder)).toEqual([expect.stringContaining(basename(table))]);
  });

  it('is checked after a process that did not close it', async () => {
    const folder = await copied();
    const store = await openLevelStore(folder);
    await store.write(batch(0, 3));
    // Were it killed now, this is what it would leave.
    expect(await isAsClosed(folder)).toBe(false);
    await store.close();
    expect(await isAsClosed(folder)).toBe(true);
  });

  it('that another process has open is in use, whatever its files look like meanwhile', async () => {
    const folder = await copied();
    const store = await openLevelStore(folder);
    // LevelDB may have compacted it away itself by now.
    await rm(join(folder, (await filesOf(folder, /\.ldb$/))[0]!), { force: true });
    await expect(openLevelStore(folder)).rejects.toMatchObject({ code: 'DATA_DIR_LOCKED' });
    await expect(examineStore(folder)).rejects.toMatchObject({ code: 'DATA_DIR_LOCKED' });
    await store.close();
  });

  it.each([
    ['a table', /\.ldb$/],
    ['CURRENT', /^CURRENT$/],
    ['the manifest', /^MANIFEST/],
  ])('without %s is refused', async (_, ending) => {
    const folder = await copied();
    await unlink(join(folder, (await filesOf(folder, ending))[0]!));
    await expect(openLevelStore(folder)).rejects.toMatchObject({ reaction: 'fatal', code: 'STATE_DAMAGED' });
    expect(await problemsOf(folder)).toEqual([expect.stringMatching(/ (is gone|is missing)$/)]);
  });

  it.each([
    ['cut short', (file: string) => truncate(file, 3_000)],
    ['longer than it was', (file: string) => appendFile(file, 'x')],
  ])('with a table that is %s is refused', async (_, change) => {
    const folder = await copied();
    await change(join(folder, (await filesOf(folder, /\.ldb$/))[0]!));
    expect(await opened(folder)).toBe('damaged');
  });
});

describe('a log', () => {
  const logOf = async (folder: string): Promise<string> => join(folder, (await filesOf(folder, /\.log$/)).at(-1)!);

  it('that ends anywhere is the store at an earlier snapshot (FILE-CHECK-3)', async () => {
    const { length } = await readFile(await logOf(whole));
    for (let end = length - 1; end > 0; end -= 3_701) {
      const folder = await copied();
      await truncate(await logOf(folder), end);
      const rounds = await opened(folder);
      expect(rounds, `cut at ${end}`).not.toBe('damaged');
      // The batches that were written first are there, and no other.
      expect([...rounds].sort().reverse()).toEqual(rounds);
      expect(rounds).not.toEqual(Array(8).fill(3));
    }
  });

  it('of which a bit is flipped leaves out no write between others', async () => {
    const random = seededRandom(12);
    const { length } = await readFile(await logOf(whole));
    const seen = new Set<string>();
    for (let i = 0; i < 25; i++) {
      const folder = await copied();
      const at = Math.floor(random() * length);
      await flip(await logOf(folder), at, i % 8);
      const rounds = await opened(folder);
      seen.add(typeof rounds);
      if (rounds !== 'damaged') expect([...rounds].sort().reverse(), `at ${at}`).toEqual(rounds);
      await rm(folder, { recursive: true });
    }
    expect(seen).toEqual(new Set(['object', 'string']));
  });

  it('that is gone while a later one is there is missed', async () => {
    const folder = await copied();
    const log = await logOf(folder);
    const later = log.replace(
      /(\d+)\.log$/,
      (_, number: string) => `${String(Number(number) + 50).padStart(6, '0')}.log`,
    );
    const bytes = await readFile(log);
    // The first batch of the later one follows on a write that was in the one that is gone.
    bytes.writeUInt32LE(bytes.readUInt32LE(7) + 5, 7);
    const crc = crc32c(bytes, 6, 7 + bytes.readUInt16LE(4));
    bytes.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0, 0);
    await writeFile(later, bytes);
    await unlink(log);
    expect(await opened(folder)).toBe('damaged');
  });
});
