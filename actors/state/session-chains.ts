/**
 * Sessions in a table: one row each; those of one key form a chain that begins at its slot 0.
 *
 *   [start, end) and [start', end') of one key meet ⇔ start < end' ∧ start' < end, and become one
 *
 * A row whose count is 0 is free, and is reused for the next session of its key; rows are removed only with the whole table.
 */
import { type ColumnTable, type FrameOf, frameType, NO_ROW } from '../../runtime/contract/stage.js';
import { rowKey } from '../model.js';
import { ROW_KEY } from './epoch-log.js';

/** `count` is the total; `added` and `time` refer to what has not been emitted yet. `next` is the row of the key's next slot, 0 for none. */
export const sessionRows = frameType('session-row', {
  ...rowKey,
  slot: 'u32',
  start: 'f64',
  end: 'f64',
  count: 'u32',
  added: 'u32',
  time: 'f64',
  next: 'u32',
});

export const SESSION_KEY = [...ROW_KEY, 'slot'] as const;

export type Sessions = FrameOf<typeof sessionRows>;
export type SessionTable = ColumnTable<typeof sessionRows.columns, (typeof SESSION_KEY)[number]>;

/**
 * Adds sessions to the table, each merged with the open ones that it meets; returns the row of each. A session that neither meets one nor finds a
 * free row waits, round by round, for one more slot at the end of its chain. The slots of the arriving sessions are modified.
 */
export function admit(table: SessionTable, arriving: Sessions): Uint32Array {
  const heads = table.upsert(arriving.columns);
  const cameInto = new Uint32Array(arriving.rows);
  const { slot } = arriving.columns;
  for (let waiting = Uint32Array.from(heads.keys()); waiting.length > 0;) {
    const tails: number[] = [];
    waiting = waiting.filter((from) => {
      const { row, tail, length } = findSlot(table, heads[from]!, arriving, from);
      cameInto[from] = row;
      if (row !== NO_ROW) return false;
      slot[from] = length;
      tails.push(tail);
      return true;
    });
    const more = table.upsert(arriving.columns, waiting);
    for (let i = 0; i < more.length; i++) {
      table.touch(tails[i]!);
      table.values.next[tails[i]!] = more[i]!;
    }
  }
  return cameInto;
}

interface Slot {
  /** NO_ROW: there is none. */
  readonly row: number;
  /** The last row of the chain, and its length. */
  readonly tail: number;
  readonly length: number;
}

/** Finds the row of a session and merges it there. Walks the complete chain, since it may connect two sessions that did not meet before. */
function findSlot(table: SessionTable, head: number, arriving: Sessions, from: number): Slot {
  const { start, end, count, next } = table.values;
  const arrivingStart = arriving.columns.start[from]!;
  const arrivingEnd = arriving.columns.end[from]!;
  let met = NO_ROW;
  let vacant = NO_ROW;
  let tail = NO_ROW;
  let length = 0;
  for (let row = head; tail === NO_ROW; row = next[row]!) {
    length++;
    if (next[row] === 0) tail = row;
    if (count[row] === 0) {
      if (vacant === NO_ROW) vacant = row;
    } else if (start[row]! < arrivingEnd && arrivingStart < end[row]!) {
      if (met === NO_ROW) {
        met = row;
        join(table, met, arriving.columns, from);
      } else {
        join(table, met, table.values, row);
        vacate(table, row);
      }
    }
  }
  if (met === NO_ROW && vacant !== NO_ROW) join(table, vacant, arriving.columns, from);
  return { row: met === NO_ROW ? vacant : met, tail, length };
}

type Spans = Pick<SessionTable['values'], 'start' | 'end' | 'count' | 'added' | 'time'>;

/** Merges the session in `row` with another; a free row becomes that other. */
function join(table: SessionTable, row: number, other: Spans, from: number): void {
  const { start, end, count, added, time } = table.values;
  table.touch(row);
  const isFree = count[row] === 0;
  if (isFree || other.start[from]! < start[row]!) start[row] = other.start[from]!;
  if (isFree || other.end[from]! > end[row]!) end[row] = other.end[from]!;
  if (isFree || other.time[from]! > time[row]!) time[row] = other.time[from]!;
  count[row]! += other.count[from]!;
  added[row]! += other.added[from]!;
}

export function vacate(table: SessionTable, row: number): void {
  table.touch(row);
  table.values.count[row] = 0;
  table.values.added[row] = 0;
}
