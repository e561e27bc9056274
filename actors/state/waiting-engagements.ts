/**
 * waiting-engagements: the rows for popularity and trending, buffered until the next tick.
 *
 * Both publish their lists at ticks, so nothing is delayed, and a message per frame would cost a live pipeline as much as everything that makes the
 * users' lists. The rows are in order of arrival, also after a restart.
 */
import { type FrameOf, frameOf, frameType, type StateOf, tables } from '../../runtime/contract/stage.js';
import { engagements } from '../model.js';

type Engagements = FrameOf<typeof engagements>;

/** `number` makes rows distinct. */
const waitingRows = frameType('waiting-engagement', { number: 'u32', ...engagements.columns });

export const waitingEngagements = () => tables(waitingRows, { key: ['number', 'item', 'category', 'brand'] });
export type WaitingEngagements = StateOf<ReturnType<typeof waitingEngagements>>;

const TABLE = 0;
export const NO_ENGAGEMENTS = frameOf(engagements, []);

/** Buffers the rows; returns the number of buffered rows. */
export function wait(waiting: WaitingEngagements, { rows, columns }: Engagements): number {
  const table = waiting.table(TABLE);
  const first = table.rows;
  const number = Uint32Array.from({ length: rows }, (_, i) => first + i);
  table.put({ type: waitingRows, rows, columns: { ...columns, number } });
  return table.rows;
}

/** Removes and returns all buffered rows. */
export function release(waiting: WaitingEngagements): Engagements {
  if (!waiting.has(TABLE)) return NO_ENGAGEMENTS;
  const table = waiting.table(TABLE);
  const { rows, columns } = table.frame(Uint32Array.from({ length: table.rows }, (_, row) => row));
  const { number: _, ...rest } = columns;
  waiting.drop(TABLE);
  return { type: engagements, rows, columns: rest };
}
