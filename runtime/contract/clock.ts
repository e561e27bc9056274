/** The clocks of this machine, for supervision, telemetry and retries. */
import { availableParallelism } from 'node:os';
import type { Clock } from './ports.js';

export const systemClock: Clock = clockOf({ keepsProcess: true });

/** Its pauses do not keep the process running. */
export const backgroundClock: Clock = clockOf({ keepsProcess: false });

function clockOf({ keepsProcess }: { readonly keepsProcess: boolean }): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    cpuMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    cores: availableParallelism(),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) {
          resolve();
          return;
        }
        const done = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        if (!keepsProcess) timer.unref();
        signal?.addEventListener('abort', done);
      }),
  };
}
