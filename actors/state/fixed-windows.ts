/**
 * Open tumbling and hopping windows, for outputs that report what a window has in all: one table of rows for each window start.
 *
 *   count(w, key) = Σ added(pane, key)      over the panes of w, over all epochs
 */
import { CodeMap, FrameBuilder, type FrameOf, frameType, type StateOf, tables } from '../../runtime/contract/stage.js';
import { type FixedWindows, isClosed, openStartsOf, rowsByWindow } from '../maths/window.js';
import { rowKey, windowRows } from '../model.js';
import type { OpenWindows } from './open-windows.js';
import { type EpochRows, ROW_KEY, ROW_TEXTS } from './epoch-log.js';
import type { WindowRows } from './window-output.js';

/** A row of a window. `added` is of the epochs since it was emitted last; `count` is the total, `time` the latest. */
export const openRows = frameType('open-row', {
  ...rowKey,
  count: 'u32',
  added: 'u32',
  time: 'f64',
});

type OpenRows = FrameOf<typeof openRows>;
export const windowTables = () => tables(openRows, { key: ROW_KEY, by: 'user' });
export type WindowTables = StateOf<ReturnType<typeof windowTables>>;

/** The fixed windows over a state, which contains all of their data. */
export class FixedWindowRows implements OpenWindows {
  constructor(
    private readonly tables: WindowTables,
    private readonly windows: FixedWindows,
  ) {}

  add(epoch: EpochRows, closedUpToMs: number): void {
    for (const { start, rows } of rowsByWindow(epoch.columns.pane, openStartsOf(this.windows, closedUpToMs))) {
      const table = this.tables.table(start);
      const found = table.upsert(epoch.columns, rows);
      addCounts(table.values, found, epoch, rows);
    }
  }

  rows(closedUpToMs: number): WindowRows {
    const closing = this.starts(closedUpToMs);
    const capacity = closing.reduce((sum, start) => sum + this.tables.table(start).rows, 0);
    const builder = new FrameBuilder(windowRows, capacity);
    for (const start of closing) {
      appendTable(builder, this.tables.table(start).frame(), start, start + this.windows.sizeMs);
    }
    return builder.finish();
  }

  settle(): void {
    for (const start of this.tables.numbers()) this.tables.table(start).values.added.fill(0);
  }

  close(closedUpToMs: number): void {
    for (const start of this.starts(closedUpToMs)) this.tables.drop(start);
  }

  /** Of the windows that are closed at a watermark, ascending. */
  private starts(closedUpToMs: number): number[] {
    const { windows } = this;
    return this.tables.numbers().filter((start) => isClosed(start + windows.sizeMs, windows, closedUpToMs));
  }
}

type Values = ReturnType<WindowTables['table']>['values'];

/** Adds rows of an epoch to their rows of a window. */
function addCounts({ count, added, time }: Values, found: Uint32Array, epoch: EpochRows, rows: Uint32Array): void {
  const { added: more, time: latest } = epoch.columns;
  for (let i = 0; i < found.length; i++) {
    const row = found[i]!;
    const from = rows[i]!;
    if (count[row] === 0 || latest[from]! > time[row]!) time[row] = latest[from]!;
    count[row]! += more[from]!;
    added[row]! += more[from]!;
  }
}

/** Adds all rows of a window to a frame that is being built. */
function appendTable(
  builder: FrameBuilder<typeof windowRows.columns>,
  frame: OpenRows,
  start: number,
  end: number,
): void {
  const { rows: at, columns: to } = builder;
  const { columns: from, rows } = frame;
  to.windowStart.fill(start, at, at + rows);
  to.windowEnd.fill(end, at, at + rows);
  to.type.set(from.type, at);
  to.price.set(from.price, at);
  to.count.set(from.count, at);
  to.added.set(from.added, at);
  to.time.set(from.time, at);
  for (const name of ROW_TEXTS) {
    const { codes, dictionary } = from[name];
    const map = new CodeMap(dictionary, to[name].dictionary);
    for (let row = 0; row < rows; row++) to[name].codes[at + row] = map.get(codes[row]!);
  }
  builder.rows += rows;
}
