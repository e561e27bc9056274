/**
 * advanceWatermark(source, {delayMs, skewMs, idleAfterMs}): applies frames of events to the state of their source, and passes each on unchanged, with
 * whether it woke an idle source. Frames without rows are ignored.
 *
 *   frames   --a-----b--|      a: times 3, 7    b: time 5, after ticks that made the source idle
 *   result   --x-----y--|      x: a, not woken  y: b, woken; the state then holds W = 7 − delay
 *
 * Law: W after any frames = r(skew) of all their rows − delay, however rows are divided into frames.
 */
import { map, type Observable } from 'rxjs';
import type { FrameOf, Value } from '../../runtime/contract/stage.js';
import { afterRows, isIdle, reachedBy, type SourceState } from '../maths/watermark.js';
import type { parsedEvents } from '../model.js';

type Events = FrameOf<typeof parsedEvents>;

export interface Advance {
  readonly frame: Events;
  readonly woke: boolean;
}

export interface AdvanceOptions {
  readonly delayMs: number;
  readonly skewMs: number;
  readonly idleAfterMs: number;
}

export const advanceWatermark =
  (source: Value<SourceState>, { delayMs, skewMs, idleAfterMs }: AdvanceOptions) =>
  (frames: Observable<Events>): Observable<Advance> =>
    frames.pipe(
      map((frame) => {
        const state = source.get();
        const { time, storedAt } = frame.columns;
        if (frame.rows > 0) source.set(afterRows(state, reachedBy(time, storedAt, skewMs), delayMs));
        return { frame, woke: frame.rows > 0 && isIdle(state, idleAfterMs) };
      }),
    );
