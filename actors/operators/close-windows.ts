/**
 * closeWindows(state, open, output): at the end of an epoch moves its counts into the windows, emits window rows, and closes the windows that W closes.
 *
 *   update     rows that the epoch changed             added, time: of the epoch
 *   append     rows of the windows that close here     added = count    time: the latest
 *   complete   rows of all windows that were open      added: of the epoch    time: the latest
 *
 *   ends     --a--b--|      W −∞, 600; update; the epoch counted pane 600: 2 (k), then pane 600: 1 (k), pane 900: 1 (k)
 *   result   --x--y--|      x: 600 k 2 (+2)    y: 600 k 3 (+1), 900 k 1 (+1)
 *
 * Law: C = max over the W of all epoch ends, and only then: the W of an epoch's end closes windows for the epochs after it.
 */
import { filter, map, type Observable } from 'rxjs';
import type { EpochEnd } from '../../runtime/contract/stage.js';
import type { EpochState } from '../state/epoch-log.js';
import type { OpenWindows } from '../state/open-windows.js';
import { WindowOutput, type WindowRows } from '../state/window-output.js';

export type OutputMode = 'update' | 'append' | 'complete';

export const closeWindows =
  (state: EpochState, open: OpenWindows, output: OutputMode) =>
  (ends: Observable<EpochEnd>): Observable<WindowRows> =>
    ends.pipe(
      map(({ watermarkMs }) => {
        const rows = rowsAtEnd(state, open, output, watermarkMs);
        open.close(watermarkMs);
        if (watermarkMs > state.closedUpTo.get()) state.closedUpTo.set(watermarkMs);
        return rows;
      }),
      filter((rows): rows is WindowRows => rows !== undefined && rows.rows > 0),
    );

function rowsAtEnd(
  { epoch, closedUpTo }: EpochState,
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
