/**
 * Open session windows: a table of sessions, and the earliest end among them.
 *
 *   an event at t is the session [t, t + gap); sessions of one key that meet are one
 *
 * So the open sessions at the end of an epoch depend on its events, not on their order. The rows of closed and merged sessions stay until they are most of
 * the table; then the open sessions move to a new one.
 */
import { partitionBy, type StateSpec, type Tables, tables, type Value } from '../../runtime/contract/stage.js';
import { isClosed, type SessionWindows } from '../maths/window.js';
import type { OpenWindows } from './open-windows.js';
import type { EpochRows } from './epoch-log.js';
import { admit, SESSION_KEY, sessionRows, type Sessions, type SessionTable, vacate } from './session-chains.js';
import { WindowOutput, type WindowRows } from './window-output.js';

export interface SessionState {
  /** One table, whose number increases when the open sessions move. */
  readonly sessions: Tables<typeof sessionRows.columns, (typeof SESSION_KEY)[number]>;
  /** No open session ends earlier. Infinity when there is none. */
  readonly earliestEnd: Value<number>;
}

export const sessionTables = (): StateSpec<SessionState['sessions']> => ({
  ...tables(sessionRows, { key: SESSION_KEY }),
  rescale: { kind: 'move', move: moveSessions },
});

/** Chains consist of row numbers, so sessions are added again. */
function moveSessions(from: readonly SessionState['sessions'][], to: readonly SessionState['sessions'][]): void {
  for (const old of from) {
    for (const number of old.numbers()) {
      partitionBy(openSessions(old.table(number)), 'user', to.length).forEach((sessions, q) => {
        if (sessions !== undefined) admit(to[q]!.table(0), sessions);
      });
    }
  }
}

/** The open sessions of a table, to be added to another. */
function openSessions(table: SessionTable): Sessions {
  const { count } = table.values;
  const open = Uint32Array.from(Array(table.rows).keys()).filter((row) => count[row]! > 0);
  const { type, rows, columns } = table.frame(open);
  return { type, rows, columns: { ...columns, slot: new Uint32Array(rows) } };
}

/** A smaller table is not worth moving. */
const MOVED_ROWS_MIN = 1024;

/** Session windows over their state, which contains all of their data. */
export class SessionWindowRows implements OpenWindows {
  constructor(
    private readonly state: SessionState,
    private readonly windows: SessionWindows,
  ) {}

  /** The table contains no closed session, so C is not needed. */
  add(epoch: EpochRows, _closedUpToMs: number, changed: WindowOutput | undefined): void {
    const table = this.table();
    const arriving = arrivalsOf(epoch, this.windows.paneMs);
    const rows = admit(table, arriving);
    const { earliestEnd } = this.state;
    const earliest = smallest(arriving.columns.end);
    if (earliest < earliestEnd.get()) earliestEnd.set(earliest);
    if (changed !== undefined) takeChanged(table, rows, changed);
  }

  rows(closedUpToMs: number): WindowRows {
    const { start } = this.table().values;
    const rows = this.closing(closedUpToMs).sort((a, b) => start[a]! - start[b]! || a - b);
    const sessions = this.table().frame(Uint32Array.from(rows));
    const output = new WindowOutput(sessions);
    const { start: from, end, count, added, time } = sessions.columns;
    for (let row = 0; row < sessions.rows; row++) {
      output.add(row, from[row]!, end[row]!, count[row]!, added[row]!, time[row]!);
    }
    return output.frame();
  }

  settle(): void {
    this.table().values.added.fill(0);
  }

  close(closedUpToMs: number): void {
    if (!this.mayClose(closedUpToMs)) return;
    const table = this.table();
    for (const row of this.closing(closedUpToMs)) vacate(table, row);
    const { count, end } = table.values;
    let open = 0;
    let earliest = Infinity;
    for (let row = 0; row < table.rows; row++) {
      if (count[row] === 0) continue;
      open++;
      if (end[row]! < earliest) earliest = end[row]!;
    }
    this.state.earliestEnd.set(earliest);
    if (table.rows >= MOVED_ROWS_MIN && open * 2 <= table.rows) this.move();
  }

  private table(): SessionTable {
    return this.state.sessions.table(this.state.sessions.numbers()[0] ?? 0);
  }

  private mayClose(closedUpToMs: number): boolean {
    return isClosed(this.state.earliestEnd.get(), this.windows, closedUpToMs);
  }

  /** Rows of the sessions that are closed at a watermark. While the earliest is open, none is read. */
  private closing(closedUpToMs: number): number[] {
    const rows: number[] = [];
    if (!this.mayClose(closedUpToMs)) return rows;
    const table = this.table();
    const { count, end } = table.values;
    for (let row = 0; row < table.rows; row++) {
      if (count[row]! > 0 && isClosed(end[row]!, this.windows, closedUpToMs)) rows.push(row);
    }
    return rows;
  }

  private move(): void {
    const { sessions } = this.state;
    const number = sessions.numbers()[0]!;
    const open = openSessions(this.table());
    sessions.drop(number);
    admit(sessions.table(number + 1), open);
  }
}

/** The events of an epoch as sessions, counted by key and pane: events of one pane are closer than the gap. */
function arrivalsOf({ rows, columns }: EpochRows, gapMs: number): Sessions {
  const { user, item, type, category, brand, price, added, first, time } = columns;
  const keys = { user, item, type, category, brand, price, slot: new Uint32Array(rows) };
  const end = time.map((timeMs) => timeMs + gapMs);
  return {
    type: sessionRows,
    rows,
    columns: { ...keys, start: first, end, count: added, added, time, next: new Uint32Array(rows) },
  };
}

/** Emits each changed session once, by start; resets `added` and `time`. */
function takeChanged(table: SessionTable, rows: Uint32Array, changed: WindowOutput): void {
  const { start, end, count, added, time } = table.values;
  const byStart = Array.from(rows.keys()).sort((a, b) => start[rows[a]!]! - start[rows[b]!]! || a - b);
  for (const from of byStart) {
    const row = rows[from]!;
    if (added[row] === 0) continue;
    changed.add(from, start[row]!, end[row]!, count[row]!, added[row]!, time[row]!);
    added[row] = 0;
    time[row] = -Infinity;
  }
}

function smallest(times: Float64Array): number {
  let min = Infinity;
  for (let row = 0; row < times.length; row++) if (times[row]! < min) min = times[row]!;
  return min;
}
