/** kill -9 in the middle of a replay, again and again; what is resumed ends with the rows of a run without faults. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ended, resultRows, runReplay, startReplay } from '../support/replay-process.js';
import { makeShop, RESULT_FILES, type Shop } from '../support/shop-files.js';

let directory: string;
let shop: Shop;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-kill-'));
  shop = makeShop(directory, { seed: 7, epochs: 12, rows: 1_500 });
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Bytes that the sink has written so far: how far the job has come, as seen from outside. */
const written = (out: string): number => {
  const file = join(out, 'recommendations.csv');
  return existsSync(file) ? readFileSync(file).length : 0;
};

async function reached(condition: () => boolean, ended: () => boolean): Promise<void> {
  while (!condition() && !ended()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a killed replay', () => {
  it('goes on where it was, to the same rows', async () => {
    const { input, popularity } = shop;
    const job = { input, popularity, out: join(directory, 'out'), dataDir: join(directory, 'data'), partitions: 3 };
    const extra = ['--chunk-bytes', '8192', '--snapshot-every-seconds', '0.2'];
    let kills = 0;
    for (const share of [0.05, 0.3, 0.5, 0.8]) {
      const goal = shop.expected['recommendations.csv'].join('\n').length * share;
      const child = startReplay({ ...job, extra });
      const end = ended(child);
      await reached(
        () => written(job.out) >= goal,
        () => child.exitCode !== null,
      );
      if (child.exitCode === null && child.kill('SIGKILL')) kills++;
      await end;
    }
    await runReplay({ ...job, extra });
    expect(kills).toBeGreaterThan(0);
    for (const file of RESULT_FILES) expect(resultRows(job.out, file), file).toEqual(shop.expected[file]);
    const left = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(directory));
    expect(left).toEqual([]);
  }, 180_000);

  it('refuses to mix in another job', async () => {
    const { input, popularity } = shop;
    const dataDir = join(directory, 'data-other');
    const first = startReplay({ input, popularity, out: join(directory, 'out-a'), dataDir });
    const firstEnd = ended(first);
    await reached(
      () => existsSync(join(dataDir, 'replay', 'job.json')),
      () => first.exitCode !== null,
    );
    first.kill('SIGKILL');
    await firstEnd;
    const { code, stderr } = await ended(
      startReplay({ input, popularity, out: join(directory, 'out-a'), dataDir, partitions: 5 }),
    );
    expect(code).not.toBe(0);
    expect(stderr).toContain('REPLAY_OTHER_JOB');
    expect(stderr).toContain('--restart');
  });
});
