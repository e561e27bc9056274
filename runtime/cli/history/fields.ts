/** The fields of an event of the history: those of an event, with its names, then its position in the stream of events. */
import { EVENT_TYPES, type historyRows } from '../../../actors/model.js';
import type { Row } from '../../contract/stage.js';

export type HistoryRow = Row<typeof historyRows.columns>;

export interface HistoryField {
  readonly name: string;
  /** Its type in Parquet. */
  readonly type: 'STRING' | 'DOUBLE' | 'INT64' | 'TIMESTAMP' | 'BOOLEAN' | 'INT32';
  /** Times as Date. */
  readonly of: (row: HistoryRow) => string | number | boolean | Date | undefined;
}

const text = (name: string, of: (row: HistoryRow) => string | undefined): HistoryField => ({
  name,
  type: 'STRING',
  of,
});
const number = (name: string, of: (row: HistoryRow) => number | undefined): HistoryField => ({
  name,
  type: 'DOUBLE',
  of,
});
const time = (name: string, of: (row: HistoryRow) => number | undefined): HistoryField => ({
  name,
  type: 'TIMESTAMP',
  of: (row) => new Date(of(row)!),
});

export const HISTORY_FIELDS: readonly HistoryField[] = [
  text('event_id', ({ eventId }) => eventId),
  text('event_type', ({ type }) => EVENT_TYPES[type!]),
  time('event_time', (row) => row.time),
  text('user_id', ({ user }) => user),
  text('item_id', ({ item }) => item),
  text('category_code', ({ category }) => category),
  text('brand', ({ brand }) => brand),
  number('price', ({ price }) => price),
  number('rating', ({ rating }) => rating),
  text('session_id', ({ session }) => session),
  text('page_url', ({ pageUrl }) => pageUrl),
  text('device_type', ({ deviceType }) => deviceType),
  text('click_type', ({ clickType }) => clickType),
  text('referrer', ({ referrer }) => referrer),
  text('review_text', ({ reviewText }) => reviewText),
  { name: 'position', type: 'INT32', of: ({ position }) => position },
  text('model', ({ model }) => model),
  text('arm', ({ arm }) => arm),
  // Which a publisher does not send.
  time('received_at', ({ receivedAt }) => receivedAt),
  { name: 'sequence', type: 'INT64', of: ({ sequence }) => sequence },
  { name: 'index', type: 'INT32', of: ({ index }) => index },
  { name: 'duplicate', type: 'BOOLEAN', of: ({ duplicate }) => duplicate === 1 },
  { name: 'past', type: 'BOOLEAN', of: ({ past }) => past === 1 },
];
