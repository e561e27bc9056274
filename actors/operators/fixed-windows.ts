/**
 * Open tumbling and hopping windows: one table of rows for each window start.
 *
 *   count(w, key) = Σ added(pane, key) over the panes of w, over all epochs
 */
import { CodeMap, type Dictionary, FrameBuilder, frameType, type Tables, tables } from '../../runtime/stage.js';
import { type FixedWindows, isClosed, startsOf } from '../maths/window.js';
import { windowRows } from '../model.js';
import { type EpochRows, ROW_KEY } from './count-in-epoch.js';
import { WindowOutput, type WindowRows } from './window-output.js';

/** A row of one window. `added` and `time` are of the running epoch where rows go out as they change, else `time` is of all epochs. */
export const openRows = frameType('open-row', {
  user: 'text',
  item: 'text',
  type: 'u8',
  category: 'text',
  brand: 'text',
  price: 'f64',
  count: 'u32',
  added: 'u32',
  time: 'f64',
});

export type WindowTables = Tables<typeof openRows.columns>;
export const windowTables = () => tables(openRows, { key: ROW_KEY });
