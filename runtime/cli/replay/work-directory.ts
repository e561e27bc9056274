/**
 * The work directory of a replay: it records which job it belongs to, so that a killed job resumes and no other job is mixed in. A job that has finished
 * can go on, where its folder has grown.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fatal } from '../../contract/errors.js';
import { hasFields, isCount, isFlag, isText, optional, storedJson } from '../../contract/stored-json.js';

export interface Job {
  readonly input: string;
  readonly popularity: string;
  readonly items?: string;
  /** SHA-256 of the tables: with others, all rows would be others. */
  readonly tables: readonly string[];
  readonly out: string;
  readonly pipeline: unknown;
  /** Absent: false. */
  readonly timestamps?: true;
}

interface JobFile {
  readonly job: Job;
  /** Whether it is; one that goes on is not. */
  readonly finished: boolean;
  /** Epochs of the job when it was last finished; absent: never. */
  readonly epochs?: number | undefined;
  /** Seconds taken by earlier runs of this job. */
  readonly seconds: number;
}

export interface Work {
  readonly directory: string;
  readonly resumed: boolean;
  /** Epochs of the job when it was last finished. Whether it has gone on since, the log says. */
  readonly finishedEpochs: number | undefined;
  readonly earlierSeconds: number;
  /** Records the progress; `epochs`: it has finished, with so many. */
  mark(seconds: number, epochs?: number): void;
  /** Discards the job: none of its input was processed. */
  discard(): void;
}

export function openWork(dataDir: string, job: Job, restart: boolean): Work {
  const directory = resolve(dataDir, 'replay');
  const file = join(directory, 'job.json');
  let earlier = restart ? undefined : readJob(file);
  const others = earlier === undefined ? [] : differences(earlier.job, plain(job));
  const isSame = earlier !== undefined && others.length === 0;
  if (earlier !== undefined && !earlier.finished && !isSame) {
    throw fatal(
      'REPLAY_OTHER_JOB',
      `${directory} holds an unfinished replay of ${earlier.job.input}; other than in this one: ${others.join(', ')}`,
      {
        hint: 'finish that one, discard it with --restart, or give this one its own --data-dir',
      },
    );
  }
  if (!isSame) {
    if (existsSync(directory) && earlier === undefined && !restart) {
      throw fatal('REPLAY_WORK_DIR', `${directory} exists and holds no replay`, { hint: 'give another --data-dir' });
    }
    rmSync(directory, { recursive: true, force: true });
    earlier = undefined;
  }
  // It contains user data; for the results beside it the caller's umask decides.
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const earlierSeconds = earlier?.seconds ?? 0;
  const finishedEpochs = earlier?.epochs;
  const mark = (seconds: number, epochs?: number): void => {
    const finished = epochs !== undefined;
    const content = { job, finished, epochs: epochs ?? finishedEpochs, seconds: earlierSeconds + seconds };
    writeFileSync(`${file}.new`, JSON.stringify(content satisfies JobFile, undefined, 2));
    renameSync(`${file}.new`, file);
  };
  if (finishedEpochs === undefined) mark(0);
  const discard = (): void => {
    rmSync(directory, { recursive: true, force: true });
  };
  return { directory, resumed: earlier !== undefined, finishedEpochs, earlierSeconds, mark, discard };
}

const plain = (job: Job): Job => JSON.parse(JSON.stringify(job)) as Job;

/** Names of what differs, of options of the pipeline too. */
function differences({ pipeline: a, ...one }: Job, { pipeline: b, ...other }: Job): string[] {
  return [...differing(one, other), ...differing(a as Fields | undefined, b as Fields | undefined)];
}

type Fields = Readonly<Record<string, unknown>>;

const differing = (a: Fields = {}, b: Fields = {}): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => !isDeepStrictEqual(a[key], b[key]));

const isJobFile = hasFields({
  job: hasFields({ input: isText }),
  epochs: optional(isCount),
  finished: isFlag,
  seconds: Number.isFinite,
});

function readJob(file: string): JobFile | undefined {
  if (!existsSync(file)) return undefined;
  const found = storedJson<JobFile>(readFileSync(file, 'utf8'), isJobFile);
  if (found !== undefined) return found;
  throw fatal('REPLAY_WORK_DIR', `${file} is damaged`, { hint: 'discard the work with --restart' });
}
