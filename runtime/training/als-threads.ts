/**
 * Threads that find factors together (als-tickets.ts). The calling thread takes tickets too, so that it waits for no start of a thread, and for the last blocks of the
 * others alone. It does not return to its event loop meanwhile.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Team } from '../../actors/maths/als/als.js';
import { AlsThread, type AlsProblem, BLOCKS, PHASES, THREADS_MAX } from '../../actors/maths/als/training.js';
import { type AlsThreadData, DONE, END, FIRST, OVER, PHASE, ticketsOf, WORDS } from './als-tickets.js';
import { fatal } from '../contract/errors.js';

/** The longest blocks, of exact factors at rank 512, take a minute. */
const STUCK_MS = 600_000;

const startThread = (workerData: AlsThreadData): Worker =>
  new Worker(new URL('./als-worker.js', import.meta.url), { workerData, name: `als-${workerData.thread}` });

/** `threads`: with the calling one. */
export const alsThreads =
  (threads = availableParallelism(), start = startThread) =>
  (problem: AlsProblem): Team => {
    const tickets = new SharedArrayBuffer(4 * WORDS);
    const words = new Int32Array(tickets);
    const workers = Array.from({ length: Math.min(threads, THREADS_MAX) - 1 }, (_, i) =>
      start({ problem, tickets, thread: i + 1 }),
    );
    // Nothing is lost with a thread that does not start: the others do its work.
    for (const worker of workers) worker.on('error', () => undefined).unref();
    const takeTickets = ticketsOf(new AlsThread(problem, 0), words);
    const announce = (phase: number, blocks: number): void => {
      Atomics.store(words, PHASE, phase);
      Atomics.store(words, FIRST, words[END]!);
      Atomics.add(words, END, blocks);
      Atomics.notify(words, END);
    };
    return {
      run: (phase) => {
        announce(PHASES.indexOf(phase), BLOCKS);
        takeTickets();
        for (let done = Atomics.load(words, DONE); done < words[END]!; done = Atomics.load(words, DONE)) {
          if (Atomics.wait(words, DONE, done, STUCK_MS) === 'timed-out') {
            throw fatal('THREAD_EXIT', 'a thread has not finished its part', { hint: 'try again with --threads 1' });
          }
        }
      },
      end: () => {
        announce(OVER, 1);
      },
    };
  };
