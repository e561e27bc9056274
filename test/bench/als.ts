/**
 * Factors of 1 M interactions, in the shape of MovieLens 1M: how long ten iterations take, lists of ten for all users, and a user who comes later.
 *
 * Of users and items the square and the cube of a uniform number are drawn, so that the busiest have some tenths of all of the other side and half of the items fewer than 150.
 */
import { performance } from 'node:perf_hooks';
import { type AlsOptions, SOLVERS } from '../../actors/maths/als/options.js';
import { trainAls } from '../../actors/maths/als/als.js';

import { sparse, type Sparse } from '../../actors/maths/als/sparse.js';
import { seededRandom } from '../../actors/maths/random.js';
import { alsThreads } from '../../runtime/cli/evaluate/als-threads.js';
import { round, say } from './machine.js';

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

function secondsOf(work: () => unknown): number {
  const startedAt = performance.now();
  work();
  return (performance.now() - startedAt) / 1000;
}

const seconds = (work: () => unknown): string =>
  Array.from({ length: 3 }, () => secondsOf(work))
    .sort((a, b) => a - b)
    .map((one) => round(one, 2))
    .join(', ');

export async function benchAls(): Promise<void> {
  const known = interactions();
  for (const rank of [10, 64]) {
    const options: AlsOptions = { rank, iterations: 10, regularisation: 0.1, alpha: 1, seed: 1 };
    for (const solver of [...SOLVERS].reverse()) {
      for (const threads of [1, 2]) {
        const team = alsThreads(threads);
        say(
          `als: rank ${rank}, ${solver}, threads ${threads}: ${seconds(() => trainAls(known, { ...options, solver }, { team }))} s`,
        );
      }
    }
  }
  await Promise.resolve();
}
