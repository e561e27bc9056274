/** Threads that are asked how they are: real ones, with a few lines in them. */
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/contract/clock.js';
import { Deadline } from '../../../runtime/supervision/deadline.js';
import { Threads } from '../../../runtime/node/threads.js';
import type { HostData } from '../../../runtime/node/worker.js';

const SCRIPT = `
  const { parentPort } = require('node:worker_threads');
  parentPort.once('message', () => {
    parentPort.postMessage({ kind: 'started' });
    let asked = 0;
    parentPort.on('message', ({ kind }) => {
      const vitals = { loopDelayMs: 0, busyMs: 0, heapBytes: 0 };
      if (kind === 'status') parentPort.postMessage({ kind, statuses: [{ messagesIn: ++asked }], vitals });
      else { parentPort.postMessage({ kind: 'stopped', unfinished: [] }); parentPort.close(); }
    });
  });`;

let threads: Threads;
afterEach(() => threads.stop(new Deadline(5_000, systemClock)));

it('they can be asked as often as one likes, and one that has ended is not waited for', async () => {
  const workers = ['a', 'b'].map(() => new Worker(SCRIPT, { eval: true }));
  const hosts = ['a', 'b'].map((name) => ({ name }) as HostData);
  threads = await Threads.start(hosts, 60_000, () => undefined, [...workers]);
  await threads.freshStatuses();
  const listeners = (): number[] => workers.flatMap((one) => [one.listenerCount('exit'), one.listenerCount('message')]);
  const before = listeners();
  const seen: number[] = [];
  for (let n = 0; n < 20; n++) seen.push((await threads.freshStatuses())[0]!.messagesIn);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(new Set(seen).size).toBe(20);
  expect(listeners()).toEqual(before);
  const asking = threads.freshStatuses();
  await workers[0]!.terminate();
  await asking;
  expect(await threads.freshStatuses()).toHaveLength(2);
});
