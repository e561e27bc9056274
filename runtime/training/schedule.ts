/** Trains factors of items every so often, in a process of the lowest priority, on the node that has the first partition of what publishers send. */
import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { explain } from '../contract/errors.js';
import type { Clock, Logger } from '../contract/ports.js';
import type { Trained } from './train.js';
import type { TrainingEnd, TrainingJob } from './trainer.js';

export interface ScheduleOptions {
  readonly everyMs: number;
  readonly job: TrainingJob;
  /** Whether this node is the one. */
  readonly isOurs: () => boolean;
  /** When the factors were trained that lists are ranked by now, epoch ms. */
  readonly trainedMs: () => number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 60_000;

/** Never rejects; resolves after the signal was aborted. */
export async function trainEvery({ everyMs, job, clock, logger, signal, ...options }: ScheduleOptions): Promise<void> {
  let lastMs = clock.nowMs();
  while (!signal.aborted) {
    await clock.sleep(Math.min(LOOK_EVERY_MS, everyMs), signal);
    const sinceMs = clock.nowMs() - Math.max(lastMs, options.trainedMs() ?? -Infinity);
    if (signal.aborted || sinceMs < everyMs || !options.isOurs()) continue;
    lastMs = clock.nowMs();
    try {
      const trained = await trainedApart(job, signal);
      if (trained === undefined) logger.debug({}, 'the history has nothing to train factors from');
      else logger.info(trained, 'factors are trained');
    } catch (error) {
      if (!signal.aborted) logger.warn({ reason: explain(error) }, 'factors could not be trained: those before stay');
    }
  }
}

function trainedApart(job: TrainingJob, signal: AbortSignal): Promise<Trained | undefined> {
  const child = fork(fileURLToPath(new URL('./trainer.js', import.meta.url)), [], { execArgv: [] });
  setPriority(child.pid!, constants.priority.PRIORITY_LOW);
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  child.send(job);
  return endOf(child).finally(() => {
    signal.removeEventListener('abort', stop);
  });
}

const endOf = (child: ChildProcess): Promise<Trained | undefined> =>
  new Promise((resolve, reject) => {
    let end: TrainingEnd | undefined;
    child.once('message', (message: TrainingEnd) => (end = message));
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (end === undefined) reject(new Error(`the process that trains ended with ${code ?? signal}`));
      else if ('failed' in end) reject(new Error(end.failed));
      else resolve(end.trained);
    });
  });
