/**
 * window: the events of each user, counted in windows of event time.
 *
 *   count(w, k) = number of events in window w with key k      k = (user, item, type, category, brand, price); an absent price is a value too
 *
 *   late    ⇔ every window of the event has end + lateness ≤ C     C  the highest W that has ended an epoch before this one
 *   at the end of epoch n: rows are emitted, then windows with end + lateness ≤ W close for good, then C = max(C, W)
 *   W  the watermark known at the start of epoch n
 *
 * This is the rule of Spark 3.5, row for row; whether an event is late does not depend on order within its epoch. Late events are counted
 * and emitted on `late` at once. The output `rows`, windows ascending, then keys in order of first appearance:
 *
 *   update     the rows that the epoch changed: `count` and `added` by the epoch, `time` the latest that it added; the `count` of a session is in all
 *   append     the rows of the windows that close here: added = count, `time` the latest
 *   complete   the rows of all windows that were open, changed or not: it costs as much as all open rows, so it is for few keys
 *
 * Sessions: events of one key closer than the gap share one; [first, last + gap) are its bounds. Whether an event is late is decided by
 * [time, time + gap) alone, as in Spark, not by a session that it might have joined. A session that grew or absorbed another is emitted with its new
 * bounds; the end of its former bounds is not reported.
 *
 * Events of the past are rows of their own windows, on an output of their own: never late, and in no table, since those windows are closed.
 *
 * State    the events of the running epoch, C; of sessions, and for output append and complete, also the rows of open windows. Bounded by what W leaves open.
 * Restart  restored with the snapshot, in the middle of an epoch too; the same rows come out, in the same order.
 */
import { map, merge } from 'rxjs';
import { input, stage, value } from '../runtime/contract/stage.js';
import { instant } from './maths/instant.js';
import { type WindowKind, windowsOf } from './maths/window.js';
import { events, windowRows } from './model.js';
import { changesIn, closeWindows, ofOpenWindows, type OutputMode } from './operators/close-windows.js';
import { countInEpoch } from './operators/count-in-epoch.js';
import { passPast } from './operators/pass-past.js';
import { epochLog } from './state/epoch-log.js';
import { FixedWindowRows, windowTables } from './state/fixed-windows.js';
import { sessionTables, SessionWindowRows } from './state/session-windows.js';

export interface WindowOptions {
  /** Default: tumbling windows of 5 minutes. */
  readonly kind?: WindowKind;
  /** How much longer than its end a window stays open. */
  readonly allowedLatenessMs?: number;
  readonly output?: OutputMode;
}

const lowest = (instants: readonly number[]): number => Math.min(...instants);

const TUMBLING: WindowKind = { kind: 'tumbling' };

export const window = ({ kind = TUMBLING, allowedLatenessMs = 0, output = 'update' }: WindowOptions = {}) => {
  const windows = windowsOf(kind, allowedLatenessMs);
  return stage({
    id: 'window',
    key: 'user',
    version: 1,
    inputs: { events: input(events), past: input(events) },
    outputs: { rows: windowRows, past: windowRows, late: events },
    state: {
      epoch: epochLog({ paneMs: windows.paneMs, counted: windows.kind === 'session' }),
      // A window that is open in any partition stays open.
      closedUpTo: value(() => -Infinity, instant, lowest),
      windows: windowTables(),
      sessions: sessionTables(),
      earliestEnd: value(() => Infinity, instant, lowest),
    },
    counts: ['on_time', 'late'],
    pipeline: ({ inputs, epochEnds, state, out, count }) => {
      const rowsAtEnd =
        windows.kind === 'session'
          ? ofOpenWindows(new SessionWindowRows(state, windows), output)
          : output === 'update'
            ? changesIn(windows, state.windows)
            : ofOpenWindows(new FixedWindowRows(state.windows, windows), output);
      return merge(
        inputs.past.pipe(
          passPast(windows, count),
          map((rows) => out.past(rows)),
        ),
        inputs.events.pipe(
          countInEpoch(state, windows, count),
          map((late) => out.late(late)),
        ),
        epochEnds.pipe(
          closeWindows(state, rowsAtEnd),
          map((rows) => out.rows(rows)),
        ),
      );
    },
  });
};
