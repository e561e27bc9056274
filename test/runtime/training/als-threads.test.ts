/** Real threads, of what is in dist/. */
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { trainAls } from '../../../actors/maths/als/als.js';
import { type AlsOptions, SOLVERS } from '../../../actors/maths/als/options.js';
import { sparse } from '../../../actors/maths/als/sparse.js';
import { seededRandom } from '../../../actors/maths/random.js';
import { alsThreads } from '../../../runtime/training/als-threads.js';
import type { AlsThreadData } from '../../../runtime/training/als-tickets.js';

const WORKER = pathToFileURL(resolve(import.meta.dirname, '../../../dist/bin/als-worker.js'));
const [USERS, ITEMS] = [2_000, 1_000];

const random = seededRandom(1);
const cells = Array.from({ length: USERS * ITEMS }, (_, at) => at).filter(() => random() < 0.05);
const known = sparse({
  ...{ rows: USERS, columns: ITEMS },
  row: cells.map((at) => Math.floor(at / ITEMS)),
  column: cells.map((at) => at % ITEMS),
  value: cells.map(() => 1),
});

it.each(SOLVERS)('any number of threads finds the same factors, to the bit (%s)', async (solver) => {
  const options: AlsOptions = { rank: 12, iterations: 10, regularisation: 1, alpha: 2, seed: 1, solver };
  const workers: Worker[] = [];
  const start = (workerData: AlsThreadData): Worker => {
    const worker = new Worker(WORKER, { workerData });
    workers.push(worker);
    return worker;
  };
  const one = trainAls(known, options);
  for (const threads of [2, 3]) expect(trainAls(known, options, { team: alsThreads(threads, start) })).toEqual(one);
  // They ended by themselves, and without an error.
  const exits = await Promise.all(
    workers.map((worker) => {
      worker.ref();
      return once(worker, 'exit');
    }),
  );
  expect(exits).toEqual([[0], [0], [0]]);
});

it('threads that do not start leave the work to the others', () => {
  const start = (): Worker => new Worker('throw new Error()', { eval: true });
  const options: AlsOptions = { rank: 2, iterations: 2, regularisation: 1, seed: 1 };
  expect(trainAls(known, options, { team: alsThreads(3, start) })).toEqual(trainAls(known, options));
});
