/** The simulation of clusters can fail: whichever rule is broken, it finds a seed within bounds, by an invariant. */
import { it } from 'vitest';
import { cluster } from './cluster-job.js';
import { CLUSTER_MUTATIONS } from './cluster-mutations.js';
import { expectFound } from './expect-seeds.js';

/** The rarest shows in one run of seventy: that none of these shows it happens to one suite of a thousand. */
const SEEDS_MAX = 500;

it.each(CLUSTER_MUTATIONS)('$rule: $what', { timeout: 240_000 }, ({ options, ...broken }) =>
  expectFound(cluster, { ...broken, options: { ...options, lie: 'none' } }, SEEDS_MAX),
);
