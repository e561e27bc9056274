/**
 * followTicks(source): applies ticks to the state of a source, and emits the state after each.
 *
 *   ticks    --a--b--c--|      a: 10    b: 20    c: 15
 *   result   --x--y--z--|      x: {tick 10, quiet since 10}    y: {tick 20, quiet since 10}    z: {tick 20, quiet since 10}
 *
 * Law: the tick of the state never goes back.
 */
import { map, type Observable } from 'rxjs';
import type { Tick, Value } from '../../runtime/contract/stage.js';
import { afterTick, type SourceState } from '../maths/watermark.js';

export const followTicks =
  (source: Value<SourceState>) =>
  (ticks: Observable<Tick>): Observable<SourceState> =>
    ticks.pipe(
      map(({ timeMs }) => {
        source.set(afterTick(source.get(), timeMs));
        return source.get();
      }),
    );
