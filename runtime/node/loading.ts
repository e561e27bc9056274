/** Threads that load modules and open their stores ahead, while NATS starts. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { WAITS_FOR_DATA } from './messages.js';

/** More threads than cores would compete for them. */
export const usefulThreads = (wanted: number): string[] =>
  Array.from({ length: Math.min(wanted, availableParallelism()) }, (_, thread) => threadName(thread));

export const threadName = (thread: number): string => `worker-${thread}`;

/** Three semi-spaces of 4 MB. By itself V8 takes 48 MB a thread for objects that are garbage within milliseconds. */
const YOUNG_MEGABYTES_MAX = 12;

export const loadingThread = (name: string): Worker =>
  new Worker(new URL('./worker.js', import.meta.url), {
    ...{ workerData: WAITS_FOR_DATA, name },
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES_MAX },
  });

export const loadingThreads = (names: readonly string[]): Worker[] => names.map(loadingThread);
