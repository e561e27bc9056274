/** Threads that load what they need, and open their stores, while there is nothing else for them to do yet: NATS starts meanwhile. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { WAITS_FOR_DATA } from './messages.js';

/** More than the cores would only take turns. */
export const usefulThreads = (wanted: number): number => Math.min(wanted, availableParallelism());

export const threadName = (thread: number): string => `worker-${thread}`;

export const loadingThreads = (count: number): Worker[] =>
  Array.from({ length: count }, (_, i) => {
    const url = new URL('./worker.js', import.meta.url);
    return new Worker(url, { workerData: WAITS_FOR_DATA, name: threadName(i) });
  });
