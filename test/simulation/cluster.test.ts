/** Nodes that share shards, with all that a seed does to them: what comes out is right, and in the end one node that had nothing goes on alone. */
import { expect, it } from 'vitest';
import { CLUSTER_PER_STEP } from './cluster-faults.js';
import { cluster } from './cluster-job.js';
import { expectSeeds } from './expect-seeds.js';
import { runSeed } from './run-seed.js';

it('ends as without faults, or is refused where a copy is damaged', { timeout: 180_000 }, () =>
  expectSeeds(cluster, 40),
);

it('has its faults, several in one run', async () => {
  const happened = new Set<string>();
  for (let seed = 1; seed <= 12; seed++) {
    const ending = await runSeed(cluster, seed, { lie: 'none' });
    if (ending.kind !== 'equal') throw new Error('nothing can be refused where nothing lies');
    for (const fault of ending.world.counts.keys()) happened.add(fault);
  }
  expect([...happened].sort()).toEqual([...Object.keys(CLUSTER_PER_STEP), 'emptyDisk', 'oldDisk'].sort());
});
