/**
 * Threads that find factors together: blocks of a phase are tickets, numbered through all phases, and whoever is idle takes the next one.
 *
 *   PHASE    number in PHASES, and which tickets are its own: from FIRST to before END; it changes when all of them are done
 *   NEXT     the first ticket that nobody has
 *   DONE     tickets that are done
 *
 * The calling thread takes tickets too, so that it waits for no start of a thread, and for the last blocks of the others alone. It does not return to its event loop meanwhile.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Team } from '../../../actors/maths/als/als.js';
import { AlsThread, type AlsProblem, BLOCKS, PHASES, THREADS_MAX } from '../../../actors/maths/als/training.js';
import { fatal } from '../../contract/errors.js';

const [PHASE, FIRST, END, NEXT, DONE] = [0, 1, 2, 3, 4] as const;
const WORDS = 5;
/** No phase: the end. */
const OVER = -1;

/** A block takes milliseconds. */
const STUCK_MS = 60_000;

/** What a thread is given. */
export interface AlsThreadData {
  readonly problem: AlsProblem;
  readonly tickets: SharedArrayBuffer;
  readonly thread: number;
}

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

/** Takes tickets until there are no more for now; returns whether there may be later. */
function ticketsOf(thread: AlsThread, words: Int32Array): () => boolean {
  let preparedFor = -1;
  return () => {
    for (;;) {
      const ticket = Atomics.load(words, NEXT);
      if (ticket >= Atomics.load(words, END)) return true;
      if (Atomics.load(words, PHASE) === OVER) return false;
      if (Atomics.compareExchange(words, NEXT, ticket, ticket + 1) !== ticket) continue;
      // From here on the phase cannot change.
      const [phase, first] = [PHASES[Atomics.load(words, PHASE)]!, Atomics.load(words, FIRST)];
      if (preparedFor !== first) thread.prepare(phase);
      preparedFor = first;
      thread.perform(phase, ticket - first);
      Atomics.add(words, DONE, 1);
      Atomics.notify(words, DONE);
    }
  };
}

/** What a thread does until the end. */
export function joinThreads({ problem, tickets, thread }: AlsThreadData): void {
  const words = new Int32Array(tickets);
  const takeTickets = ticketsOf(new AlsThread(problem, thread), words);
  for (let end = Atomics.load(words, END); takeTickets(); end = Atomics.load(words, END)) {
    Atomics.wait(words, END, end);
  }
}
