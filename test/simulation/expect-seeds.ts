/**
 * Seeds as a test: each must end as it must. `npm test` tries a quarter of them, `npm run test:all` and CI all; SIMULATION_SEED_FIRST asks for
 * others, SIMULATION_SEEDS for another number, or all.
 */
import type { Job, RunOptions, SimulatedRun } from './job.js';
import { runSeed } from './run-seed.js';

const { SIMULATION_SEEDS: SEEDS = '', SIMULATION_SEED_FIRST: FIRST = '1' } = process.env;
const SHARE = SEEDS === 'all' ? 1 : 1 / 4;

export async function expectSeeds<W extends SimulatedRun>(
  job: Job<W>,
  count: number,
  options: Omit<RunOptions, 'seed'> = {},
): Promise<void> {
  const first = Number(FIRST);
  const last = first + (Number(SEEDS) || Math.ceil(count * SHARE));
  for (let seed = first; seed < last; seed++) await runSeed(job, seed, options);
}
