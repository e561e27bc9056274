/** One seed of one job: how it ended, and how to see that again. */
import type { Job, RunOptions, SimulatedRun } from './job.js';
import { Refused } from './world.js';

export type Ending =
  { readonly kind: 'equal'; readonly world: SimulatedRun } | { readonly kind: 'refused'; readonly code: string };

/** The one command that replays a seed exactly. */
export const replayCommand = (job: string, seed: number, lie?: string): string =>
  `npm run simulate -- --job ${job} --seed ${seed}${lie === undefined ? '' : ` --lie ${lie}`}`;

export class SimulationFailure extends Error {
  constructor(
    readonly job: string,
    readonly seed: number,
    override readonly cause: unknown,
    lie?: string,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`seed ${seed} of ${job}: ${reason}\n  ${replayCommand(job, seed, lie)} --trace`, { cause });
  }
}

/** Throws a SimulationFailure when the seed does not end as it must. */
export async function runSeed<W extends SimulatedRun>(
  job: Job<W>,
  seed: number,
  options: Omit<RunOptions, 'seed'> = {},
): Promise<Ending> {
  const expected = await job.reference();
  try {
    const world = await job.run({ ...options, seed });
    job.check(world, expected);
    return { kind: 'equal', world };
  } catch (error) {
    if (error instanceof Refused) return { kind: 'refused', code: error.reason.code };
    throw new SimulationFailure(job.name, seed, error, options.lie);
  }
}
