/**
 * als-tickets: blocks of a phase are tickets, numbered through all phases, and whoever is idle takes the next one.
 *
 *   PHASE    number in PHASES, and which tickets are its own: from FIRST to before END; it changes when all of them are done
 *   NEXT     the first ticket that nobody has
 *   DONE     tickets that are done
 */
import { AlsThread, type AlsProblem, PHASES } from '../../actors/maths/als/training.js';

export const [PHASE, FIRST, END, NEXT, DONE] = [0, 1, 2, 3, 4] as const;
export const WORDS = 5;
/** No phase: the end. */
export const OVER = -1;

/** What a thread is given. */
export interface AlsThreadData {
  readonly problem: AlsProblem;
  readonly tickets: SharedArrayBuffer;
  readonly thread: number;
}

/** Takes tickets until there are no more for now; returns whether there may be later. */
export function ticketsOf(thread: AlsThread, words: Int32Array): () => boolean {
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
