/** `rivulet state` as people run it, on the data directory that is checked in (format 1, opened by this build). */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openLevelStore } from '../../state/level-store.js';
import { type Ended, runCli, workingDirectory } from './run-cli.js';

const FIXTURE = join(import.meta.dirname, '..', 'state', 'fixtures', 'format-1');
const { cwd, remove } = workingDirectory();
afterAll(remove);

let dataDir: string;
let copies = 0;
beforeEach(() => {
  dataDir = `data-${++copies}`;
  cpSync(FIXTURE, join(cwd, dataDir), { recursive: true });
});

const rivulet = (...args: string[]): Promise<Ended> => runCli(cwd, [...args, '--data-dir', dataDir]);
const json = async (...args: string[]): Promise<never> =>
  JSON.parse((await rivulet(...args, '--json')).stdout) as never;

function flip(store: string, ending: string, at: number): void {
  const folder = join(cwd, dataDir, 'state', store);
  const file = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(ending))!,
  );
  const bytes = readFileSync(file);
  bytes[at]! ^= 4;
  writeFileSync(file, bytes);
}

describe('ls', () => {
  it('lists entries with what they hold, of the stage, state and prefix that are requested', async () => {
    const all = await rivulet('state', 'ls', '--stage', 'recommendations', '--state', 'lists', '--limit', '2');
    expect([all.code, all.stderr]).toEqual([0, '']);
    expect(all.stdout).toMatch(/^ENTRY +BYTES +CONTENT\nrecommendations\/0\/lists\/user-00 +\d+ /);
    expect(all.stdout).toContain('There are more');
    const some: { key: string }[] = await json(
      ...['state', 'ls', '--stage', 'recommendations', '--partition', '0', '--state', 'lists', '--prefix', 'user-1'],
    );
    expect(some.map(({ key }) => key)).toEqual(Array.from({ length: 10 }, (_, n) => `user-1${n}`));
    const heads: { stage: string; value: { format: number } }[] = await json('state', 'ls', '--state', '$head');
    expect(heads.map(({ stage }) => stage).sort()).toEqual([
      ...['fallback', 'interest-ranking', 'parse', 'popularity', 'popularity-join'],
      ...['recommendations', 'watermark', 'window'],
    ]);
    expect(heads.every(({ value }) => value.format === 2)).toBe(true);
  });

  it('knows which stages there are', async () => {
    const none = await rivulet('state', 'ls', '--stage', 'nope');
    expect([none.code, none.stdout, none.stderr]).toEqual([
      2,
      '',
      expect.stringMatching(/^error: there is no stage nope \[USAGE\]\nhint: the stages are .*\bwindow\b/),
    ]);
    // There is this one, and it has written nothing yet.
    const trending = await rivulet('state', 'ls', '--stage', 'trending');
    expect([trending.code, trending.stdout]).toEqual([0, 'No such entries.\n']);
  });

  it('leaves out what stores note for themselves', async () => {
    const store = await openLevelStore(join(cwd, dataDir, 'state', 'source-0'));
    await store.write([{ key: '$copied', value: Buffer.from('{}') }]);
    await store.close();
    const all: { stage: string; partition: string }[] = await json('state', 'ls', '--limit', '100000');
    expect(all.filter(({ stage, partition }) => stage === '$copied' || !/^\d+$/.test(partition))).toEqual([]);
  });

  it('says that there is nothing, and where there is no state at all', async () => {
    expect((await rivulet('state', 'ls', '--state', 'none')).stdout).toBe('No such entries.\n');
    const none = await runCli(cwd, ['state', 'ls', '--data-dir', 'nowhere']);
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining('[DATA_DIR_EMPTY]')]);
  });
});

describe('get', () => {
  it('shows JSON as it is, tables as rows, and anything else as bytes', async () => {
    expect(await json('state', 'get', 'parse/0/$counters')).toMatchObject({
      ...{ store: 'source-0', stage: 'parse', state: '$counters', key: '', value: { events: 600, dead_letter: 0 } },
    });
    const table = await rivulet('state', 'get', 'popularity/0/items/0/0');
    expect(table.stdout).toMatch(/25 rows of item-total\n\npurchases +category/);
    const bytes = await rivulet('state', 'get', 'recommendations/0/lists/user-07');
    expect(bytes.stdout).toContain('home');
  });

  it('says when there is no such entry, and what an entry is called', async () => {
    const missing = await rivulet('state', 'get', 'parse/0/seen/nobody');
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('[STATE_ENTRY_MISSING]')]);
    const wrong = await rivulet('state', 'get', 'parse');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('STAGE/PARTITION/STATE/KEY')]);
  });
});

describe('verify', () => {
  it('finds nothing in sound state, of either format', async () => {
    const old = await rivulet('state', 'verify');
    expect([old.code, old.stdout]).toEqual([0, expect.stringContaining('of an older format')]);
    await rivulet('state', 'ls');
    const { code, stdout } = await rivulet('state', 'verify');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/recommendations\.0 .* sound\n[^]*4 stores are sound\./)]);
    expect(stdout).toContain('The log was not looked at');
  });

  it('names what is damaged: exit code 1', async () => {
    flip('view-0', '.ldb', 300);
    flip('source-0', '.log', 20);
    const { code, stdout } = await rivulet('state', 'verify');
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/view-0: \d+\.ldb: the block at 0 is not what was written/),
    ]);
    expect(stdout).toContain('rivulet repair');
    const found: { sound: boolean; stores: { store: string; problems: string[] }[] } = await json('state', 'verify');
    expect(found.sound).toBe(false);
    expect(found.stores.find(({ store }) => store === 'user-0')!.problems).toEqual([]);
  });

  it('names a head that does not fit the deployment', async () => {
    const file = join(cwd, dataDir, 'deployment.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"partitions": 1', '"partitions": 4'));
    const { code, stdout } = await rivulet('state', 'verify');
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining(
        'the snapshot of window.0 does not fit the deployment: expected 4 partitions, but it is one of 1',
      ),
    ]);
  });

  it('says that a node runs on it: exit code 3', async () => {
    const store = await openLevelStore(join(cwd, dataDir, 'state', 'user-0'));
    try {
      for (const command of ['ls', 'verify']) {
        const { code, stderr } = await rivulet('state', command);
        expect([code, stderr]).toEqual([
          3,
          expect.stringMatching(/in use.*\[DATA_DIR_LOCKED\]\nhint: another rivulet/),
        ]);
      }
    } finally {
      await store.close();
    }
  });
});
