/**
 * oncePerInterval(cell, everyMs): passes on the states whose tick is the first past a multiple of `everyMs`, and notes it as the end of an
 * epoch. The very first tick only starts the count.
 *
 *   states   --a--b--c--d--|      ticks 3, 9, 10, 35; every 10
 *   result   --------x--y--|      x: the state at 10    y: at 35, once for the multiples 20 and 30
 *
 * Law: each multiple of `everyMs` after the first tick ends at most one epoch, at the first tick that is not before it.
 */
import { filter, map, type Observable } from 'rxjs';
import type { Value } from '../../runtime/stage.js';
import { crosses, type SourceState } from '../maths/watermark.js';

export const oncePerInterval =
  (cell: Value<SourceState>, everyMs: number) =>
  (states: Observable<SourceState>): Observable<SourceState> =>
    states.pipe(
      filter(({ tickMs, epochTickMs }) => {
        if (tickMs === undefined) return false;
        const passes = epochTickMs !== undefined && crosses(epochTickMs, tickMs, everyMs);
        if (passes || epochTickMs === undefined) cell.set({ ...cell.get(), epochTickMs: tickMs });
        return passes;
      }),
      map(() => cell.get()),
    );
