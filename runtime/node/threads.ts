/** The threads of a node: starts workers, asks them how they are, stops them within a deadline. */
import type { Worker } from 'node:worker_threads';
import { systemClock } from '../contract/clock.js';
import { Deadline } from '../supervision/deadline.js';
import { transient } from '../contract/errors.js';
import { type HostData, type HostRequest, type WorkerCommand, type WorkerMessage, type WorkerStart } from './worker.js';
import { loadingThreads } from './loading.js';
import { revived } from '../plain-error.js';
import type { ActorStatus } from '../telemetry/status.js';
import { type NamedVitals, OwnVitals, Peak, type ThreadVitals } from '../telemetry/thread-vitals.js';

/** Of a deadline, what it takes a thread to say how its stop went. */
const ANSWER_MS = 100;

const NO_VITALS: ThreadVitals = { loopDelayMs: 0, busyMs: 0, heapBytes: 0 };

const named = (thread: string, vitals: ThreadVitals, { value }: Peak): NamedVitals => ({
  ...vitals,
  thread,
  loopDelayPeakMs: value,
});

interface Thread {
  readonly name: string;
  readonly worker: Worker;
  statuses: readonly ActorStatus[];
  /** When it has last said how it is. */
  answeredAtMs: number | undefined;
  vitals: ThreadVitals;
  readonly loopDelays: Peak;
  /** What it did not finish. */
  stopped: Promise<readonly string[]>;
  /** Who waits for its next status, or its end. */
  asked: (() => void)[];
  ended: boolean;
  /** Requests that wait for `done`. */
  readonly calls: Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>;
}

export class Threads {
  private readonly workers: Thread[] = [];
  private asking: NodeJS.Timeout | undefined;
  private calls = 0;
  private readonly ownVitals = new OwnVitals();
  private readonly ownLoopDelays = new Peak();
  private own: ThreadVitals = NO_VITALS;

  private constructor(private readonly onFatal: (error: Error) => void) {}

  static async start(
    hosts: readonly HostData[],
    statusEveryMs: number,
    onFatal: (error: Error) => void,
    loading: Worker[] = loadingThreads(hosts.length),
  ): Promise<Threads> {
    const threads = new Threads(onFatal);
    try {
      const started = hosts.map((data) => threads.startOne(data, loading.shift()!));
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
    this.ownLoopDelays.note(this.own.loopDelayMs, systemClock.nowMs());
    this.ask();
  }

  /** For health: a thread that is silent is not well. */
  answers(): readonly Pick<Thread, 'name' | 'answeredAtMs'>[] {
    return this.workers;
  }

  /** As of the last answers. */
  statuses(): ActorStatus[] {
    return this.workers.flatMap(({ statuses }) => statuses);
  }

  /** How each thread is as of its last answer; the one that asks is called `facade`. */
  vitals(): NamedVitals[] {
    const workers = this.workers.map(({ name, vitals, loopDelays }) => named(name, vitals, loopDelays));
    return [...workers, named('facade', this.own, this.ownLoopDelays)];
  }

  /** Asks all threads anew. */
  async freshStatuses(): Promise<ActorStatus[]> {
    const answers = this.workers
      .filter(({ ended }) => !ended)
      .map(({ asked }) => new Promise<void>((resolve) => asked.push(resolve)));
    this.tell({ kind: 'status' });
    await Promise.all(answers);
    return this.statuses();
  }

  get count(): number {
    return this.workers.length;
  }

  /** Has a thread do something; rejects with its error, and when the thread ends. */
  request(thread: number, request: HostRequest): Promise<void> {
    const { worker, calls } = this.workers[thread]!;
    const call = this.calls++;
    return new Promise((resolve, reject) => {
      calls.set(call, { resolve, reject });
      worker.postMessage({ kind: 'call', call, request } satisfies WorkerCommand);
    });
  }

  /** What is not finished by then is in `deadline.unfinished`, and cut. */
  async stop(deadline: Deadline): Promise<void> {
    clearInterval(this.asking);
    this.tell({ kind: 'stop', deadlineMs: Math.max(0, deadline.leftMs - ANSWER_MS) });
    await Promise.all(
      this.workers.map(({ name, stopped }) =>
        deadline.step(`thread ${name}`, async () => deadline.unfinished.push(...(await stopped))),
      ),
    );
    await Promise.all(this.workers.map(({ worker }) => worker.terminate()));
  }

  private tell(command: WorkerCommand): void {
    for (const { worker } of this.workers) worker.postMessage(command);
  }

  private startOne(data: HostData, worker: Worker): Promise<void> {
    worker.postMessage({ kind: 'start', data } satisfies WorkerStart);
    return new Promise((resolveStart, rejectStart) => {
      const stopped = new Promise<readonly string[]>((resolveStopped) => {
        const { name } = data;
        const own: Thread = {
          ...{ name, worker, statuses: [], answeredAtMs: undefined, stopped: Promise.resolve([]) },
          ...{ vitals: NO_VITALS, loopDelays: new Peak() },
          ...{ asked: [], ended: false, calls: new Map() },
        };
        const answered = (): void => {
          for (const resolve of own.asked.splice(0)) resolve();
        };
        this.workers.push(own);
        let ended = false;
        worker.on('message', (message: WorkerMessage) => {
          if (message.kind === 'started') resolveStart();
          else if (message.kind === 'status') {
            own.statuses = message.statuses;
            own.answeredAtMs = systemClock.nowMs();
            own.vitals = message.vitals;
            own.loopDelays.note(message.vitals.loopDelayMs, own.answeredAtMs);
            answered();
          } else if (message.kind === 'done') {
            const waiting = own.calls.get(message.call);
            own.calls.delete(message.call);
            if (message.error === undefined) waiting?.resolve();
            else waiting?.reject(revived(message.error));
          } else if (message.kind === 'stopped') {
            ended = true;
            resolveStopped(message.unfinished);
          } else {
            rejectStart(revived(message.error));
            this.onFatal(revived(message.error));
          }
        });
        worker.on('error', (error) => {
          rejectStart(error);
          this.onFatal(error);
        });
        worker.on('exit', (code) => {
          own.ended = true;
          answered();
          resolveStopped([]);
          for (const { reject } of own.calls.values()) reject(transient('THREAD_EXIT', `thread ${name} has ended`));
          if (!ended && code !== 0)
            this.onFatal(transient('THREAD_EXIT', `thread ${data.name} ended with code ${code}`));
        });
      });
      this.workers.at(-1)!.stopped = stopped;
    });
  }
}
