/** The common interface of all kinds of windows at the end of an epoch. */
import type { EpochRows } from './epoch-log.js';
import type { WindowOutput, WindowRows } from './window-output.js';

/** Windows that are not closed, over their state. */
export interface OpenWindows {
  /** Adds an epoch to the windows that C leaves open. With `changed`, emits the changes there, and resets `added` and `time`. */
  add(epoch: EpochRows, closedUpToMs: number, changed: WindowOutput | undefined): void;
  /** All rows of the windows that are closed at a watermark: at Infinity, of all. */
  rows(closedUpToMs: number): WindowRows;
  /** Resets `added` everywhere. */
  settle(): void;
  /** Drops the windows that are closed at a watermark. */
  close(closedUpToMs: number): void;
}
