/** Publishers in, each message an epoch of its own: whatever a seed does to processes, log, disk and clocks, what comes out is right. */
import { expect, it } from 'vitest';
import { expectSeeds } from './expect-seeds.js';
import { toyLive } from './toy-jobs.js';

it('ends as without faults, or is refused where the log lies', { timeout: 180_000 }, () => expectSeeds(toyLive, 300));

it('has something to say', async () => {
  const items = (await toyLive.reference()) as Record<string, unknown[]>;
  expect(items['u0.a']).toEqual([
    { item: 'u0.a', sum: 0, total: 0, times: 1 },
    { item: 'u0.a', sum: 18, total: 12, times: 2 },
    { item: 'u0.a', sum: 60, total: 36, times: 3 },
  ]);
  expect(Object.keys(items).length).toBeGreaterThan(10);
});
