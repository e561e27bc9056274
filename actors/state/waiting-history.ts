/**
 * waiting-history: accepted events on their way into the history, in order of arrival.
 *
 * Some thousand compress to half the bytes of some ten, so they wait for each other. They are released
 *
 *   after `rowsMax` rows, or LONG_BYTES_MAX bytes of long texts, exactly: which rows go together depends on the rows alone, not on how they arrived
 *   otherwise at the first tick that is WAIT_MS after the one that found them waiting
 */
import { entryStart, type FrameOf, slice, type TextColumn, type Value, value } from '../../runtime/contract/stage.js';
import { type eventDetails, historyRows, type parsedEvents } from '../model.js';
import { WaitingRows, waitingTables, type WaitingTables } from './waiting-rows.js';

type History = FrameOf<typeof historyRows>;

const LONG_BYTES_MAX = 1024 * 1024;
const WAIT_MS = 10_000;

/** Of the rows that wait. */
export interface WaitingSince {
  readonly longBytes: number;
  /** The tick that found them; absent: none has. */
  readonly tickMs?: number;
}

export const waitingHistory = () => waitingTables(historyRows);
export const waitingSince = () => value<WaitingSince>(() => ({ longBytes: 0 }));

export interface HistoryState {
  readonly waiting: WaitingTables<typeof historyRows.columns>;
  readonly waitingSince: Value<WaitingSince>;
}

/** Accepted events with their details, in parallel frames. */
export interface Accepted {
  readonly events: FrameOf<typeof parsedEvents>;
  readonly details: FrameOf<typeof eventDetails>;
  /** The numbers of those that are no duplicates, ascending; absent for all. */
  readonly passed: Uint32Array | undefined;
}

export class WaitingHistory {
  private readonly rows: WaitingRows<typeof historyRows.columns>;

  constructor(
    private readonly state: HistoryState,
    private readonly rowsMax: number,
  ) {
    this.rows = new WaitingRows(state.waiting, historyRows);
  }

  /** Adds events; returns what is due. */
  add(accepted: Accepted): History[] {
    const frame = historyOf(accepted);
    const released: History[] = [];
    let { longBytes } = this.state.waitingSince.get();
    let [start, room] = [0, this.rowsMax - this.rows.rows];
    for (let row = 0; row < frame.rows; row++) {
      longBytes += longBytesOf(frame, row);
      if (--room > 0 && longBytes < LONG_BYTES_MAX) continue;
      this.rows.add(slice(frame, start, row + 1));
      released.push(this.release());
      [start, room, longBytes] = [row + 1, this.rowsMax, 0];
    }
    if (start < frame.rows) this.rows.add(slice(frame, start, frame.rows));
    if (longBytes > 0) this.state.waitingSince.set({ ...this.state.waitingSince.get(), longBytes });
    return released;
  }

  /** What is due at a tick. */
  due(timeMs: number): History[] {
    if (this.rows.rows === 0) return [];
    const { tickMs, longBytes } = this.state.waitingSince.get();
    if (tickMs === undefined) this.state.waitingSince.set({ tickMs: timeMs, longBytes });
    return tickMs !== undefined && timeMs - tickMs >= WAIT_MS ? [this.release()] : [];
  }

  private release(): History {
    this.state.waitingSince.set({ longBytes: 0 });
    return this.rows.release();
  }
}

function historyOf({ events, details, passed }: Accepted): History {
  const duplicate = new Uint8Array(events.rows);
  if (passed !== undefined) {
    duplicate.fill(1);
    for (const row of passed) duplicate[row] = 0;
  }
  const { storedAt: _, ...columns } = events.columns;
  return { type: historyRows, rows: events.rows, columns: { ...columns, ...details.columns, duplicate } };
}

/** Of the texts whose length only that of their message bounds. */
function longBytesOf({ columns }: History, row: number): number {
  const { pageUrl, deviceType, clickType, referrer, reviewText } = columns;
  return (
    lengthAt(pageUrl, row) +
    lengthAt(deviceType, row) +
    lengthAt(clickType, row) +
    lengthAt(referrer, row) +
    lengthAt(reviewText, row)
  );
}

function lengthAt({ codes, dictionary }: TextColumn, row: number): number {
  const code = codes[row]!;
  return code === 0 ? 0 : dictionary.ends[code]! - entryStart(dictionary, code);
}
