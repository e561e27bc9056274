/**
 * closeWindows(cells, open, output): at the end of an epoch moves its counts into the windows, passes on window rows, and closes what W closes.
 *
 *   update     rows that the epoch changed             added, time: of the epoch
 *   append     rows of the windows that close here     added = count    time: the latest
 *   complete   rows of all windows that were open      added: of the epoch    time: the latest
 *
 *   ends     --a--b--|      W −∞, 600; update; the epoch counted pane 600: 2 (k), then pane 600: 1 (k), pane 900: 1 (k)
 *   result   --x--y--|      x: 600 k 2 (+2)    y: 600 k 3 (+1), 900 k 1 (+1)
 *
 * Law: C = max over the W of all epoch ends, and only then: the end of an epoch closes what its own W says for the epochs after it.
 */
import { filter, map, type Observable } from 'rxjs';
import type { EpochEnd } from '../../runtime/contract/stage.js';
import type { EpochCells } from './count-in-epoch.js';
import type { EpochRows } from '../state/epoch-log.js';
import { WindowOutput, type WindowRows } from '../state/window-output.js';

export type OutputMode = 'update' | 'append' | 'complete';

/** Windows that are not closed, over cells. */
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

export const closeWindows =
  (cells: EpochCells, open: OpenWindows, output: OutputMode) =>
  (ends: Observable<EpochEnd>): Observable<WindowRows> =>
    ends.pipe(
      map(({ watermarkMs }) => {
        const rows = rowsAtEnd(cells, open, output, watermarkMs);
        open.close(watermarkMs);
        if (watermarkMs > cells.closedUpTo.get()) cells.closedUpTo.set(watermarkMs);
        return rows;
      }),
      filter((rows): rows is WindowRows => rows !== undefined && rows.rows > 0),
    );

function rowsAtEnd(
  { epoch, closedUpTo }: EpochCells,
  open: OpenWindows,
  output: OutputMode,
  watermarkMs: number,
): WindowRows | undefined {
  const running = epoch.take();
  const changed = output === 'update' && running !== undefined ? new WindowOutput(running) : undefined;
  if (running !== undefined) open.add(running, closedUpTo.get(), changed);
  if (output === 'update') return changed?.frame();
  if (output === 'append') return open.rows(watermarkMs);
  const rows = open.rows(Infinity);
  open.settle();
  return rows;
}
