/**
 * countInEpoch(cells, windows, count): takes events that are on time into the log of the running epoch, and passes on those that are late.
 *
 *   frames   --a--b--|      C = 600: windows that end by then are closed; size 300
 *   result   -----x--|      a: times 601, 900    b: 299, 602    x: 299; the log then holds 601, 900, 602
 *
 * Law: on time + late = events; which is which depends neither on order nor on how the events of an epoch are put into frames.
 */
import { filter, map, type Observable } from 'rxjs';
import { type Counter, type FrameOf, frameOf, gather, type Value } from '../../runtime/stage.js';
import { isLate, type Windows } from '../maths/window.js';
import { events } from '../model.js';
import type { EpochLog } from './epoch-log.js';

type Events = FrameOf<typeof events>;

const NO_EVENTS = frameOf(events, []);

export interface EpochCells {
  readonly epoch: EpochLog;
  /** C */
  readonly closedUpTo: Value<number>;
}

export const countInEpoch =
  ({ epoch, closedUpTo }: EpochCells, windows: Windows, count: (counter: Counter, n: number) => void) =>
  (frames: Observable<Events>): Observable<Events> =>
    frames.pipe(
      map((frame) => {
        const { onTime, late } = splitLate(frame, windows, closedUpTo.get());
        if (onTime.rows > 0) epoch.add(onTime);
        count('on_time', onTime.rows);
        count('late', late.rows);
        return late;
      }),
      filter((late) => late.rows > 0),
    );

interface Split {
  readonly onTime: Events;
  readonly late: Events;
}

function splitLate(frame: Events, windows: Windows, closedUpToMs: number): Split {
  const { time } = frame.columns;
  const isLateRow = (row: number): boolean => isLate(time[row]!, windows, closedUpToMs);
  // Lateness is monotone in time: where the oldest is on time, and mostly it is, all are.
  if (!isLateRow(oldest(time))) return { onTime: frame, late: NO_EVENTS };
  const lateRows: number[] = [];
  const onTimeRows: number[] = [];
  for (let row = 0; row < frame.rows; row++) (isLateRow(row) ? lateRows : onTimeRows).push(row);
  return { onTime: gather(frame, Uint32Array.from(onTimeRows)), late: gather(frame, Uint32Array.from(lateRows)) };
}

/** The row of the smallest time. */
function oldest(times: Float64Array): number {
  let oldestRow = 0;
  for (let row = 1; row < times.length; row++) if (times[row]! < times[oldestRow]!) oldestRow = row;
  return oldestRow;
}
