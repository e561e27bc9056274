/** The real pipeline on bounded input: the rows of the reference model, whatever a seed does. */
import { expect, it } from 'vitest';
import { bounded, boundedChained } from './bounded-job.js';
import { expectSeeds } from './expect-seeds.js';

it('ends as it must, or is refused where the log lies', { timeout: 180_000 }, () => expectSeeds(bounded, 90));

it('ends so with stages that run as one', { timeout: 180_000 }, () => expectSeeds(boundedChained, 90));

it('has something to say', async () => {
  const expected = (await bounded.reference()) as Record<string, readonly string[]>;
  for (const rows of Object.values(expected)) expect(rows.length).toBeGreaterThan(1);
  expect(expected['recommendations.csv']!.some((row) => row.endsWith('fallback'))).toBe(true);
});
