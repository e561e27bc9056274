import { map, merge } from 'rxjs';
import { input, stage, value } from '../runtime/stage.js';
import { instant } from './maths/instant.js';
import { type WindowKind, windowsOf } from './maths/window.js';
import { events, windowRows } from './model.js';
import { closeWindows, type OutputMode } from './operators/close-windows.js';
import { countInEpoch, epochTables } from './operators/count-in-epoch.js';
import { FixedWindowRows, windowTables } from './operators/fixed-windows.js';

export interface WindowOptions {
  readonly kind?: WindowKind;
  readonly allowedLatenessMs?: number;
  readonly output?: OutputMode;
}

export const window = ({ kind = { kind: 'tumbling' }, allowedLatenessMs = 0, output = 'update' }: WindowOptions = {}) => {
  const windows = windowsOf(kind, allowedLatenessMs);
  return stage({
    id: 'window',
    key: 'user',
    version: 1,
    inputs: { events: input(events) },
    outputs: { rows: windowRows, late: events },
    state: { epoch: epochTables(), windows: windowTables(), closedUpTo: value(() => -Infinity, instant) },
    pipeline: ({ inputs, epochEnds, state, out, count }) => {
      const open = new FixedWindowRows(state.windows, windows as never);
      return merge(
        inputs.events.pipe(
          countInEpoch(state, windows, count),
          map((late) => out.late(late)),
        ),
        epochEnds.pipe(
          closeWindows(state, open, output),
          map((rows) => out.rows(rows)),
        ),
      );
    },
  });
};
