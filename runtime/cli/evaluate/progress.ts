/** What an evaluation is doing, for people who wait for it. */
import type { AlsOptions } from '../../../actors/maths/als/options.js';

export type OnProgress = (what: string) => void;

export const iterationsOf =
  ({ als, onProgress }: { readonly als: AlsOptions; readonly onProgress: OnProgress }) =>
  (done: number): void => {
    onProgress(`als: ${done} of ${als.iterations} iterations`);
  };
