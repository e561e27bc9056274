/** The threads of a node: starts workers, asks them how they are, stops them within a deadline. */
import { Worker } from 'node:worker_threads';
import { transient } from './errors.js';
import { type HostData, type HostRequest, revived, type WorkerCommand, type WorkerMessage } from './main-worker.js';
import type { ActorStatus } from './status.js';

interface Thread {
  readonly worker: Worker;
  statuses: readonly ActorStatus[];
  stopped: Promise<void>;
  /** Requests that wait for `done`. */
  readonly calls: Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>;
}

export class Threads {
  private readonly workers: Thread[] = [];
  private calls = 0;
  private asking: NodeJS.Timeout | undefined;

  private constructor(private readonly onFatal: (error: Error) => void) {}

  static async start(
    hosts: readonly HostData[],
    statusEveryMs: number,
    onFatal: (error: Error) => void,
  ): Promise<Threads> {
    const threads = new Threads(onFatal);
    try {
      await Promise.all(hosts.map((data) => threads.startOne(data)));
    } catch (error) {
      await threads.stop(1_000);
      throw error;
    }
    threads.asking = setInterval(() => {
      threads.tell({ kind: 'status' });
    }, statusEveryMs);
    threads.asking.unref();
    return threads;
  }

  /** As of the last answers. */
  statuses(): ActorStatus[] {
    return this.workers.flatMap(({ statuses }) => statuses);
  }

  /** Asks all threads anew. */
  async freshStatuses(): Promise<ActorStatus[]> {
    const answers = this.workers.map(
      ({ worker }) =>
        new Promise<void>((resolve) => {
          const onMessage = (message: WorkerMessage): void => {
            if (message.kind !== 'status') return;
            worker.off('message', onMessage);
            resolve();
          };
          worker.on('message', onMessage);
          worker.once('exit', () => {
            resolve();
          });
        }),
    );
    this.tell({ kind: 'status' });
    await Promise.all(answers);
    return this.statuses();
  }

  /** How many there are. */
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

  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.asking);
    this.tell({ kind: 'stop' });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)));
    await Promise.race([Promise.all(this.workers.map(({ stopped }) => stopped)), late]);
    clearTimeout(timer);
    await Promise.all(this.workers.map(({ worker }) => worker.terminate()));
  }

  private tell(command: WorkerCommand): void {
    for (const { worker } of this.workers) worker.postMessage(command);
  }

  private startOne(data: HostData): Promise<void> {
    const worker = new Worker(new URL('./main-worker.js', import.meta.url), { workerData: data, name: data.name });
    return new Promise((resolveStart, rejectStart) => {
      const stopped = new Promise<void>((resolveStopped) => {
        const own: Thread = { worker, statuses: [], stopped: Promise.resolve(), calls: new Map() };
        this.workers.push(own);
        let ended = false;
        worker.on('message', (message: WorkerMessage) => {
          if (message.kind === 'started') resolveStart();
          else if (message.kind === 'status') own.statuses = message.statuses;
          else if (message.kind === 'done') {
            const waiting = own.calls.get(message.call);
            own.calls.delete(message.call);
            if (message.error === undefined) waiting?.resolve();
            else waiting?.reject(revived(message.error));
          } else if (message.kind === 'stopped') {
            ended = true;
            resolveStopped();
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
          resolveStopped();
          for (const { reject } of own.calls.values())
            reject(transient('THREAD_EXIT', `thread ${data.name} has ended`));
          if (!ended && code !== 0)
            this.onFatal(transient('THREAD_EXIT', `thread ${data.name} ended with code ${code}`));
        });
      });
      this.workers.at(-1)!.stopped = stopped;
    });
  }
}
