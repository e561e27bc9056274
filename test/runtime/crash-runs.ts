/** Seeds of a simulated job, compared with the run without faults. */
import { expect } from 'vitest';
import { QUIET, ROUGH, Simulation, type SimulationOptions } from './simulation.js';
import type { Job } from './simulated-jobs.js';

/** How many seeds a test tries; more by RIVULET_SEEDS, from RIVULET_SEED_FIRST on. */
export const seedsOf = (usual: number): number[] => {
  const first = Number(process.env.RIVULET_SEED_FIRST ?? 1);
  return Array.from({ length: Number(process.env.RIVULET_SEEDS ?? usual) }, (_, i) => first + i);
};

export type Changes = Partial<Omit<SimulationOptions, 'topology' | 'seed' | 'feed'>>;

export async function outcomeOf(job: Job, seed: number, changes: Changes = {}): Promise<unknown> {
  const options = { topology: job.topology(), seed, rates: ROUGH, steps: 700, feed: job.feed, ...changes };
  return job.outcome(await Simulation.run(options));
}

export const faultless = (job: Job): Promise<unknown> => outcomeOf(job, 0, { rates: QUIET });

export async function expectSame(job: Job, seeds: readonly number[], changes: Changes = {}): Promise<void> {
  const expected = await faultless(job);
  for (const seed of seeds) expect(await outcomeOf(job, seed, changes), `seed ${seed}`).toEqual(expected);
}

/** The first of the seeds that does not say what the run without faults says, or does not end. */
export async function firstFailure(job: Job, seeds: readonly number[], changes: Changes): Promise<number | undefined> {
  const expected = await faultless(job);
  for (const seed of seeds) {
    try {
      expect(await outcomeOf(job, seed, changes)).toEqual(expected);
    } catch {
      return seed;
    }
  }
  return undefined;
}
