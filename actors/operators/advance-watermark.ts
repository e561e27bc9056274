/**
 * advanceWatermark(cell, {delayMs, idleAfterMs}): takes frames of events into the state of their source, and passes each on as it is, with
 * whether it woke an idle source. Frames without rows are nothing.
 *
 *   frames   --a-----b--|      a: times 3, 7    b: time 5, after ticks that made the source idle
 *   result   --x-----y--|      x: a, not woken  y: b, woken; the cell then holds W = 7 − delay
 *
 * Law: W after any frames = max over all their times − delay, however rows are put into frames.
 */
import { map, type Observable } from 'rxjs';
import type { FrameOf, Value } from '../../runtime/contract/stage.js';
import { afterRows, isIdle, type SourceState } from '../maths/watermark.js';
import type { events } from '../model.js';

type Events = FrameOf<typeof events>;

export interface Advance {
  readonly frame: Events;
  readonly woke: boolean;
}

export const advanceWatermark =
  (cell: Value<SourceState>, { delayMs, idleAfterMs }: { readonly delayMs: number; readonly idleAfterMs: number }) =>
  (frames: Observable<Events>): Observable<Advance> =>
    frames.pipe(
      map((frame) => {
        const state = cell.get();
        if (frame.rows > 0) cell.set(afterRows(state, latest(frame.columns.time), delayMs));
        return { frame, woke: frame.rows > 0 && isIdle(state, idleAfterMs) };
      }),
    );

function latest(times: Float64Array): number {
  let max = -Infinity;
  for (let i = 0; i < times.length; i++) if (times[i]! > max) max = times[i]!;
  return max;
}
