/** Counters of all instances of a stage together. */
import type { Counters } from '../../runtime/actor/instance.js';
import type { SimulatedRun } from './job.js';

export function totalsOf(world: SimulatedRun, stage: string): Counters {
  const sum = { events: 0, on_time: 0, late: 0, dead_letter: 0, duplicates: 0 };
  for (const life of world.lives) {
    if (life.stage !== stage) continue;
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += life.status.counters[name];
  }
  return sum;
}
