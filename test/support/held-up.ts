/**
 * How long this thread holds up its event loop: the CPU time that it takes between two turns, the longest of them. Time in which the thread
 * waits for a core is left out: on a shared machine that says more of the neighbours. Where the system does not tell (not Linux), it is all time.
 */
import { readFileSync } from 'node:fs';

const SCHEDULED = '/proc/thread-self/schedstat';

/** What this thread has taken so far; the system counts in steps of a few milliseconds. */
export function cpuMs(): number {
  try {
    return Number(readFileSync(SCHEDULED, 'latin1').split(' ', 1)[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** Milliseconds, while the work goes on. */
export async function longestHold(work: () => Promise<unknown>): Promise<number> {
  let [longest, isOver] = [0, false];
  let last = cpuMs();
  const look = (): void => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await work();
  isOver = true;
  await new Promise((resolve) => setImmediate(resolve));
  look();
  return longest;
}
