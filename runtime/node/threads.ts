/** The threads of a node: starts workers under the node's supervisor, requests their status, stops them within a deadline. */
import type { Worker } from 'node:worker_threads';
import { systemClock } from '../contract/clock.js';
import { Deadline } from '../supervision/deadline.js';
import { asError, reactionOf, RivuletError, transient } from '../contract/errors.js';
import { retry } from '../supervision/retry.js';
import { THREAD_STRATEGY } from '../supervision/strategy.js';
import { type Child, type Life, type SupervisedStatus, type Supervisor } from '../supervision/supervisor.js';
import {
  type HostData,
  type HostRequest,
  revived,
  type WorkerCommand,
  type WorkerMessage,
  type WorkerStart,
} from './messages.js';
import { loadingThread } from './loading.js';
import type { ActorStatus } from '../telemetry/status.js';
import { type NamedVitals, OwnVitals, Peak, type ThreadVitals } from '../telemetry/thread-vitals.js';

/** Part of a deadline, for a thread to report how its stop went. */
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

/** How long a thread whose shard has escalated may take to stop the others. */
const STOP_MS = 5_000;

/** One life of a thread, and the callers that wait for it: all are settled once it has ended. */
class ThreadLife implements Life {
  readonly started: Promise<void>;
  readonly ended: Promise<void>;
  /** Resolves when its worker has exited, for any reason. */
  readonly exited: Promise<void>;
  /** The steps that it did not finish. */
  private readonly stopped: Promise<readonly string[]>;
  private onExited!: () => void;
  private starting!: Waiting<void>;
  private ending!: Waiting<void>;
  private onStopped!: (unfinished: readonly string[]) => void;
  private hasStopped = false;
  private failure: Error | undefined;
  /** Why it no longer responds. */
  private gone: Error | undefined;
  /** Callers that wait for its next status. */
  private asked: (() => void)[] = [];
  /** Requests that wait for `done`. */
  private readonly calls = new Map<number, Waiting<void>>();
  private count = 0;

  constructor(
    private readonly data: HostData,
    private readonly worker: Worker,
    private readonly onStatus: (message: Extract<WorkerMessage, { kind: 'status' }>) => void,
  ) {
    this.started = new Promise((resolve, reject) => (this.starting = { resolve, reject }));
    this.ended = new Promise((resolve, reject) => (this.ending = { resolve, reject }));
    this.stopped = new Promise((resolve) => (this.onStopped = resolve));
    this.exited = new Promise((resolve) => (this.onExited = resolve));
    // The caller awaits both, one after the other.
    for (const one of [this.started, this.ended]) one.catch(() => undefined);
    worker.on('message', (message: WorkerMessage) => this.onMessage(message));
    worker.on('error', (error) => (this.failure ??= error));
    worker.on('exit', (code) => this.end(`ended with code ${code}`));
    // It exited before the listeners were added, and emits no further event.
    if (worker.threadId === ENDED) this.end('ended before it was to start');
    worker.postMessage({ kind: 'start', data } satisfies WorkerStart);
  }

  post(command: WorkerCommand): void {
    this.worker.postMessage(command);
  }

  /** Resolves with its next status, or when it ends. */
  answer(): Promise<void> {
    return this.gone === undefined ? new Promise((resolve) => this.asked.push(resolve)) : Promise.resolve();
  }

  request(request: HostRequest): Promise<void> {
    if (this.gone !== undefined) return Promise.reject(this.gone);
    const call = this.count++;
    return new Promise((resolve, reject) => {
      this.calls.set(call, { resolve, reject });
      this.post({ kind: 'call', call, request });
    });
  }

  /** Steps unfinished at the deadline are in `deadline.unfinished`, and aborted. */
  async stop(deadline = new Deadline(STOP_MS, systemClock)): Promise<void> {
    this.post({ kind: 'stop', deadlineMs: Math.max(0, deadline.leftMs - ANSWER_MS) });
    await deadline.step(`thread ${this.data.name}`, async () => deadline.unfinished.push(...(await this.stopped)));
    this.hasStopped = true;
    await this.worker.terminate();
  }

  /** Ends it with the error, after its other shards have stopped. */
  async fail(error: Error): Promise<void> {
    this.failure ??= error;
    await this.stop();
  }

  private onMessage(message: WorkerMessage): void {
    switch (message.kind) {
      case 'started':
        this.starting.resolve();
        return;
      case 'status':
        this.onStatus(message);
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
        this.onStopped(message.unfinished);
        return;
      case 'fatal': {
        const error = revived(message.error);
        this.starting.reject(error);
        // A restart does not help: the node stops, and stops this thread.
        if (reactionOf(error) === 'fatal') this.ending.reject(error);
        else void this.fail(error);
      }
    }
  }

  private end(how: string): void {
    const { name } = this.data;
    this.gone = transient('THREAD_EXIT', `thread ${name} ${how}`);
    this.answered();
    this.onStopped([]);
    this.onExited();
    for (const { reject } of this.calls.values()) reject(this.gone);
    this.calls.clear();
    // Any exit without a stop is a failure, whatever its code. It is a bug and counts as a restart; the pending requests fail as transient.
    if (!this.hasStopped) this.failure ??= new RivuletError('bug', 'THREAD_EXIT', `thread ${name} ${how}`);
    if (this.failure === undefined) this.ending.resolve();
    else this.ending.reject(this.failure);
    this.starting.reject(this.failure ?? this.gone);
  }

  private answered(): void {
    for (const resolve of this.asked.splice(0)) resolve();
  }
}

/** A thread over its restarts. */
class Thread {
  readonly name: string;
  statuses: readonly ActorStatus[] = [];
  shards: readonly SupervisedStatus[] = [];
  /** When it last reported its status. */
  answeredAtMs: number | undefined;
  vitals = NO_VITALS;
  readonly loopDelays = new Peak(systemClock);
  readonly started: Promise<void>;
  private readonly child: Child;
  private life: ThreadLife | undefined;
  /** The last request for each of its shards: after a restart it opens them again. */
  private readonly opened = new Map<string, HostRequest>();
  private hold: HostRequest | undefined;

  constructor(
    private readonly data: HostData,
    supervisor: Supervisor,
    private first: Worker | undefined,
    private readonly spawn: (name: string) => Worker,
  ) {
    this.name = data.name;
    let onStarted: () => void = () => undefined;
    const isUp = new Promise<void>((resolve) => (onStarted = resolve));
    this.child = supervisor.start({
      ...{ level: 'thread', name: data.name, strategy: THREAD_STRATEGY },
      start: async (signal) => {
        const life = await this.open(signal);
        onStarted();
        return life;
      },
    });
    this.started = Promise.race([isUp, this.child.ended]);
    this.started.catch(() => undefined);
  }

  get status(): Child['status'] {
    return this.child.status;
  }

  post(command: WorkerCommand): void {
    this.life?.post(command);
  }

  answer(): Promise<void> {
    return this.life?.answer() ?? Promise.resolve();
  }

  /** Transient THREAD_EXIT while it is restarted. */
  async request(request: HostRequest): Promise<void> {
    const { life } = this;
    if (life === undefined) throw transient('THREAD_EXIT', `thread ${this.name} is being restarted`);
    if (request.action === 'hold') this.hold = request;
    else this.opened.delete(request.shard);
    await life.request(request);
    if (request.action === 'own' || request.action === 'follow') this.opened.set(request.shard, request);
  }

  async stop(deadline: Deadline): Promise<void> {
    this.child.abandon();
    await this.life?.stop(deadline);
    // An escalation is already reported.
    await this.child.ended.catch(() => undefined);
  }

  private async open(signal: AbortSignal): Promise<Life> {
    const worker = this.first ?? this.spawn(this.name);
    this.first = undefined;
    const life = new ThreadLife(this.data, worker, (message) => this.onStatus(message));
    const onAbort = (): void => void worker.terminate();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await life.started;
      this.life = life;
      void life.exited.then(() => (this.life === life ? (this.life = undefined) : undefined));
      await this.reopen(life, signal);
      return life;
    } catch (error) {
      if (reactionOf(error) !== 'fatal') await worker.terminate();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Opens the shards of the previous life. A request that arrives meanwhile comes after these, and wins. */
  private async reopen(life: ThreadLife, signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    void life.exited.then(() => ended.abort());
    const again = async (shard: string, request: HostRequest): Promise<void> => {
      const isWanted = (): boolean => !ended.signal.aborted && !signal.aborted && this.opened.get(shard) === request;
      try {
        await retry(() => life.request(request), { clock: systemClock, isWanted, signal: ended.signal });
      } catch (error) {
        if (reactionOf(error) !== 'transient' || ended.signal.aborted) throw asError(error);
      }
    };
    const requests = [...this.opened].map(([shard, request]) => again(shard, request));
    if (this.hold !== undefined) requests.push(life.request(this.hold));
    await Promise.all(requests);
  }

  private onStatus({ statuses, shards, vitals }: Extract<WorkerMessage, { kind: 'status' }>): void {
    this.statuses = statuses;
    this.shards = shards;
    this.answeredAtMs = systemClock.nowMs();
    this.vitals = vitals;
    this.loopDelays.record(vitals.loopDelayMs);
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
    supervisor: Supervisor,
    loading: Worker[] = hosts.map(({ name }) => loadingThread(name)),
    spawn = loadingThread,
  ): Promise<Threads> {
    const threads = new Threads();
    try {
      for (const data of hosts) threads.threads.push(new Thread(data, supervisor, loading.shift(), spawn));
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

  /** Requests a status of all threads. */
  ask(): void {
    for (const thread of this.threads) thread.post({ kind: 'status' });
  }

  private look(): void {
    this.own = this.ownVitals.take();
    this.ownLoopDelays.record(this.own.loopDelayMs);
    this.ask();
  }

  /** For health, where a thread that is silent or restarted is not well. */
  answers(): readonly Pick<Thread, 'name' | 'answeredAtMs' | 'status'>[] {
    return this.threads;
  }

  /** The shards of a thread, as of its last report; none if there is no such thread. */
  shards(thread: string): readonly SupervisedStatus[] {
    return this.threads.find(({ name }) => name === thread)?.shards ?? [];
  }

  /** As of the last reports. */
  statuses(): ActorStatus[] {
    return this.threads.flatMap(({ statuses }) => statuses);
  }

  /** The vitals of each thread as of its last report; this one is called `facade`. */
  vitals(): NamedVitals[] {
    const threads = this.threads.map(({ name, vitals, loopDelays }) => named(name, vitals, loopDelays));
    return [...threads, named('facade', this.own, this.ownLoopDelays)];
  }

  /** Requests a new status of all threads. */
  async freshStatuses(): Promise<ActorStatus[]> {
    const answers = this.threads.map((thread) => thread.answer());
    this.ask();
    await Promise.all(answers);
    return this.statuses();
  }

  get count(): number {
    return this.threads.length;
  }

  /** Sends a request to a thread; rejects with its error, and when the thread ends, or has ended. */
  request(thread: number, request: HostRequest): Promise<void> {
    return this.threads[thread]!.request(request);
  }

  /** Steps unfinished at the deadline are in `deadline.unfinished`, and aborted. */
  async stop(deadline: Deadline): Promise<void> {
    clearInterval(this.asking);
    await Promise.all(this.threads.map((thread) => thread.stop(deadline)));
  }
}
