/** The threads of a node: starts workers, asks them how they are, stops them within a deadline. */
import { Worker } from 'node:worker_threads';
import { transient } from './errors.js';
import { type HostData, revived, WAITS_FOR_DATA, type WorkerCommand, type WorkerMessage } from './main-worker.js';
import type { ActorStatus } from './status.js';

/** Threads that load what they need while there is no data for them yet: it takes them longer than it takes NATS to start. */
export const loadingThreads = (count: number): Worker[] =>
  Array.from({ length: count }, (_, i) => {
    const url = new URL('./main-worker.js', import.meta.url);
    return new Worker(url, { workerData: WAITS_FOR_DATA, name: `worker-${i}` });
  });

export class Threads {
  private readonly workers: {
    readonly worker: Worker;
    readonly name: string;
    statuses: readonly ActorStatus[];
    loopDelayMs: number;
    stopped: Promise<void>;
  }[] = [];
  private asking: NodeJS.Timeout | undefined;

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

  /** The longest that each thread's event loop was held up since the last call, as of the last answers. */
  takeLoopDelays(): [thread: string, ms: number][] {
    return this.workers.map((own) => {
      const { name, loopDelayMs } = own;
      own.loopDelayMs = 0;
      return [name, loopDelayMs];
    });
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

  private startOne(data: HostData, worker: Worker): Promise<void> {
    worker.postMessage(data);
    return new Promise((resolveStart, rejectStart) => {
      const stopped = new Promise<void>((resolveStopped) => {
        const { name } = data;
        const own: (typeof this.workers)[number] = {
          ...{ worker, name, statuses: [], loopDelayMs: 0, stopped: Promise.resolve() },
        };
        this.workers.push(own);
        let ended = false;
        worker.on('message', (message: WorkerMessage) => {
          if (message.kind === 'started') resolveStart();
          else if (message.kind === 'status') {
            own.statuses = message.statuses;
            own.loopDelayMs = Math.max(own.loopDelayMs, message.loopDelayMs);
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
          if (!ended && code !== 0)
            this.onFatal(transient('THREAD_EXIT', `thread ${data.name} ended with code ${code}`));
        });
      });
      this.workers.at(-1)!.stopped = stopped;
    });
  }
}
