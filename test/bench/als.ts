/**
 * Factors of 1 M interactions, in the shape of MovieLens 1M: how long ten iterations take, lists of ten for all users, and a user who comes later.
 *
 * Of users and items the square and the cube of a uniform number are drawn, so that the busiest have some tenths of all of the other side and half of the items fewer than 150.
 */
import { performance } from 'node:perf_hooks';
import type { AlsOptions, Solver } from '../../actors/maths/als/options.js';
import { trainAls } from '../../actors/maths/als/als.js';

import { FoldIn } from '../../actors/maths/als/fold-in.js';
import { scorerOf } from '../../actors/maths/als/scores.js';
import { sparse, type Sparse, transposed } from '../../actors/maths/als/sparse.js';
import { topLists } from '../../actors/maths/evaluation/top-lists.js';
import { seededRandom } from '../../actors/maths/random.js';
import { alsThreads } from '../../runtime/training/als-threads.js';
import { loadAverage, percentile, round, say } from './machine.js';

const [USERS, ITEMS, ENTRIES] = [6_040, 3_706, 1_000_000];

function interactions(): Sparse {
  const random = seededRandom(1);
  const has = new Uint8Array(USERS * ITEMS);
  for (let count = 0; count < ENTRIES;) {
    const at = Math.floor(USERS * random() ** 2) * ITEMS + Math.floor(ITEMS * random() ** 3);
    count += 1 - has[at]!;
    has[at] = 1;
  }
  const cells = [...has.keys()].filter((at) => has[at] === 1);
  return sparse({
    ...{ rows: USERS, columns: ITEMS },
    row: cells.map((at) => Math.floor(at / ITEMS)),
    column: cells.map((at) => at % ITEMS),
    value: cells.map(() => 1),
  });
}

/** Of several runs, seconds by the clock and of all cores together: the second is what other work on the machine does not change. */
function times(runs: number, work: () => unknown): string {
  const all = Array.from({ length: runs }, () => {
    const before = process.cpuUsage();
    const startedAt = performance.now();
    work();
    const { user, system } = process.cpuUsage(before);
    return [(performance.now() - startedAt) / 1000, (user + system) / 1e6] as const;
  });
  return all.map(([wall, cpu]) => `${round(wall, 2)} s (CPU ${round(cpu, 2)})`).join(', ');
}

const HISTORY = 500;
const FOLDED_IN = 2_000;

/** A user with `HISTORY` items, again and again. */
function foldIn(items: Float64Array, options: AlsOptions): string {
  const system = new FoldIn(items, options);
  const random = seededRandom(2);
  const values = new Float64Array(HISTORY).fill(1);
  const tookMs = Array.from({ length: FOLDED_IN }, () => {
    const columns = Uint32Array.from(values, () => Math.floor(ITEMS * random()));
    const startedAt = performance.now();
    system.vector(columns, values);
    return performance.now() - startedAt;
  }).sort((a, b) => a - b);
  return `p50 ${round(percentile(tookMs, 0.5), 2)} ms, p99 ${round(percentile(tookMs, 0.99), 2)} ms`;
}

export async function benchAls(): Promise<void> {
  const byUser = interactions();
  const training = { byUser, byItem: transposed(byUser) };
  const users = [...Array(USERS).keys()];
  say(`als: ${ENTRIES} interactions, ${USERS} users, ${ITEMS} items, 10 iterations`);
  for (const rank of [10, 64]) {
    const options: AlsOptions = { rank, iterations: 10, regularisation: 0.1, alpha: 1, seed: 1 };
    for (const [solver, threads, runs] of RUNS) {
      const train = () => trainAls(byUser, { ...options, solver }, { team: alsThreads(threads) });
      say(`als: rank ${rank}, ${solver}, ${threads} of 2 shared cores: ${times(runs, train)}; load ${loadAverage()}`);
    }
    const factors = trainAls(byUser, { ...options, solver: 'conjugate-gradient' });
    say(
      `als: rank ${rank}, ten items for each user: ${times(3, () => topLists(scorerOf(factors), training, users, 10))}`,
    );
    say(`als: rank ${rank}, fold-in of a user with ${HISTORY} items: ${foldIn(factors.items, options)}`);
  }
  await Promise.resolve();
}

const RUNS: readonly (readonly [Solver, threads: number, runs: number])[] = [
  ['conjugate-gradient', 1, 5],
  ['conjugate-gradient', 2, 5],
  ['exact', 2, 1],
];
