/** The jobs of the simulation, by name. */
import { cluster } from './cluster-job.js';
import type { Job, SimulatedRun } from './job.js';
import { bounded, boundedChained } from './bounded-job.js';
import { live, liveChained, liveHopping, liveInterval, livePast, liveSession } from './live-job.js';
import { toyBounded, toyLive } from './toy-jobs.js';

export type AnyJob = Job<SimulatedRun>;

export const JOBS: readonly AnyJob[] = [
  toyLive,
  toyBounded,
  cluster,
  live,
  liveInterval,
  liveHopping,
  liveSession,
  livePast,
  liveChained,
  bounded,
  boundedChained,
];

export function jobNamed(name: string): AnyJob {
  const job = JOBS.find((one) => one.name === name);
  if (job === undefined) throw new Error(`no job ${name}; there are ${JOBS.map((one) => one.name).join(', ')}`);
  return job;
}
