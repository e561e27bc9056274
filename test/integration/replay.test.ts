/** The bounded job from the outside: rows equal the reference model's at any partition count and frame size; Spark's, where they are at hand. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ended, resultRows, runReplay, startReplay } from '../support/replay-process.js';
import { makeShop, RESULT_FILES, type Shop, withCatalogue } from '../support/shop-files.js';
import { noParity, PARITY } from '../support/parity-files.js';
import { skipped } from '../support/requirements.js';

const CUTS = [
  { partitions: 1, chunkBytes: 524_288 },
  { partitions: 3, chunkBytes: 20_000 },
  { partitions: 8, chunkBytes: 3_333 },
];

let directory: string;
let shop: Shop;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-replay-'));
  shop = makeShop(directory);
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** A job over a folder of its own, to which epochs of the shop are added. */
function growing(name: string) {
  const [input, out, dataDir] = [
    join(directory, name),
    join(directory, `out-${name}`),
    join(directory, `data-${name}`),
  ];
  mkdirSync(input);
  const epochs = readdirSync(shop.input).sort();
  const put = (file: string, epoch: number): void => copyFileSync(join(shop.input, epochs[epoch]!), join(input, file));
  const extra = ['--chunk-bytes', '20000'];
  return { run: { input, popularity: shop.popularity, out, dataDir, partitions: 2, extra }, put };
}

function isFinished({ dataDir }: { readonly dataDir: string }): boolean {
  const { finished } = JSON.parse(readFileSync(join(dataDir, 'replay', 'job.json'), 'utf8')) as { finished: boolean };
  return finished;
}

describe('rivulet replay', () => {
  it.each(CUTS)(
    'gives the reference rows at $partitions partitions, pieces of $chunkBytes bytes',
    async (cut) => {
      const { partitions, chunkBytes } = cut;
      const out = join(directory, `out-${partitions}`);
      const dataDir = join(directory, `data-${partitions}`);
      const { input, popularity } = shop;
      const summary = await runReplay({
        input,
        popularity,
        out,
        dataDir,
        partitions,
        extra: ['--chunk-bytes', String(chunkBytes)],
      });
      for (const file of RESULT_FILES) expect(resultRows(out, file), file).toEqual(shop.expected[file]);
      expect(summary).toMatchObject({
        events: shop.events,
        late: shop.expected['late.csv'].length,
        dead_letter: 0,
        duplicates: 0,
        epochs: 5,
      });
      expect(summary.on_time! + summary.late!).toBe(shop.events);
    },
    120_000,
  );

  it('goes on with what is new in a folder that has grown, to the rows of one replay over all', async () => {
    const { run, put } = growing('grown');
    const { input, out } = run;
    put('m.csv', 0);
    put('n.csv', 1);
    expect(await runReplay(run)).toMatchObject({ epochs: 2 });
    // Names before those that are done, and a kill on the way.
    put('a.csv', 2);
    put('z.csv', 3);
    const killed = startReplay(run);
    const end = ended(killed);
    await eventually(() => expect(killed.exitCode === null && isFinished(run)).toBe(false));
    killed.kill('SIGKILL');
    await end;
    expect(await runReplay(run)).toMatchObject({ epochs: 4 });
    rmSync(join(input, 'm.csv'));
    put('b.csv', 4);
    const summary = await runReplay(run);
    for (const file of RESULT_FILES) expect(resultRows(out, file), file).toEqual(shop.expected[file]);
    const late = shop.expected['late.csv'].length;
    expect(summary).toMatchObject({ events: shop.events, late, epochs: 5, dead_letter: 0, duplicates: 0 });
    // Nothing is new: nothing changes.
    const again = await ended(startReplay(run));
    expect(again.stderr).toContain('no files are new since this job was finished');
    expect(JSON.parse(again.stdout)).toMatchObject({ events: shop.events, epochs: 5 });
    for (const file of RESULT_FILES) expect(resultRows(out, file), file).toEqual(shop.expected[file]);
    writeFileSync(join(input, 'n.csv'), 'other');
    const changed = await ended(startReplay(run));
    expect(changed.code).not.toBe(0);
    expect(changed.stderr).toMatch(/n\.csv was read to its end at \d+ bytes, and has 5 now/);
  }, 240_000);

  it('is as finished as it was, where what is new cannot be read and is taken away', async () => {
    const { run, put } = growing('mistaken');
    put('a.csv', 0);
    put('b.csv', 1);
    await runReplay(run);
    const rows = RESULT_FILES.map((file) => readFileSync(join(run.out, file), 'utf8'));
    writeFileSync(join(run.input, 'c.csv'), 'no,such,columns\n1,2,3\n');
    const refused = await ended(startReplay(run));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/c\.csv/);
    rmSync(join(run.input, 'c.csv'));
    expect(await runReplay(run)).toMatchObject({ epochs: 2 });
    expect(RESULT_FILES.map((file) => readFileSync(join(run.out, file), 'utf8'))).toEqual(rows);
    put('c.csv', 2);
    expect(await runReplay(run)).toMatchObject({ epochs: 3 });
  }, 120_000);

  it('does not go on without its results, and names --restart', async () => {
    const { run, put } = growing('moved');
    put('a.csv', 0);
    await runReplay(run);
    renameSync(run.out, `${run.out}-of-before`);
    put('b.csv', 1);
    const refused = await ended(startReplay(run));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/is gone.*put the file back as it was.*--restart does the job anew/s);
    expect(isFinished(run)).toBe(true);
    expect(await runReplay({ ...run, extra: [...run.extra, '--restart'] })).toMatchObject({ epochs: 2 });
  }, 120_000);

  it('--timestamps adds to each row the latest event time up to the end of its epoch', async () => {
    const [out, dataDir] = [join(directory, 'out-timed'), join(directory, 'data-timed')];
    const { input, popularity } = shop;
    await runReplay({
      input,
      popularity,
      out,
      dataDir,
      partitions: 3,
      extra: ['--chunk-bytes', '20000', '--timestamps'],
    });
    let latest = '';
    const asOf = readdirSync(input).map((file) => {
      const times = readFileSync(join(input, file), 'utf8').trimEnd().split('\n').slice(1);
      latest = [latest, ...times.map((row) => row.split(',')[0]!)].sort().at(-1)!;
      return `${latest.replace(' ', 'T').replace(' UTC', '')}.000Z`;
    });
    expect(new Set(asOf).size).toBe(5);
    const timed = (rows: readonly string[]): string[] => rows.map((row) => `${row},${asOf[Number(row.split(',')[0])]}`);
    for (const file of ['recommendations.csv', 'user_interactions.csv'] as const) {
      expect(resultRows(out, file), file).toEqual(timed(shop.expected[file]).sort());
      expect(readFileSync(join(out, file), 'utf8')).toMatch(/^epoch,.*,as_of\n/);
    }
    for (const file of ['late.csv', 'trending_1h.csv', 'trending_24h.csv'] as const)
      expect(resultRows(out, file), file).toEqual(shop.expected[file]);
  }, 120_000);

  it('gives the same rows when categories are in a catalogue, and not in the events', async () => {
    const names = readdirSync(shop.input);
    const { files, items } = withCatalogue(names.map((name) => readFileSync(join(shop.input, name), 'utf8')));
    const input = join(directory, 'without-categories');
    mkdirSync(input);
    names.forEach((name, i) => writeFileSync(join(input, name), files[i]!));
    const catalogue = join(directory, 'items.csv');
    const rows = [...items].map(([item, category]) => `${item},${category},"A title, of ${item}"`);
    writeFileSync(catalogue, ['movieId,genres,title', ...rows, ''].join('\n'));
    const [out, dataDir] = [join(directory, 'out-catalogue'), join(directory, 'data-catalogue')];
    const { popularity } = shop;
    await runReplay({ input, popularity, out, dataDir, partitions: 3, extra: ['--items', catalogue] });
    for (const file of RESULT_FILES) expect(resultRows(out, file), file).toEqual(shop.expected[file]);
  }, 120_000);

  it('refuses a catalogue that it cannot read, with the line', async () => {
    const catalogue = join(directory, 'broken.jsonl');
    writeFileSync(catalogue, '{"item_id":"1","genres":"a|b"}\n{"item_id":"2","price":-1}\n');
    const [out, dataDir] = [join(directory, 'out-broken'), join(directory, 'data-broken')];
    const run = startReplay({ ...shop, out, dataDir, extra: ['--items', catalogue] });
    const { code, stderr } = await ended(run);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/broken\.jsonl, line 2: price is -1: send 0 or more/)]);
  }, 60_000);

  it.skipIf(noParity)(
    `gives Spark's rows (../shared/parity)${skipped(noParity)}`,
    async () => {
      const out = join(directory, 'parity');
      await runReplay({
        input: join(PARITY, 'input'),
        popularity: join(PARITY, 'popularity.csv'),
        out,
        dataDir: join(directory, 'parity-data'),
        partitions: 3,
        extra: ['--chunk-bytes', '20000'],
      });
      const compare = [join(PARITY, 'compare.py'), join(PARITY, 'expected'), out, ...RESULT_FILES];
      expect(execFileSync('python3', compare, { encoding: 'utf8' })).toBe('');
    },
    120_000,
  );
});
