/** Threads that are asked how they are: real ones, with a few lines in them. */
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/contract/clock.js';
import { Deadline } from '../../../runtime/supervision/deadline.js';
import { Threads } from '../../../runtime/node/threads.js';
import type { HostData } from '../../../runtime/node/messages.js';

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

/** Says that it has started, and ends with code 0 when it is asked for anything. */
const ENDS = `
  const { parentPort } = require('node:worker_threads');
  parentPort.once('message', () => {
    parentPort.postMessage({ kind: 'started' });
    parentPort.once('message', () => parentPort.close());
  });`;

it('one that ends, with whatever code, is reported, and answers no request any more', async () => {
  const ended = new Promise<Error>((resolve, reject) => {
    Threads.start([{ name: 'a' } as HostData], 60_000, resolve, [new Worker(ENDS, { eval: true })]).then(
      (started) => (threads = started),
      reject,
    );
  });
  expect(await ended).toMatchObject({ code: 'THREAD_EXIT', message: 'thread a ended with code 0' });
  await expect(threads.request(0, { action: 'hold', held: true })).rejects.toMatchObject({ code: 'THREAD_EXIT' });
  expect(await threads.freshStatuses()).toEqual([]);
});

it.each([
  ['while it starts', (worker: Worker) => worker],
  ['before anybody listened', (worker: Worker) => worker.terminate().then(() => worker)],
])('the start fails when one ends %s', async (_, prepared) => {
  const worker = await prepared(new Worker(`require('node:worker_threads').parentPort.close()`, { eval: true }));
  const start = Threads.start([{ name: 'a' } as HostData], 60_000, () => undefined, [worker]);
  await expect(start).rejects.toMatchObject({ code: 'THREAD_EXIT' });
});
