/**
/**
 * Events as rows of the event frame, and their ids. Fields without a column in it (session, page, review) are checked; `withDetails` they are rows of a
 * frame of their own, parallel to it, for the history, and else dropped.
 *
 * A rating without an event_id is identified by user, item and time: a user has one rating of an item at a time, and files of ratings have no ids. Its
 * id begins with a NUL, which no event_id may contain.
 */
import { codeOfType, eventDetails, parsedEvents } from '../model.js';
import { type Identified, rowIds } from '../operators/drop-duplicates.js';
import { type Frame, FrameBuilder, type RawMessage, utf8 } from '../../runtime/contract/stage.js';
import { EventWriter, type ValueRules } from './event-writer.js';
import {
  ARM,
  BRAND,
  CATEGORY_CODE,
  CLICK_TYPE,
  DEVICE_TYPE,
  EVENT_ID,
  ITEM_ID,
  MODEL,
  PAGE_URL,
  REFERRER,
  REVIEW_TEXT,
  SESSION_ID,
  USER_ID,
} from './fields.js';
import { NAME_BYTES_MAX } from './limits.js';
import type { Schema } from './schema.js';

const RATING = codeOfType('rating');
/** A time has at most 16 digits. */
const RATING_ID_BYTES_MAX = 2 * NAME_BYTES_MAX + 3 + 16;

/** The fields of the text columns of `eventDetails`. */
const DETAILS = [
  ['eventId', EVENT_ID],
  ['session', SESSION_ID],
  ['pageUrl', PAGE_URL],
  ['deviceType', DEVICE_TYPE],
  ['clickType', CLICK_TYPE],
  ['referrer', REFERRER],
  ['reviewText', REVIEW_TEXT],
  ['model', MODEL],
] as const;

export interface EventFrames extends Identified<Frame<typeof parsedEvents.columns>> {
  readonly details: Frame<typeof eventDetails.columns> | undefined;
}

/** As published, and as a transform of the stream stores it. */
const PAST = /(^|\.)events\.past(\.|$)/;

export interface EventRowsOptions {
  /** Whether there are `details`. */
  readonly withDetails?: boolean;
  /** Whether pieces of files are events of now, like those of publishers. */
  readonly filesAreLive?: boolean;
}

const NO_MESSAGE = { sequence: 0, storedAtMs: NaN, events: 0 };

export class EventRows extends EventWriter {
  private readonly rows = new FrameBuilder(parsedEvents);
  /** The id of a rating is put together here. */
  private ratingId: Uint8Array | undefined;
  private ids: FrameBuilder<typeof rowIds.columns> | undefined;
  private readonly details: FrameBuilder<typeof eventDetails.columns> | undefined;
  /** NaN: from a file, of a bounded job. */
  private storedAtMs = NaN;
  private past = 0;
  private message: { readonly sequence: number; readonly storedAtMs: number; events: number } = NO_MESSAGE;

  constructor(
    schema: Schema,
    rules: ValueRules,
    private readonly options: EventRowsOptions = {},
  ) {
    super(schema, rules);
    if (options.withDetails === true) this.details = new FrameBuilder(eventDetails);
  }

  override begin(message: RawMessage): void {
    super.begin(message);
    this.storedAtMs = message.chunk === undefined || this.options.filesAreLive === true ? message.storedAtMs : NaN;
    this.past = PAST.test(message.subject) ? 1 : 0;
    this.message = { sequence: message.sequence, storedAtMs: message.storedAtMs, events: 0 };
  }

  reserve(rows: number): void {
    this.rows.reserve(rows);
    this.details?.reserve(rows);
  }

  finish(): EventFrames {
    return { rows: this.rows.finish(), ids: this.ids?.finish(), details: this.details?.finish() };
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
    columns.past[row] = this.past;
    columns.position[row] = this.position;
    columns.arm.codes[row] = columns.arm.dictionary.add(bytes, starts[ARM]!, ends[ARM]!);
    const hasId = starts[EVENT_ID] !== ends[EVENT_ID];
    if (type === RATING && !hasId) this.writeRatingId(bytes, row, time);
    else if (hasId || this.ids !== undefined) this.writeId(bytes, row, starts[EVENT_ID]!, ends[EVENT_ID]!);
    rows.rows = row + 1;
    if (this.details !== undefined) this.writeDetails(bytes, this.details);
  }

  private writeDetails(bytes: Uint8Array, details: FrameBuilder<typeof eventDetails.columns>): void {
    const { starts, ends, message } = this;
    details.reserve(1);
    const { columns, rows: row } = details;
    for (const [name, field] of DETAILS) {
      const { codes, dictionary } = columns[name];
      codes[row] = dictionary.add(bytes, starts[field]!, ends[field]!);
    }
    columns.sequence[row] = message.sequence;
    columns.index[row] = message.events++;
    columns.receivedAt[row] = message.storedAtMs;
    details.rows = row + 1;
  }

  /** NUL, time, NUL, user, NUL, item. */
  private writeRatingId(bytes: Uint8Array, row: number, time: number): void {
    const { starts, ends } = this;
    const id = (this.ratingId ??= new Uint8Array(RATING_ID_BYTES_MAX));
    const head = utf8(`\0${time}\0`);
    id.set(head);
    const userLength = ends[USER_ID]! - starts[USER_ID]!;
    id.set(bytes.subarray(starts[USER_ID], ends[USER_ID]), head.length);
    const itemAt = head.length + userLength + 1;
    id[itemAt - 1] = 0;
    id.set(bytes.subarray(starts[ITEM_ID], ends[ITEM_ID]), itemAt);
    this.writeId(id, row, 0, itemAt + ends[ITEM_ID]! - starts[ITEM_ID]!);
  }

  /** The column of ids begins with the first id. */
  private writeId(bytes: Uint8Array, row: number, start: number, end: number): void {
    const ids = (this.ids ??= new FrameBuilder(rowIds));
    ids.reserve(row + 1 - ids.rows);
    const { codes, dictionary } = ids.columns.id;
    codes[row] = dictionary.add(bytes, start, end);
    ids.rows = row + 1;
  }
}
