/** The progress of a command: a bar on stderr, on a terminal. */
import { SingleBar } from 'cli-progress';
import { interruptible } from './exit.js';
import { bytesText } from './terminal.js';

export interface ProgressBar {
  /** `what` is in progress. */
  update(done: number, what?: string): void;
  /** Idempotent. `total`: where it was only estimated. */
  end(total?: number): void;
}

/** `quiet`: with --json. */
export function progressBar(total: number, format: string, quiet = false): ProgressBar {
  if (quiet || !process.stderr.isTTY) return { update: () => undefined, end: () => undefined };
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true, etaBuffer: 1000 });
  bar.start(total, 0, { what: '' });
  return {
    update: (done, what) => {
      bar.update(done, { what });
    },
    end: (counted) => {
      if (counted !== undefined) bar.setTotal(counted);
      bar.stop();
    },
  };
}

export const bytesBar = (bytes: number, quiet: boolean): ProgressBar =>
  progressBar(
    bytes,
    `{bar} {percentage}% of ${bytesText(bytes)}  {what}  {duration_formatted}, {eta_formatted} left`,
    quiet,
  );

/** Of a command that reads the history through, until Ctrl-C. */
export function historyProgress(called: string) {
  const { signal, end } = interruptible();
  const bar = progressBar(100, '{bar} {percentage}% of the history  {what}  {duration_formatted}');
  return {
    signal,
    update: (share: number, found: number): void => {
      bar.update(Math.floor(share * 100), `${found} ${called}`);
    },
    end: (): void => {
      bar.end();
      end();
    },
  };
}
