/**
 * passPast(windows, count): events of the past as window rows, at once: each event is a row of each window that its time is in.
 *
 *   frames   --a--|      a: times 601, 299; size 300
 *   result   --x--|      x: [600, 900) k 1 (+1), [0, 300) k 1 (+1)
 *
 * No event of the past is late, and no open window counts it: `count` is that of the row. A session of it is [time, time + gap).
 *
 * Law: the rows depend neither on C nor on how the events are divided into frames.
 */
import { map, type OperatorFunction } from 'rxjs';
import { type Counter, type FrameOf, gather } from '../../runtime/contract/stage.js';
import { startsOf, type Windows } from '../maths/window.js';
import { type events, windowRows } from '../model.js';

type Events = FrameOf<typeof events>;
type Rows = FrameOf<typeof windowRows>;

export const passPast = (
  windows: Windows,
  count: (counter: Counter, n: number) => void,
): OperatorFunction<Events, Rows> =>
  map((frame) => {
    count('on_time', frame.rows);
    return rowsOf(frame, windows);
  });

function rowsOf(frame: Events, windows: Windows): Rows {
  const [starts, of]: [number[], number[]] = [[], []];
  const { time } = frame.columns;
  for (let row = 0; row < frame.rows; row++) {
    for (const start of windows.kind === 'session' ? [time[row]!] : startsOf(time[row]!, windows)) {
      starts.push(start);
      of.push(row);
    }
  }
  const once = starts.length === frame.rows;
  const { rating: _, ...columns } = (once ? frame : gather(frame, Uint32Array.from(of))).columns;
  const lengthMs = windows.kind === 'session' ? windows.paneMs : windows.sizeMs;
  return {
    type: windowRows,
    rows: starts.length,
    columns: {
      windowStart: Float64Array.from(starts),
      windowEnd: Float64Array.from(starts, (start) => start + lengthMs),
      ...columns,
      count: new Uint32Array(starts.length).fill(1),
      added: new Uint32Array(starts.length).fill(1),
    },
  };
}
