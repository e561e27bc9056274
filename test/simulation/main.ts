/**
 * `npm run simulate -- [--job all|NAME] [--seeds N] [--first N] [--seed N] [--lie NAME|none] [--trace]`: seeds by hand, as many as wanted. Exit 1 when one fails, with
 * the command that replays it. Of all jobs, those of the real pipeline run every fifth seed; more cores take more processes, with --first.
 */
import { parseArgs } from 'node:util';
import { type Lie, PER_RUN } from './faults.js';
import { JOBS, jobNamed } from './jobs.js';
import { runSeed, SimulationFailure } from './run-seed.js';

const FAILURES_MAX = 10;
const PROGRESS_EVERY_MS = 5_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    job: { type: 'string', default: 'all' },
    seeds: { type: 'string', default: '1000' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    lie: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});
const jobs = values.job === 'all' ? JOBS : [jobNamed(values.job)];
const first = Number(values.seed ?? values.first);
const count = values.seed === undefined ? Number(values.seeds) : 1;
if (!Number.isInteger(first) || !Number.isInteger(count)) throw new Error('seeds are whole numbers');

const lies = ['none', ...Object.keys(PER_RUN)] as const;
const lie = lies.find((one) => one === values.lie) as Lie | 'none' | undefined;
if (values.lie !== lie) throw new Error(`no lie ${values.lie}; there are ${lies.join(', ')}`);
const options = { ...(lie === undefined ? {} : { lie }), ...(values.trace ? { trace: say } : {}) };

const startedAt = performance.now();
const seconds = (): number => (performance.now() - startedAt) / 1000;
const endings = new Map<string, number>();
const failures: SimulationFailure[] = [];
let done = 0;
let saidAt = startedAt;

const summary = (): string => {
  const ends = [...endings].map(([ending, times]) => `${times} ${ending}`).join(', ');
  const rate = Math.round(done / seconds());
  return `${done} runs, ${failures.length} failed (${ends}), ${seconds().toFixed(1)} s, ${rate} runs/s`;
};

for (let seed = first; seed < first + count && failures.length < FAILURES_MAX; seed++) {
  for (const job of jobs) {
    if (jobs.length > 1 && seed % job.everySeeds !== 0) continue;
    try {
      const ending = await runSeed(job, seed, options);
      const name =
        ending.kind === 'refused'
          ? `refused ${ending.code}`
          : ending.world.counts.has('repair')
            ? 'equal after a repair'
            : 'equal';
      endings.set(name, (endings.get(name) ?? 0) + 1);
    } catch (error) {
      if (!(error instanceof SimulationFailure)) throw error;
      failures.push(error);
      say(error.message);
      if (values.trace) say((error.cause as Error).stack ?? '');
    }
    done++;
    if (performance.now() - saidAt < PROGRESS_EVERY_MS) continue;
    saidAt = performance.now();
    say(summary());
  }
}
say(summary());
process.exit(failures.length > 0 ? 1 : 0);
