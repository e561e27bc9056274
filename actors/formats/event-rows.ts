/** Events as rows of the event frame. Fields without a column in it (session, page, review) are checked and dropped. */
import { parsedEvents } from '../model.js';
import { type Identified, rowIds } from '../operators/drop-duplicates.js';
import { type Frame, FrameBuilder, type RawMessage } from '../../runtime/contract/stage.js';
import { EventWriter } from './event-writer.js';
import { BRAND, CATEGORY_CODE, EVENT_ID, ITEM_ID, USER_ID } from './fields.js';

export class EventRows extends EventWriter {
  private readonly rows = new FrameBuilder(parsedEvents);
  private ids: FrameBuilder<typeof rowIds.columns> | undefined;
  /** NaN: from a file. */
  private storedAtMs = NaN;

  override begin(message: RawMessage): void {
    super.begin(message);
    this.storedAtMs = message.chunk === undefined ? message.storedAtMs : NaN;
  }

  reserve(rows: number): void {
    this.rows.reserve(rows);
  }

  finish(): Identified<Frame<typeof parsedEvents.columns>> {
    return { rows: this.rows.finish(), ids: this.ids?.finish() };
  }

  protected append(bytes: Uint8Array, type: number, time: number, price: number, rating: number): void {
    const { starts, ends, rows } = this;
    rows.reserve(1);
    const { columns, rows: row } = rows;
    columns.time[row] = time;
    columns.type[row] = type;
    columns.user.codes[row] = columns.user.dictionary.add(bytes, starts[USER_ID]!, ends[USER_ID]!);
    columns.item.codes[row] = columns.item.dictionary.add(bytes, starts[ITEM_ID]!, ends[ITEM_ID]!);
    columns.category.codes[row] = columns.category.dictionary.add(bytes, starts[CATEGORY_CODE]!, ends[CATEGORY_CODE]!);
    columns.brand.codes[row] = columns.brand.dictionary.add(bytes, starts[BRAND]!, ends[BRAND]!);
    // Never -0, whose bits differ from those of 0.
    columns.price[row] = price + 0;
    columns.rating[row] = rating;
    columns.storedAt[row] = time > this.storedAtMs ? this.storedAtMs : NaN;
    if (starts[EVENT_ID] !== ends[EVENT_ID] || this.ids !== undefined) this.writeId(bytes, row);
    rows.rows = row + 1;
  }

  /** The column of ids begins with the first id. */
  private writeId(bytes: Uint8Array, row: number): void {
    const ids = (this.ids ??= new FrameBuilder(rowIds));
    ids.reserve(row + 1 - ids.rows);
    const { codes, dictionary } = ids.columns.id;
    codes[row] = dictionary.add(bytes, this.starts[EVENT_ID]!, this.ends[EVENT_ID]!);
    ids.rows = row + 1;
  }
}
