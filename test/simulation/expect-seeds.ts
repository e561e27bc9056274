/** Seeds as a test: each must end as it must; more of them by RIVULET_SEEDS, from RIVULET_SEED_FIRST on. */
import type { Job, RunOptions, SimulatedRun } from './job.js';
import { runSeed } from './run-seed.js';

export async function expectSeeds<W extends SimulatedRun>(
  job: Job<W>,
  count: number,
  options: Omit<RunOptions, 'seed'> = {},
): Promise<void> {
  const first = Number(process.env.RIVULET_SEED_FIRST ?? 1);
  const last = first + Number(process.env.RIVULET_SEEDS ?? count);
  for (let seed = first; seed < last; seed++) await runSeed(job, seed, options);
}
