/**
 * countInEpoch(state, windows, count): adds events that are on time to the log of the current epoch, and emits those that are late.
 *
 *   frames   --a--b--|      C = 600: windows that end by then are closed; size 300
 *   result   -----x--|      a: times 601, 900    b: 299, 602    x: 299; the log then holds 601, 900, 602
 *
 * Law: on time + late = events; which is which depends neither on order nor on how the events of an epoch are divided into frames.
 */
import { filter, map, type Observable } from 'rxjs';
import { type Counter, type FrameOf, frameOf, gather } from '../../runtime/contract/stage.js';
import { isLate, type Windows } from '../maths/window.js';
import { events } from '../model.js';
import type { EpochState } from '../state/epoch-log.js';

type Events = FrameOf<typeof events>;

const NO_EVENTS = frameOf(events, []);

export const countInEpoch =
  ({ epoch, closedUpTo }: EpochState, windows: Windows, count: (counter: Counter, n: number) => void) =>
  (frames: Observable<Events>): Observable<Events> =>
    frames.pipe(
      map((frame) => {
        const { onTime, late } = splitLate(frame, windows, closedUpTo.get());
        if (late.length < frame.rows) epoch.add(frame, onTime);
        count('on_time', frame.rows - late.length);
        count('late', late.length);
        return late.length === 0 ? NO_EVENTS : gather(frame, late);
      }),
      filter((late) => late.rows > 0),
    );

interface Split {
  /** Row numbers; absent for all. */
  readonly onTime: Uint32Array | undefined;
  readonly late: Uint32Array;
}

function splitLate({ rows, columns: { time } }: Events, windows: Windows, closedUpToMs: number): Split {
  // Lateness is monotonic in time: if the oldest is on time, as it usually is, all are.
  if (!isLate(oldest(time), windows, closedUpToMs)) return { onTime: undefined, late: NONE };
  const onTime: number[] = [];
  const late: number[] = [];
  for (let row = 0; row < rows; row++) (isLate(time[row]!, windows, closedUpToMs) ? late : onTime).push(row);
  return { onTime: Uint32Array.from(onTime), late: Uint32Array.from(late) };
}

const NONE = new Uint32Array(0);

function oldest(times: Float64Array): number {
  let min = Infinity;
  for (let row = 0; row < times.length; row++) if (times[row]! < min) min = times[row]!;
  return min;
}
