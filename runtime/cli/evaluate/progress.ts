/** What an evaluation is doing, for people who wait for it; and on how many threads. */
import type { Training } from '../../../actors/maths/als/als.js';
import type { AlsOptions } from '../../../actors/maths/als/options.js';
import { alsThreads } from '../../training/als-threads.js';

export type OnProgress = (what: string) => void;

export interface TrainingOptions {
  readonly als: AlsOptions;
  readonly threads: number;
  readonly onProgress: OnProgress;
}

export const trainingOf = ({ als, threads, onProgress }: TrainingOptions): Training => ({
  team: alsThreads(threads),
  onIteration: (done) => {
    onProgress(`als: ${done} of ${als.iterations} iterations`);
  },
});
