/**
 * Open tumbling and hopping windows: a table of rows for each block of neighbouring windows, by the start of the block.
 *
 *   count(w, key) = Σ added(pane, key)      over the panes of w, over all epochs
 *   w = block + window · slide              window  its number within the block
 *
 * A block is one window, unless rows are emitted as they change and time is sparse: a table of its own would be most of the cost of a window with a row
 * or two.
 */
import { CodeMap, FrameBuilder, type FrameOf, frameType, type StateOf, tables } from '../../runtime/contract/stage.js';
import { type FixedWindows, isClosed, rowsByWindow, type RowsOfWindow, startsOf } from '../maths/window.js';
import { rowKey, windowRows } from '../model.js';
import type { OpenWindows } from './open-windows.js';
import { type EpochRows, ROW_KEY, ROW_TEXTS } from './epoch-log.js';
import type { WindowOutput, WindowRows } from './window-output.js';

/** A row of a window. `added` and `time` refer to what has not been emitted yet; `count` is the total. */
export const openRows = frameType('open-row', {
  window: 'u32',
  ...rowKey,
  count: 'u32',
  added: 'u32',
  time: 'f64',
});

type OpenRows = FrameOf<typeof openRows>;
export const windowTables = () => tables(openRows, { key: ['window', ...ROW_KEY], by: 'user' });
export type WindowTables = StateOf<ReturnType<typeof windowTables>>;

/** The fixed windows over a state, which contains all of their data. */
export class FixedWindowRows implements OpenWindows {
  constructor(
    private readonly tables: WindowTables,
    private readonly windows: FixedWindows,
    /** Windows per block; several only if they are tumbling, and neither `rows` nor `settle` are called. */
    private readonly perBlock = 1,
  ) {}

  add(epoch: EpochRows, closedUpToMs: number, changed: WindowOutput | undefined): void {
    const { windows, perBlock } = this;
    const { pane } = epoch.columns;
    const columns = { ...epoch.columns, window: new Uint32Array(epoch.rows) };
    for (const { start: block, rows } of perBlock === 1 ? this.ofWindows(pane, closedUpToMs) : this.ofBlocks(pane)) {
      if (perBlock > 1) for (const row of rows) columns.window[row] = (pane[row]! - block) / windows.slideMs;
      const table = this.tables.table(block);
      const found = table.upsert(columns, rows);
      addCounts(table.values, found, epoch, rows);
      if (changed === undefined) continue;
      const startOf = (row: number): number => block + columns.window[row]! * windows.slideMs;
      takeChanged(table.values, found, rows, startOf, windows.sizeMs, changed);
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
    for (const block of this.tables.numbers()) {
      if (this.isOver(block, this.perBlock - 1, closedUpToMs)) this.tables.drop(block);
      else if (this.isOver(block, 0, closedUpToMs)) this.keepOpen(block, closedUpToMs);
    }
  }

  private ofWindows(panes: Float64Array, closedUpToMs: number): RowsOfWindow[] {
    const { windows } = this;
    return rowsByWindow(panes, (pane) =>
      startsOf(pane, windows).filter((start) => !isClosed(start + windows.sizeMs, windows, closedUpToMs)),
    );
  }

  /** Windows ascending, as panes are: the rows of closed ones are late, and not here. */
  private ofBlocks(panes: Float64Array): RowsOfWindow[] {
    const blockMs = this.windows.slideMs * this.perBlock;
    const blocks = panes.map((pane) => Math.floor(pane / blockMs) * blockMs);
    const groups = rowsByWindow(blocks, (block) => [block]);
    for (const { rows } of groups) rows.sort((a, b) => panes[a]! - panes[b]! || a - b);
    return groups;
  }

  private isOver(block: number, window: number, closedUpToMs: number): boolean {
    const { windows } = this;
    return isClosed(block + window * windows.slideMs + windows.sizeMs, windows, closedUpToMs);
  }

  /** Drops the rows of closed windows when they are more than half of a block. */
  private keepOpen(block: number, closedUpToMs: number): void {
    const table = this.tables.table(block);
    const window = table.keyOf('window');
    const open = Uint32Array.from(window.keys()).filter((row) => !this.isOver(block, window[row]!, closedUpToMs));
    if (open.length * 2 > table.rows) return;
    const rows = table.frame(open);
    this.tables.drop(block);
    this.tables.table(block).put(rows);
  }

  /** Of the windows that are closed at a watermark, ascending. */
  private starts(closedUpToMs: number): number[] {
    return this.tables.numbers().filter((start) => this.isOver(start, 0, closedUpToMs));
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

/** Emits each changed row once, in the order of the epoch; resets `added` and `time`. */
function takeChanged(
  { count, added, time }: Values,
  found: Uint32Array,
  rows: Uint32Array,
  startOf: (row: number) => number,
  sizeMs: number,
  changed: WindowOutput,
): void {
  for (let i = 0; i < found.length; i++) {
    const row = found[i]!;
    if (added[row] === 0) continue;
    const start = startOf(rows[i]!);
    changed.add(rows[i]!, start, start + sizeMs, count[row]!, added[row]!, time[row]!);
    added[row] = 0;
    time[row] = -Infinity;
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
