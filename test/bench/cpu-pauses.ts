/**
 * Preloaded into every thread of a node (Linux): how much CPU time each spends at most between two turns of its event loop. Unlike the delay that
 * a user sees this leaves out what the thread waits for a core, which on a shared machine says more of the neighbours than of the node.
 *
 * Appends a line `<thread> <longest, ms>` a second to the file that RIVULET_BENCH_PAUSES names.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';

const LOOK_EVERY_MS = 5;
const SAY_EVERY_MS = 1_000;

const file = process.env.RIVULET_BENCH_PAUSES;
if (file !== undefined && file !== '') {
  const cpuMs = (): number => Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ', 1)[0]) / 1e6;
  let [last, longest] = [cpuMs(), 0];
  setInterval(() => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
  }, LOOK_EVERY_MS).unref();
  setInterval(() => {
    appendFileSync(file, `${threadId} ${longest.toFixed(1)}\n`);
    longest = 0;
  }, SAY_EVERY_MS).unref();
}
