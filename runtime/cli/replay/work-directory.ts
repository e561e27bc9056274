/** The work directory of a replay: which job it belongs to, so that a killed one goes on and no other one is mixed in. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fatal } from '../../contract/errors.js';

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
  let earlier = readJob(file);
  if (earlier !== undefined && !earlier.finished && !restart && !isDeepStrictEqual(earlier.job, plain(job))) {
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
  mkdirSync(directory, { recursive: true });
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

function readJob(file: string): JobFile | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JobFile;
  } catch (error) {
    throw fatal('REPLAY_WORK_DIR', `${file} cannot be read`, { cause: error, hint: 'discard the work with --restart' });
  }
}
