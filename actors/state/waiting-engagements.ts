/**
 * waiting-engagements: the rows for trending, from when they come until the next tick takes them on.
 *
 * Trending publishes its lists at ticks: nothing is missed before, and a message for each frame would cost a live pipeline as much as all that its
 * users' lists are made by. They are in order of arrival, also after a restart.
 */
import { type FrameOf, frameOf, frameType, type StateOf, tables } from '../../runtime/contract/stage.js';
import { engagements } from '../model.js';

type Engagements = FrameOf<typeof engagements>;

/** `number` tells rows apart. */
const waitingRows = frameType('waiting-engagement', { number: 'u32', ...engagements.columns });

export const waitingEngagements = () => tables(waitingRows, { key: ['number', 'item', 'category'] });
export type WaitingEngagements = StateOf<ReturnType<typeof waitingEngagements>>;

const TABLE = 0;
export const NO_ENGAGEMENTS = frameOf(engagements, []);

/** Has the rows wait; gives how many there are now. */
export function wait(waiting: WaitingEngagements, { rows, columns }: Engagements): number {
  const table = waiting.table(TABLE);
  const first = table.rows;
  const number = Uint32Array.from({ length: rows }, (_, i) => first + i);
  table.put({ type: waitingRows, rows, columns: { ...columns, number } });
  return table.rows;
}

/** All that wait, which do not any more. */
export function release(waiting: WaitingEngagements): Engagements {
  if (!waiting.has(TABLE)) return NO_ENGAGEMENTS;
  const table = waiting.table(TABLE);
  const { rows, columns } = table.frame(Uint32Array.from({ length: table.rows }, (_, row) => row));
  const { time, type, item, category, storedAt } = columns;
  waiting.drop(TABLE);
  return { type: engagements, rows, columns: { time, type, item, category, storedAt } };
}
