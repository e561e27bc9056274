/** Entry of a thread that finds factors. */
import { isMainThread, workerData } from 'node:worker_threads';
import { type AlsThreadData, joinThreads } from './als-tickets.js';

if (!isMainThread) joinThreads(workerData as AlsThreadData);
