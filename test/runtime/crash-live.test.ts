/**
 * Crash at any moment (design rules 4 to 7), publishers in: whatever a seed does to processes, log and disk, what comes out
 * is what comes out without faults. Each message is an epoch of its own; batches of publishers' messages differ from run to run.
 */
import { expect, it } from 'vitest';
import { expectSame, faultless, seedsOf } from './crash-runs.js';
import { ROUGH } from './simulation.js';
import { liveJob } from './simulated-jobs.js';

it('says what a run without faults says', { timeout: 600_000 }, () => expectSame(liveJob, seedsOf(80)));

it('says the same with mailboxes that are full most of the time', { timeout: 600_000 }, () =>
  // With other owners or old snapshots about, nobody could trim.
  expectSame(liveJob, seedsOf(40), { bytesMax: 2_500, rates: { ...ROUGH, zombie: 0, oldCopy: 0 } }),
);

it('has something to say', async () => {
  const items = (await faultless(liveJob)) as Record<string, unknown[]>;
  expect(items['u0.a']).toEqual([
    { item: 'u0.a', sum: 0, total: 0, times: 1 },
    { item: 'u0.a', sum: 18, total: 12, times: 2 },
    { item: 'u0.a', sum: 60, total: 36, times: 3 },
  ]);
  expect(Object.keys(items).length).toBeGreaterThan(10);
});
