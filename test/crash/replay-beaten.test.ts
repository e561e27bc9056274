/** kill -9 of the runtime, of its nats-server and of both at once, twenty times in one replay at moments that a seed draws: the same rows. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beaten, type Beating, countsIn, processesOn } from '../support/blows.js';
import { ended, type ReplayRun, resultRows, startReplay } from '../support/replay-process.js';
import { makeShop, RESULT_FILES } from '../support/shop-files.js';
import { skipped } from '../support/requirements.js';

const KILLS = 20;
/** Of an undisturbed run: with kills up to this far apart a job is done after more than twenty. */
const SHARE = 0.25;
const SEED = Number(process.env.RIVULET_CRASH_SEED ?? 20);
/** A set of one's own, e.g. a million rows: RIVULET_CRASH_INPUT=folder RIVULET_CRASH_POPULARITY=file npx vitest run test/crash/replay-beaten.test.ts */
const OWN = { input: process.env.RIVULET_CRASH_INPUT, popularity: process.env.RIVULET_CRASH_POPULARITY };
const noOwn = OWN.input === undefined ? 'RIVULET_CRASH_INPUT is not set' : undefined;

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-beaten-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const job = (name: string, input: string, popularity: string, extra: string[]): ReplayRun => ({
  ...{ input, popularity, extra, partitions: 3 },
  out: join(directory, `${name}-out`),
  dataDir: join(directory, `${name}-data`),
});

/** Runs it undisturbed, then with kills; both must count the same. */
async function both(name: string, input: string, popularity: string, extra: string[]) {
  const calm = job(`${name}-calm`, input, popularity, extra);
  const { code, stdout, stderr } = await ended(startReplay(calm));
  expect(code, stderr).toBe(0);
  const { seconds } = JSON.parse(stdout) as { seconds: number };
  // The undisturbed run may have been a slow one: a job that was done before its last kill is done anew, with kills closer together.
  for (let share = SHARE; ; share /= 2) {
    const run = job(`${name}-${share}`, input, popularity, extra);
    const beating = await beaten(run, { seed: SEED, kills: KILLS, afterMsMax: seconds * 1000 * share });
    tell(name, beating);
    expect(countsIn(beating.last.stdout)).toEqual(countsIn(stdout));
    expect(await processesOn(directory)).toEqual([]);
    if (beating.spared === 0) return { calm: calm.out, out: run.out };
  }
}

function tell(name: string, { kills, gaveUp, spared }: Beating): void {
  const restarts = gaveUp.length === 0 ? '' : `, gave up on its nats-server ${gaveUp.length} times`;
  console.log(`${name}: seed ${SEED}, killed ${JSON.stringify(kills)}${restarts}, ${spared} to spare`);
}

describe(`a replay killed ${KILLS} times`, () => {
  it('ends with the rows of the reference model', async () => {
    const shop = makeShop(directory, { seed: 11, epochs: 12, rows: 1_500 });
    const extra = ['--chunk-bytes', '4096', '--snapshot-every-seconds', '0.2'];
    const { out } = await both('shop', shop.input, shop.popularity, extra);
    for (const file of RESULT_FILES) expect(resultRows(out, file), file).toEqual(shop.expected[file]);
  }, 180_000);

  it.skipIf(noOwn)(
    `ends with the rows of an undisturbed run${skipped(noOwn)}`,
    async () => {
      const { calm, out } = await both('own', OWN.input!, OWN.popularity!, []);
      for (const file of RESULT_FILES) {
        expect(resultRows(out, file).join('\n') === resultRows(calm, file).join('\n'), file).toBe(true);
      }
    },
    900_000,
  );
});
