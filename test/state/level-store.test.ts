/** The store on disk (LEVEL-STORE-1–LEVEL-STORE-4), in a real LevelDB. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { textOf, utf8 } from '../../runtime/frames/bytes.js';
import { openDatabase, openLevelStore } from '../../state/level-store.js';
import { storeContract } from '../contracts/store-contract.js';
import { ROOT } from '../guards/source-files.js';
import { noLinux, skipped } from '../support/requirements.js';

const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'rivulet-level-'));

storeContract('LevelDB', async () => {
  const folder = await newFolder();
  return {
    open: () => openLevelStore(folder),
    stop: () => rm(folder, { recursive: true }),
  };
});

describe('a directory', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await newFolder();
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('belongs to one store at a time (LEVEL-STORE-2)', async () => {
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

  it('that has rotted never gives out what was not written: Fatal STATE_DAMAGED names the key', async () => {
    const put = (key: string, text: string) => ({ key, value: utf8(text) });
    let store = await openLevelStore(folder);
    await store.write([put('a', '1'), put('b/1', 'some value'), put('b/2', '3')]);
    await store.close();
    const db = await openDatabase(folder);
    const bytes = Uint8Array.from((await db.get('b/1'))!);
    bytes[0]! ^= 1;
    await db.put('b/1', bytes);
    await db.close();
    store = await openLevelStore(folder);
    const damage = { reaction: 'fatal', code: 'STATE_DAMAGED', message: expect.stringContaining('b/1') };
    const thrown = (): unknown => {
      try {
        return store.getSync('b/1');
      } catch (error) {
        return error;
      }
    };
    expect(thrown()).toMatchObject(damage);
    await expect(store.entries('b/')).rejects.toMatchObject(damage);
    const view = store.view();
    await expect(view.values(['a', 'b/1'])).rejects.toMatchObject(damage);
    await expect(view.entries('b')[Symbol.asyncIterator]().next()).rejects.toMatchObject(damage);
    await view.close();
    expect([textOf(store.getSync('a')!), textOf(store.getSync('b/2')!)]).toEqual(['1', '3']);
    await store.write([put('b/1', 'mended')]);
    expect(textOf(store.getSync('b/1')!)).toBe('mended');
    await store.close();
  });

  it.skipIf(noLinux)(`on a disk that is full is refused with what to do${skipped(noLinux)}`, async () => {
    const script = `
    const { openLevelStore } = await import(${JSON.stringify(join(ROOT, 'dist', 'state', 'level-store.js'))});
    await openLevelStore(${JSON.stringify(join(folder, 'new'))}).catch(({ code, hint }) => console.log(code, hint));`;
    const limited = 'ulimit -f 0; exec "$0" --input-type=module -e "$1" | cat';
    const { stdout } = await promisify(execFile)('bash', ['-c', limited, process.execPath, script]);
    expect(stdout).toMatch(/^STATE_OPEN .*free space/);
  });

  it.skipIf(noLinux)(
    `whose disk was full once takes no more until it is opened anew (LEVEL-STORE-4)${skipped(noLinux)}`,
    async () => {
      // No file may grow beyond 300 KiB, as if the disk ended there; then it may again.
      const script = `
      const { openLevelStore } = await import(${JSON.stringify(join(ROOT, 'dist', 'state', 'level-store.js'))});
      const { execFileSync } = await import('node:child_process');
      const store = await openLevelStore(${JSON.stringify(folder)});
      const write = (key, bytes) =>
        store.write([{ key, value: Buffer.alloc(bytes, 1) }]).then(() => 'done', ({ reaction, code }) => reaction + ' ' + code);
      const ends = [await write('a', 200_000), await write('b', 200_000)];
      execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited']);
      ends.push(await write('c', 10), store.getSync('a').length);
      await store.close();
      console.log(JSON.stringify(ends));`;
      const limited = 'ulimit -S -f 300; exec "$0" --input-type=module -e "$1"';
      const { stdout } = await promisify(execFile)('bash', ['-c', limited, process.execPath, script]);
      expect(JSON.parse(stdout)).toEqual(['done', 'fatal STATE_WRITE', 'fatal STATE_WRITE', 200_000]);
      const again = await openLevelStore(folder);
      expect(['a', 'b', 'c'].map((key) => again.getSync(key)?.length)).toEqual([200_000, undefined, undefined]);
      await again.write([{ key: 'c', value: utf8('1') }]);
      await again.close();
    },
  );
});
