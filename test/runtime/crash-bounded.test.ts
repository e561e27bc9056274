/**
 * Crash at any moment (design rules 4 to 7), a bounded input with aligned epochs and a side input: whatever a seed does, every message of the
 * results is the one of a run without faults, epochs and ends included.
 */
import { expect, it } from 'vitest';
import { expectSame, faultless, seedsOf } from './crash-runs.js';
import { ROUGH } from './simulation.js';
import { boundedJob } from './simulated-jobs.js';

it('says what a run without faults says', { timeout: 600_000 }, () => expectSame(boundedJob, seedsOf(80)));

it('says the same with mailboxes that are full most of the time', { timeout: 600_000 }, () =>
  // With other owners or old snapshots about, nobody could trim.
  expectSame(boundedJob, seedsOf(40), { bytesMax: 2_500, rates: { ...ROUGH, zombie: 0, oldCopy: 0 } }),
);

it('has something to say', async () => {
  const subjects = (await faultless(boundedJob)) as Record<string, { rows: unknown[]; endsInput: boolean }[]>;
  expect(Object.keys(subjects)).toEqual(['rivulet.results.0.join.0', 'rivulet.results.1.join.1']);
  for (const messages of Object.values(subjects)) {
    expect(messages.filter(({ rows }) => rows.length > 0).length).toBeGreaterThan(2);
    expect(messages.at(-1)).toMatchObject({ rows: [], endsInput: true });
  }
});
