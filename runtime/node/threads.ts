/** The threads of a node: starts workers, asks them how they are, stops them within a deadline. */
import type { Worker } from 'node:worker_threads';
import { systemClock } from '../contract/clock.js';
import { Deadline } from '../supervision/deadline.js';
import { transient } from '../contract/errors.js';
import {
  type HostData,
  type HostRequest,
  revived,
  type WorkerCommand,
  type WorkerMessage,
  type WorkerStart,
} from './messages.js';
import { loadingThreads } from './loading.js';
import type { ActorStatus } from '../telemetry/status.js';
import { type NamedVitals, OwnVitals, Peak, type ThreadVitals } from '../telemetry/thread-vitals.js';

/** Of a deadline, what it takes a thread to say how its stop went. */
const ANSWER_MS = 100;

/** `threadId` of a worker that has ended. */
const ENDED = -1;

const NO_VITALS: ThreadVitals = { loopDelayMs: 0, busyMs: 0, heapBytes: 0 };

const named = (thread: string, vitals: ThreadVitals, { value }: Peak): NamedVitals => ({
  ...vitals,
  thread,
  loopDelayPeakMs: value,
});

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** What one thread has said, and who waits for it to say something: nobody does any more once it has ended. */
class Thread {
  readonly name: string;
  statuses: readonly ActorStatus[] = [];
  /** When it has last said how it is. */
  answeredAtMs: number | undefined;
  vitals = NO_VITALS;
  readonly loopDelays = new Peak(systemClock);
  readonly started: Promise<void>;
  /** What it did not finish. */
  readonly stopped: Promise<readonly string[]>;
  private starting!: Waiting<void>;
  private stop!: (unfinished: readonly string[]) => void;
  private hasStopped = false;
  /** Why it answers no more. */
  private ended: Error | undefined;
  /** Who waits for its next status. */
  private asked: (() => void)[] = [];
  /** Requests that wait for `done`. */
  private readonly calls = new Map<number, Waiting<void>>();
  private count = 0;

  constructor(
    data: HostData,
    readonly worker: Worker,
    private readonly onFatal: (error: Error) => void,
  ) {
    this.name = data.name;
    this.started = new Promise((resolve, reject) => (this.starting = { resolve, reject }));
    this.stopped = new Promise((resolve) => (this.stop = resolve));
    worker.on('message', (message: WorkerMessage) => {
      this.onMessage(message);
    });
    worker.on('error', (error) => {
      this.fail(error);
    });
    worker.on('exit', (code) => {
      this.end(`ended with code ${code}`);
    });
    // Who has asked for it is told by `fail` as well.
    this.started.catch(() => undefined);
    // Before anybody listened: it says no more that it has.
    if (worker.threadId === ENDED) this.end('ended before it was to start');
    worker.postMessage({ kind: 'start', data } satisfies WorkerStart);
  }

  tell(command: WorkerCommand): void {
    this.worker.postMessage(command);
  }

  /** Resolves with its next status, or its end. */
  answer(): Promise<void> {
    return this.ended === undefined ? new Promise((resolve) => this.asked.push(resolve)) : Promise.resolve();
  }

  request(request: HostRequest): Promise<void> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    const call = this.count++;
    return new Promise((resolve, reject) => {
      this.calls.set(call, { resolve, reject });
      this.tell({ kind: 'call', call, request });
    });
  }

  private onMessage(message: WorkerMessage): void {
    switch (message.kind) {
      case 'started':
        this.starting.resolve();
        return;
      case 'status':
        this.statuses = message.statuses;
        this.answeredAtMs = systemClock.nowMs();
        this.vitals = message.vitals;
        this.loopDelays.record(message.vitals.loopDelayMs);
        this.answered();
        return;
      case 'done': {
        const waiting = this.calls.get(message.call);
        this.calls.delete(message.call);
        if (message.error === undefined) waiting?.resolve();
        else waiting?.reject(revived(message.error));
        return;
      }
      case 'stopped':
        this.hasStopped = true;
        this.stop(message.unfinished);
        return;
      case 'fatal':
        this.fail(revived(message.error));
    }
  }

  private end(how: string): void {
    this.ended = transient('THREAD_EXIT', `thread ${this.name} ${how}`);
    this.answered();
    this.stop([]);
    for (const { reject } of this.calls.values()) reject(this.ended);
    this.calls.clear();
    // Whatever its code: one that was not told to stop has work to do.
    if (!this.hasStopped) this.fail(this.ended);
  }

  private answered(): void {
    for (const resolve of this.asked.splice(0)) resolve();
  }

  private fail(error: Error): void {
    this.starting.reject(error);
    this.onFatal(error);
  }
}

export class Threads {
  private readonly threads: Thread[] = [];
  private asking: NodeJS.Timeout | undefined;
  private readonly ownVitals = new OwnVitals();
  private readonly ownLoopDelays = new Peak(systemClock);
  private own: ThreadVitals = NO_VITALS;

  private constructor() {}

  static async start(
    hosts: readonly HostData[],
    statusEveryMs: number,
    onFatal: (error: Error) => void,
    loading: Worker[] = loadingThreads(hosts.length),
  ): Promise<Threads> {
    const threads = new Threads();
    try {
      for (const data of hosts) threads.threads.push(new Thread(data, loading.shift()!, onFatal));
      const started = threads.threads.map((thread) => thread.started);
      await Promise.all([...started, ...loading.splice(0).map((worker) => worker.terminate())]);
    } catch (error) {
      await threads.stop(new Deadline(1_000, systemClock));
      throw error;
    }
    threads.look();
    threads.asking = setInterval(() => {
      threads.look();
    }, statusEveryMs);
    threads.asking.unref();
    return threads;
  }

  /** Has all threads say how they are. */
  ask(): void {
    this.tell({ kind: 'status' });
  }

  private look(): void {
    this.own = this.ownVitals.take();
    this.ownLoopDelays.record(this.own.loopDelayMs);
    this.ask();
  }

  /** For health: a thread that is silent is not well. */
  answers(): readonly Pick<Thread, 'name' | 'answeredAtMs'>[] {
    return this.threads;
  }

  /** As of the last answers. */
  statuses(): ActorStatus[] {
    return this.threads.flatMap(({ statuses }) => statuses);
  }

  /** How each thread is as of its last answer; the one that asks is called `facade`. */
  vitals(): NamedVitals[] {
    const threads = this.threads.map(({ name, vitals, loopDelays }) => named(name, vitals, loopDelays));
    return [...threads, named('facade', this.own, this.ownLoopDelays)];
  }

  /** Asks all threads anew. */
  async freshStatuses(): Promise<ActorStatus[]> {
    const answers = this.threads.map((thread) => thread.answer());
    this.ask();
    await Promise.all(answers);
    return this.statuses();
  }

  get count(): number {
    return this.threads.length;
  }

  /** Has a thread do something; rejects with its error, and when the thread ends, or has ended. */
  request(thread: number, request: HostRequest): Promise<void> {
    return this.threads[thread]!.request(request);
  }

  /** What is not finished by then is in `deadline.unfinished`, and cut. */
  async stop(deadline: Deadline): Promise<void> {
    clearInterval(this.asking);
    this.tell({ kind: 'stop', deadlineMs: Math.max(0, deadline.leftMs - ANSWER_MS) });
    await Promise.all(
      this.threads.map(({ name, stopped }) =>
        deadline.step(`thread ${name}`, async () => deadline.unfinished.push(...(await stopped))),
      ),
    );
    await Promise.all(this.threads.map(({ worker }) => worker.terminate()));
  }

  private tell(command: WorkerCommand): void {
    for (const thread of this.threads) thread.tell(command);
  }
}
