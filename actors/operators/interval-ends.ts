/**
 * intervalEnds(source, everyMs): at each tick that passes multiples of `everyMs`, emits how many; each ends an epoch.
 *
 *   states   --a--b--c--d--|      ticks 3, 9, 10, 35; every 10
 *   result   --------x--y--|      x: 1 (the multiple 10)    y: 2 (20 and 30)
 *
 * Law: after a tick at t, ⌊t / everyMs⌋ epochs have ended in total, counted from 1970: however often they ticked, and whenever they began, all sources are
 * in the same epoch.
 */
import { filter, map, type Observable } from 'rxjs';
import type { Value } from '../../runtime/contract/stage.js';
import { multiples, type SourceState } from '../maths/watermark.js';

export interface IntervalEnd {
  readonly at: SourceState;
  readonly epochs: number;
}

export const intervalEnds =
  (source: Value<SourceState>, everyMs: number) =>
  (states: Observable<SourceState>): Observable<IntervalEnd> =>
    states.pipe(
      map(({ tickMs = 0, epochTickMs = 0 }) => {
        const epochs = multiples(tickMs, everyMs) - multiples(epochTickMs, everyMs);
        if (epochs > 0) source.set({ ...source.get(), epochTickMs: tickMs });
        return { at: source.get(), epochs };
      }),
      filter(({ epochs }) => epochs > 0),
    );
