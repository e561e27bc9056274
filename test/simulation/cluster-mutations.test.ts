/** The simulation of clusters can fail: whichever rule is broken, it finds a seed within bounds. */
import { expect, it } from 'vitest';
import { cluster } from './cluster-job.js';
import { CLUSTER_MUTATIONS, type ClusterMutation } from './cluster-mutations.js';
import { runSeed } from './run-seed.js';

/** The rarest shows in one run of seventy: that none of these shows it happens to one suite of a thousand. */
const SEEDS_MAX = 500;

async function foundBy({ options = {}, breaks }: ClusterMutation): Promise<number | undefined> {
  await cluster.reference();
  const mend = breaks?.();
  try {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      try {
        await runSeed(cluster, seed, { ...options, lie: 'none' });
      } catch {
        return seed;
      }
    }
    return undefined;
  } finally {
    mend?.();
  }
}

it.each(CLUSTER_MUTATIONS)('$rule: $what', { timeout: 240_000 }, async (mutation) => {
  expect(await foundBy(mutation)).toBeDefined();
});
