/** Threads that are asked how they are: real ones, with a few lines in them. */
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/contract/clock.js';
import { Deadline } from '../../../runtime/supervision/deadline.js';
import { Threads } from '../../../runtime/node/threads.js';
import { Supervisor } from '../../../runtime/supervision/supervisor.js';
import { SILENT } from '../tuning.js';
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

const supervisorOf = (onEscalated: (error: Error) => void = () => undefined) =>
  new Supervisor({ clock: systemClock, logger: SILENT, onEscalated });

let threads: Threads;
afterEach(() => threads.stop(new Deadline(5_000, systemClock)));

it('they can be asked as often as one likes, and one that has ended is not waited for', async () => {
  const workers = ['a', 'b'].map(() => new Worker(SCRIPT, { eval: true }));
  const hosts = ['a', 'b'].map((name) => ({ name }) as HostData);
  threads = await Threads.start(hosts, 60_000, supervisorOf(), [...workers], () => new Worker(SCRIPT, { eval: true }));
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

it('one that ends, with whatever code, is restarted, and its shards are opened again', async () => {
  const requests: string[] = [];
  const spawn = (): Worker => {
    const worker = new Worker(OPENS, { eval: true });
    worker.on('message', ({ kind, seen }: { kind: string; seen?: string }) => kind === 'seen' && requests.push(seen!));
    return worker;
  };
  const first = spawn();
  threads = await Threads.start([{ name: 'a' } as HostData], 60_000, supervisorOf(), [first], spawn);
  await threads.request(0, { action: 'own', shard: 'user-0' });
  await threads.request(0, { action: 'follow', shard: 'user-1' });
  await threads.request(0, { action: 'own', shard: 'user-2' });
  await threads.request(0, { action: 'close', shard: 'user-2', copy: false });
  requests.length = 0;
  await first.terminate();
  await expect.poll(() => requests.length, { timeout: 10_000 }).toBe(2);
  expect(requests.sort()).toEqual(['follow user-1', 'own user-0']);
  await threads.request(0, { action: 'hold', held: true });
  expect(threads.answers()).toMatchObject([
    { name: 'a', status: { restarts: 1, lastError: expect.stringContaining('thread a ended with code 1') } },
  ]);
});

/** Performs every request, and reports it to the test. */
const OPENS = `
  const { parentPort } = require('node:worker_threads');
  parentPort.once('message', () => {
    parentPort.postMessage({ kind: 'started' });
    parentPort.on('message', ({ kind, call, request }) => {
      if (kind === 'stop') { parentPort.postMessage({ kind: 'stopped', unfinished: [] }); parentPort.close(); }
      if (kind !== 'call') return;
      parentPort.postMessage({ kind: 'seen', seen: request.action + ' ' + request.shard });
      parentPort.postMessage({ kind: 'done', call });
    });
  });`;

it('one that ends again and again escalates; while it is restarted its requests are refused, to be sent again', async () => {
  const escalated = new Promise<Error>((resolve) => {
    const spawn = (): Worker => new Worker(ENDS, { eval: true });
    void Threads.start([{ name: 'a' } as HostData], 20, supervisorOf(resolve), [spawn()], spawn).then(
      (started) => (threads = started),
    );
  });
  expect(await escalated).toMatchObject({ code: 'THREAD_EXIT', message: 'thread a ended with code 0' });
  await expect(threads.request(0, { action: 'hold', held: true })).rejects.toMatchObject({
    code: 'THREAD_EXIT',
    reaction: 'transient',
  });
  expect(await threads.freshStatuses()).toEqual([]);
});

it.each([
  ['while it starts', (worker: Worker) => worker],
  ['before anybody listened', (worker: Worker) => worker.terminate().then(() => worker)],
])('the start fails when one ends %s, again and again', async (_, prepared) => {
  const spawn = (): Worker => new Worker(`require('node:worker_threads').parentPort.close()`, { eval: true });
  const worker = await prepared(spawn());
  const start = Threads.start([{ name: 'a' } as HostData], 60_000, supervisorOf(), [worker], spawn);
  await expect(start).rejects.toMatchObject({ code: 'THREAD_EXIT' });
});
