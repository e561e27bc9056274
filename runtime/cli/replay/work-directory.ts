/** The work directory of a replay: which job it belongs to, so that a killed one goes on and no other one is mixed in. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fatal } from '../../contract/errors.js';
import { hasFields, isText, storedJson } from '../../contract/stored-json.js';

export interface Job {
  readonly input: string;
  readonly popularity: string;
  readonly out: string;
  readonly pipeline: unknown;
}

interface JobFile {
  readonly job: Job;
  readonly finished: boolean;
  /** Seconds that earlier runs of this job took. */
  readonly seconds: number;
}

export interface Work {
  readonly directory: string;
  readonly resumed: boolean;
  readonly earlierSeconds: number;
  /** Records how far it got. */
  mark(finished: boolean, seconds: number): void;
  /** Forgets the job: nothing of it was taken in. */
  discard(): void;
}

export function openWork(dataDir: string, job: Job, restart: boolean): Work {
  const directory = resolve(dataDir, 'replay');
  const file = join(directory, 'job.json');
  let earlier = restart ? undefined : readJob(file);
  if (earlier !== undefined && !earlier.finished && !isDeepStrictEqual(earlier.job, plain(job))) {
    throw fatal(
      'REPLAY_OTHER_JOB',
      `${directory} holds an unfinished replay of ${earlier.job.input} with other options`,
      {
        hint: 'finish that one, discard it with --restart, or give this one its own --data-dir',
      },
    );
  }
  if (earlier === undefined || earlier.finished || restart) {
    if (existsSync(directory) && earlier === undefined && !restart) {
      throw fatal('REPLAY_WORK_DIR', `${directory} exists and holds no replay`, { hint: 'give another --data-dir' });
    }
    rmSync(directory, { recursive: true, force: true });
    earlier = undefined;
  }
  // What is known of users is in there; the results beside it are for whom the umask of the caller says.
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const earlierSeconds = earlier?.seconds ?? 0;
  const mark = (finished: boolean, seconds: number): void => {
    const content: JobFile = { job, finished, seconds: earlierSeconds + seconds };
    writeFileSync(`${file}.new`, JSON.stringify(content, undefined, 2));
    renameSync(`${file}.new`, file);
  };
  mark(false, 0);
  const discard = (): void => {
    rmSync(directory, { recursive: true, force: true });
  };
  return { directory, resumed: earlier !== undefined, earlierSeconds, mark, discard };
}

const plain = (job: Job): unknown => JSON.parse(JSON.stringify(job)) as unknown;

const isJobFile = hasFields({
  job: hasFields({ input: isText }),
  finished: (value) => typeof value === 'boolean',
  seconds: Number.isFinite,
});

function readJob(file: string): JobFile | undefined {
  if (!existsSync(file)) return undefined;
  const found = storedJson<JobFile>(readFileSync(file, 'utf8'), isJobFile);
  if (found !== undefined) return found;
  throw fatal('REPLAY_WORK_DIR', `${file} is damaged`, { hint: 'discard the work with --restart' });
}
