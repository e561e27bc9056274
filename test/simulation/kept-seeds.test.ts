/** Seeds that once failed. */
import { expect, it } from 'vitest';
import { jobNamed } from './jobs.js';
import { KEPT_SEEDS } from './kept-seeds.js';
import { runSeed } from './run-seed.js';

it.each(KEPT_SEEDS)('$job $seed: $reason', async ({ job, seed, lie }) => {
  const ending = await runSeed(jobNamed(job), seed, lie === undefined ? {} : { lie });
  expect(['equal', 'refused']).toContain(ending.kind);
});
