/** A seed replays exactly, whatever ran before it: the trace is the same, event by event; and the command that is printed runs that seed. */
import { expect, it } from 'vitest';
import { JOBS } from './jobs.js';
import { runSeed, SimulationFailure } from './run-seed.js';

async function traceOf(job: (typeof JOBS)[number], seed: number): Promise<string[]> {
  const lines: string[] = [];
  await runSeed(job, seed, { trace: (line) => lines.push(line) });
  return lines;
}

it.each(JOBS)('$name', async (job) => {
  const trace = await traceOf(job, 7);
  expect(await traceOf(job, 8)).not.toEqual(trace);
  expect(await traceOf(job, 7)).toEqual(trace);
  expect(trace.length).toBeGreaterThan(100);
});

it('says how to see a failure again', async () => {
  const job = { ...JOBS[0]!, check: () => expect.unreachable('rows differ') };
  // Where nothing lies, nothing is refused before it is checked.
  const failure = await runSeed(job, 12, { lie: 'none' }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(SimulationFailure);
  expect((failure as Error).message).toContain('npm run simulate -- --job toy-live --seed 12 --lie none --trace');
});
