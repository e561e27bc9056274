/** Threads that load what they need, and open their stores, while there is nothing else for them to do yet: NATS starts meanwhile. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { WAITS_FOR_DATA } from './messages.js';

/** More than the cores would only take turns. */
export const usefulThreads = (wanted: number): string[] =>
  Array.from({ length: Math.min(wanted, availableParallelism()) }, (_, thread) => threadName(thread));

export const threadName = (thread: number): string => `worker-${thread}`;

export const loadingThread = (name: string): Worker =>
  new Worker(new URL('./worker.js', import.meta.url), { workerData: WAITS_FOR_DATA, name });

export const loadingThreads = (names: readonly string[]): Worker[] => names.map(loadingThread);
