/** What all kinds of windows have in common at the end of an epoch. */
import type { EpochRows } from './epoch-log.js';
import type { WindowOutput, WindowRows } from './window-output.js';

/** Windows that are not closed, over their state. */
export interface OpenWindows {
  /** Adds an epoch to the windows that C leaves open. With `changed`, what changes goes there, and `added` and `time` begin anew. */
  add(epoch: EpochRows, closedUpToMs: number, changed: WindowOutput | undefined): void;
  /** All rows of the windows that are closed at a watermark: at Infinity, of all. */
  rows(closedUpToMs: number): WindowRows;
  /** `added` begins anew everywhere. */
  settle(): void;
  /** Forgets the windows that are closed at a watermark. */
  close(closedUpToMs: number): void;
}
