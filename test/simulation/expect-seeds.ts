/**
 * Seeds as a test: each must end as it must, and with a rule broken one must not. `npm test` tries a quarter of them, `npm run test:all` and CI all; SIMULATION_SEED_FIRST asks for
 * others, SIMULATION_SEEDS for another number, or all.
 */
import { expect } from 'vitest';
import type { Job, RunOptions, SimulatedRun } from './job.js';
import { runSeed, SimulationFailure } from './run-seed.js';
import { isViolation } from './violation.js';

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

export interface Broken {
  readonly options?: Omit<RunOptions, 'seed'>;
  readonly wraps?: object;
  readonly breaks?: () => () => void;
}

/** A seed within bounds shows that the rule is broken, by an invariant and by nothing else; with the rule whole the same seed passes. */
export async function expectFound<W extends SimulatedRun>(
  job: Job<W>,
  { options = {}, wraps, breaks }: Broken,
  seedsMax: number,
): Promise<void> {
  await job.reference();
  const mend = breaks?.();
  let failure: SimulationFailure | undefined;
  try {
    for (let seed = 1; seed <= seedsMax && failure === undefined; seed++) {
      await runSeed(job, seed, { ...options, ...wraps }).catch((error: unknown) => {
        if (!(error instanceof SimulationFailure)) throw error;
        failure = error;
      });
    }
  } finally {
    mend?.();
  }
  expect(failure).toBeDefined();
  expect(failure!.cause).toSatisfy(isViolation);
  await runSeed(job, failure!.seed, options);
}
