/**
 * waiting-engagements: what trending looks at, from when it comes until the next tick takes it on.
 *
 * Trending says its lists at ticks: nobody misses anything before, and a message for each frame would cost a live pipeline as much as all that its
 * users' lists are made by. They are in order of arrival, also after a restart.
 */
import { type FrameOf, frameOf, frameType, tables, type Tables } from '../../runtime/contract/stage.js';
import { engagements } from '../model.js';

type Engagements = FrameOf<typeof engagements>;

/** `number` tells rows apart. */
const waiting = frameType('waiting-engagement', { number: 'u32', ...engagements.columns });
export type WaitingEngagements = Tables<(typeof waiting)['columns']>;

export const waitingEngagements = () => tables(waiting, { key: ['number', 'item', 'category'] });

const TABLE = 0;
export const NO_ENGAGEMENTS = frameOf(engagements, []);

/** Has the rows wait; says how many there are now. */
export function wait(cell: WaitingEngagements, { rows, columns }: Engagements): number {
  const table = cell.table(TABLE);
  const first = table.rows;
  const number = Uint32Array.from({ length: rows }, (_, i) => first + i);
  table.put({ type: waiting, rows, columns: { ...columns, number } });
  return table.rows;
}

/** All that wait, which do not any more. */
export function release(cell: WaitingEngagements): Engagements {
  if (!cell.has(TABLE)) return NO_ENGAGEMENTS;
  const table = cell.table(TABLE);
  const { rows, columns } = table.frame(Uint32Array.from({ length: table.rows }, (_, row) => row));
  const { time, type, item, category } = columns;
  cell.drop(TABLE);
  return { type: engagements, rows, columns: { time, type, item, category } };
}
