/** The jobs of the simulation, by name. */
import type { Job } from './job.js';
import { bounded } from './bounded-job.js';
import { live } from './live-job.js';
import { toyBounded, toyLive } from './toy-jobs.js';

export const JOBS: readonly Job[] = [toyLive, toyBounded, live, bounded];

export function jobNamed(name: string): Job {
  const job = JOBS.find((one) => one.name === name);
  if (job === undefined) throw new Error(`no job ${name}; there are ${JOBS.map((one) => one.name).join(', ')}`);
  return job;
}
