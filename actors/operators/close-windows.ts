/**
 * closeWindows(state, rowsAtEnd): at the end of an epoch emits its window rows, and closes the windows that W closes.
 *
 *   update     rows that the epoch changed             count, added, time: of the epoch; the count of a session: in all
 *   append     rows of the windows that close here     added = count    time: the latest
 *   complete   rows of all windows that were open      added: of the epoch    time: the latest
 *
 *   ends     --a--b--|      W −∞, 600; update; the epoch counted pane 600: 2 (k), then pane 600: 1 (k), pane 900: 1 (k)
 *   result   --x--y--|      x: 600 k 2    y: 600 k 1, 900 k 1
 *
 * Law: C = max over the W of all epoch ends, and only then: the W of an epoch's end closes windows for the epochs after it.
 */
import { filter, map, type Observable } from 'rxjs';
import type { EpochEnd } from '../../runtime/contract/stage.js';
import type { FixedWindows } from '../maths/window.js';
import { changedRows } from '../state/changed-rows.js';
import type { EpochRows, EpochState } from '../state/epoch-log.js';
import type { WindowTables } from '../state/fixed-windows.js';
import type { OpenWindows } from '../state/open-windows.js';
import { WindowOutput, type WindowRows } from '../state/window-output.js';

export type OutputMode = 'update' | 'append' | 'complete';

/** What an epoch emits at its end: its events, C, and W. */
export type RowsAtEnd = (
  running: EpochRows | undefined,
  closedUpToMs: number,
  watermarkMs: number,
) => WindowRows | undefined;

export const closeWindows =
  ({ epoch, closedUpTo }: EpochState, rowsAtEnd: RowsAtEnd) =>
  (ends: Observable<EpochEnd>): Observable<WindowRows> =>
    ends.pipe(
      map(({ watermarkMs }) => {
        const rows = rowsAtEnd(epoch.take(), closedUpTo.get(), watermarkMs);
        if (watermarkMs > closedUpTo.get()) closedUpTo.set(watermarkMs);
        return rows;
      }),
      filter((rows): rows is WindowRows => rows !== undefined && rows.rows > 0),
    );

/** Of the epoch alone. Builds before stored the rows of open windows for it: they are dropped. */
export const changesIn =
  (windows: FixedWindows, stored: WindowTables): RowsAtEnd =>
  (running, closedUpToMs) => {
    for (const start of stored.numbers()) stored.drop(start);
    return running === undefined ? undefined : changedRows(running, windows, closedUpToMs);
  };

export const ofOpenWindows =
  (open: OpenWindows, output: OutputMode): RowsAtEnd =>
  (running, closedUpToMs, watermarkMs) => {
    const changed = output === 'update' && running !== undefined ? new WindowOutput(running) : undefined;
    if (running !== undefined) open.add(running, closedUpToMs, changed);
    const rows = output === 'update' ? changed?.frame() : open.rows(output === 'append' ? watermarkMs : Infinity);
    if (output === 'complete') open.settle();
    open.close(watermarkMs);
    return rows;
  };
