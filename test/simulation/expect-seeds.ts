/** Seeds as a test: each must end as it must; more of them by RIVULET_SEEDS, from RIVULET_SEED_FIRST on. */
import type { Job } from './job.js';
import { runSeed } from './run-seed.js';
import type { WorldOptions } from './world.js';

export async function expectSeeds(job: Job, count: number, options: Omit<WorldOptions, 'seed'> = {}): Promise<void> {
  const first = Number(process.env.RIVULET_SEED_FIRST ?? 1);
  const last = first + Number(process.env.RIVULET_SEEDS ?? count);
  for (let seed = first; seed < last; seed++) await runSeed(job, seed, options);
}
