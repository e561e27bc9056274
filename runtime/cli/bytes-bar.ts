/** A progress bar of bytes, on a terminal and not with --json. */
import { SingleBar } from 'cli-progress';
import { bytesText } from './terminal.js';

export interface BytesBar {
  /** The number of bytes done; `what` is in progress. */
  update(bytes: number, what: string): void;
  /** Idempotent. */
  end(): void;
}

export function bytesBar(total: number, quiet: boolean): BytesBar {
  if (quiet || !process.stderr.isTTY) return { update: () => undefined, end: () => undefined };
  const format = `{bar} {percentage}% of ${bytesText(total)}  {what}  {duration_formatted}, {eta_formatted} left`;
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true });
  bar.start(total, 0, { what: '' });
  return {
    update: (bytes, what) => {
      bar.update(Math.min(bytes, total), { what });
    },
    end: () => {
      bar.stop();
    },
  };
}
