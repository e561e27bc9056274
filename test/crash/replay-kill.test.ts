/** A data directory with a replay that was killed is not for another job. What a killed replay ends with: replay-beaten.test.ts. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awaited, hasEnded } from '../support/blows.js';
import { ended, startReplay } from '../support/replay-process.js';
import { makeShop, type Shop } from '../support/shop-files.js';

let directory: string;
let shop: Shop;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-kill-'));
  shop = makeShop(directory, { seed: 7, epochs: 12, rows: 1_500 });
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('a killed replay', () => {
  it('refuses to mix in another job', async () => {
    const { input, popularity } = shop;
    const dataDir = join(directory, 'data-other');
    const first = startReplay({ input, popularity, out: join(directory, 'out-a'), dataDir });
    const firstEnd = ended(first);
    await awaited(
      () => existsSync(join(dataDir, 'replay', 'job.json')) || undefined,
      () => hasEnded(first),
    );
    first.kill('SIGKILL');
    await firstEnd;
    const { code, stderr } = await ended(
      startReplay({ input, popularity, out: join(directory, 'out-a'), dataDir, partitions: 5 }),
    );
    expect(code).not.toBe(0);
    expect(stderr).toContain('REPLAY_OTHER_JOB');
    expect(stderr).toContain('other than in this one: partitions');
    expect(stderr).toContain('--restart');
  });
});
