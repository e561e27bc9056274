/** The faults of the table do happen, and together: a simulation without them would prove nothing. */
import { expect, it } from 'vitest';
import { PER_STEP } from './faults.js';
import { runSeed } from './run-seed.js';
import { toyLive } from './toy-jobs.js';

it('happen within a few seeds, several in one', async () => {
  const happened = new Set<string>();
  let together = 0;
  for (let seed = 1; seed <= 25; seed++) {
    const ending = await runSeed(toyLive, seed, { lie: 'none' });
    if (ending.kind !== 'equal') throw new Error('nothing can be refused where nothing lies');
    for (const fault of ending.world.counts.keys()) happened.add(fault);
    together = Math.max(together, ending.world.counts.size);
  }
  expect([...happened].sort()).toEqual([...Object.keys(PER_STEP), 'fromCopy'].sort());
  expect(together).toBeGreaterThanOrEqual(4);
});
