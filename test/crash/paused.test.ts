/** SIGSTOP for longer than any timeout, then SIGCONT: a machine that slept, a virtual machine that was moved. The rows are the same. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awaited, countsIn, hasEnded, natsPid, natsStoreOf, pause, signal } from '../support/blows.js';
import { ended, resultRows, startReplay } from '../support/replay-process.js';
import { makeShop, RESULT_FILES, type Shop } from '../support/shop-files.js';

/** A publish waits 5 s for its answer, a reader 2 s for a heartbeat. */
const PAUSE_MS = 7_000;

let directory: string;
let shop: Shop;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-paused-'));
  shop = makeShop(directory, { seed: 5, epochs: 8, rows: 1_500 });
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

// Mostly asleep: they may sleep at the same time.
describe.concurrent('a replay that is stopped and continued', () => {
  it.each([
    { what: 'the runtime', node: true, nats: false, afterMs: 250 },
    { what: 'its nats-server', node: false, nats: true, afterMs: 350 },
    { what: 'both', node: true, nats: true, afterMs: 150 },
  ])(
    'ends with the same rows: $what',
    async ({ what, node, nats, afterMs }) => {
      const { input, popularity } = shop;
      const name = what.replaceAll(' ', '-');
      const run = {
        ...{ input, popularity, partitions: 2, extra: ['--chunk-bytes', '2048', '--snapshot-every-seconds', '0.2'] },
        out: join(directory, `${name}-out`),
        dataDir: join(directory, `${name}-data`),
      };
      const child = startReplay(run);
      const end = ended(child);
      const isOver = (): boolean => hasEnded(child);
      const server = await awaited(() => natsPid(natsStoreOf(run)), isOver);
      await pause(afterMs);
      expect(isOver()).toBe(false);
      const stopped = [...(node ? [child.pid!] : []), ...(nats ? [server!] : [])];
      for (const pid of stopped) signal(pid, 'SIGSTOP');
      await pause(PAUSE_MS);
      expect(isOver()).toBe(false);
      for (const pid of stopped) signal(pid, 'SIGCONT');
      const { code, stdout, stderr } = await end;
      expect(code, stderr).toBe(0);
      for (const file of RESULT_FILES) expect(resultRows(run.out, file), file).toEqual(shop.expected[file]);
      expect(countsIn(stdout)).toMatchObject({ events: shop.events, late: shop.expected['late.csv'].length });
    },
    90_000,
  );
});
