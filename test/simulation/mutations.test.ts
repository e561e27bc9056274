/** The simulation can fail: whichever rule of design.md §3 is broken, it finds a seed within bounds, by an invariant. */
import { expect, it } from 'vitest';
import { expectFound } from './expect-seeds.js';
import { jobNamed } from './jobs.js';
import { MUTATIONS } from './mutations.js';

const SEEDS_MAX = 400;
/** Some are found by one seed in a hundred. */
const TIMEOUT_MS = 300_000;

it.each(MUTATIONS)(
  'rule $rule: $what',
  (mutation) => expectFound(jobNamed(mutation.job), mutation, SEEDS_MAX),
  TIMEOUT_MS,
);

it('breaks every rule', () => {
  expect([...new Set(MUTATIONS.map(({ rule }) => rule))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
