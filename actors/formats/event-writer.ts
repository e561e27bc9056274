/**
 * Builds an event from the positions of its fields, with the checks that all formats and entry points share.
 *
 * A format sets `starts` and `ends` of each field (equal: absent), or copies decoded text in with `copy`, and then writes. `append` uses a valid
 * event: as a row for the parse stage (EventRows), or as the result of a check before publishing (EventReader).
 */
import { EVENT_TYPES, IMPRESSION } from '../model.js';
import { decimalOf } from '../maths/decimal.js';
import { isIsoTime, TimeParser } from '../maths/time.js';
import { type RawMessage, utf8 } from '../../runtime/contract/stage.js';
import { isPositiveId, isUuid } from './contracts.js';
import {
  type Fault,
  hasControlCharacters,
  invalidNumber,
  invalidTime,
  invalidUtf8,
  missing,
  negativePrice,
  notIsoTime,
  notPositiveId,
  notUuid,
  positionOutOfRange,
  ratingOutOfRange,
  shown,
  timeOutOfRange,
  tooLong,
  unknownEventType,
} from './fault.js';
import {
  ARM,
  BRAND,
  CATEGORY_CODE,
  EVENT_ID,
  EVENT_TIME,
  EVENT_TYPE,
  IGNORED,
  IMPRESSION_FIELDS,
  ITEM_ID,
  MODEL,
  NAMING_FIELDS,
  POSITION,
  PRICE,
  RATING_VALUE,
  REVIEW_TEXT,
  SESSION_ID,
  USER_ID,
} from './fields.js';
import type { Schema } from './schema.js';
import { type EventRules, NAME_BYTES_MAX, POSITION_MAX, REVIEW_CHARACTERS_MAX } from './limits.js';
import { charactersIn, hasControls, isText, isUtf8 } from './text.js';

/** A slot for each field, for ignored fields, and for alternative names of a field. */
const SLOTS = 2 * (IGNORED + 1);

const SCRATCH_INITIAL = 256;

const UNKNOWN = -1;
const RATING = EVENT_TYPES.indexOf('rating');
const TYPE_NAMES = EVENT_TYPES.map((name) => utf8(name));

/** The code of an event type by its name, UNKNOWN (negative) for other names. */
function eventTypeOf(bytes: Uint8Array, start: number, end: number): number {
  for (let type = 0; type < TYPE_NAMES.length; type++) if (isText(bytes, start, end, TYPE_NAMES[type]!)) return type;
  return UNKNOWN;
}

export type ValueRules = Pick<EventRules, 'futureMaxMs' | 'ratingMin' | 'ratingMax'>;

export abstract class EventWriter {
  /** The position of each field of the current event. */
  readonly starts = new Int32Array(SLOTS);
  readonly ends = new Int32Array(SLOTS);
  /** Decoded text of fields whose bytes in the message differ from their text (escapes, doubled quotes). */
  scratch = new Uint8Array(SCRATCH_INITIAL);
  private scratchUsed = 0;
  /** Of an impression, for a format that has it as a number; NaN: it is text, or absent. */
  position = NaN;
  /** What is wrong with the fields of an impression. */
  impressionFault: Fault | undefined;
  /** Of a file: the 1-based line on which the current event starts. */
  line = 0;

  private readonly times = new TimeParser();
  private timeMaxMs = Infinity;

  constructor(
    readonly schema: Schema,
    private readonly rules: ValueRules,
  ) {}

  /** The events that follow belong to this message. */
  begin({ storedAtMs }: Pick<RawMessage, 'storedAtMs' | 'chunk'>): void {
    this.timeMaxMs = storedAtMs + this.rules.futureMaxMs;
  }

  /** Makes room for about this many rows at once. */
  abstract reserve(rows: number): void;

  /** The current event is valid, and its texts are in `bytes`; an absent price or rating is NaN. */
  protected abstract append(bytes: Uint8Array, type: number, time: number, price: number, rating: number): void;

  /** Clears the fields of the last event. */
  clear(): void {
    this.starts.fill(0);
    this.ends.fill(0);
    this.scratchUsed = 0;
    this.position = NaN;
    this.impressionFault = undefined;
  }

  /** Sets a field to a copy of bytes [start, end), in `scratch`. */
  copy(field: number, bytes: Uint8Array, start: number, end: number): void {
    this.starts[field] = this.scratchUsed;
    this.extend(field, bytes, start, end);
  }

  /** Adds bytes [start, end) to the field copied last. */
  extend(field: number, bytes: Uint8Array, start: number, end: number): void {
    const needed = this.scratchUsed + end - start;
    if (needed > this.scratch.length) {
      const larger = new Uint8Array(needed * 2);
      larger.set(this.scratch);
      this.scratch = larger;
    }
    this.scratch.set(bytes.subarray(start, end), this.scratchUsed);
    this.scratchUsed = needed;
    this.ends[field] = needed;
  }

  /** Merges an alternative name of a field, which has a slot of its own; false when it contradicts the first. */
  takeSecond(slot: number, field: number, bytes: Uint8Array): boolean {
    const { starts, ends } = this;
    const [start, end] = [starts[slot]!, ends[slot]!];
    if (start === end) return true;
    if (starts[field] !== ends[field]) {
      return this.areSame(field, bytes.subarray(starts[field], ends[field]), bytes.subarray(start, end));
    }
    starts[field] = start;
    ends[field] = end;
    return true;
  }

  /** Whether two values of one field are equal: the same text, or the same time. */
  areSame(field: number, a: Uint8Array, b: Uint8Array): boolean {
    if (isText(a, 0, a.length, b)) return true;
    return field === EVENT_TIME && this.times.parse(a, 0, a.length) === this.times.parse(b, 0, b.length);
  }

  /**
   * Appends the current event, whose fields are all texts in `bytes`, or returns its error. `impliesRating`: without a type it is a rating. `plain`:
   * the bytes are known to be ASCII without control characters.
   */
  writeText(bytes: Uint8Array, impliesRating: boolean, plain: boolean): Fault | undefined {
    const { starts, ends } = this;
    const typeAt = starts[EVENT_TYPE]!;
    const typeEnd = ends[EVENT_TYPE]!;
    let type = RATING;
    if (typeAt !== typeEnd) {
      type = eventTypeOf(bytes, typeAt, typeEnd);
      if (type === UNKNOWN) return unknownEventType(shown(bytes, typeAt, typeEnd));
    } else if (!impliesRating) return this.missing([EVENT_TYPE, EVENT_TIME, USER_ID, ITEM_ID]);

    const timeAt = starts[EVENT_TIME]!;
    const timeEnd = ends[EVENT_TIME]!;
    if (timeAt === timeEnd) return this.missing([EVENT_TIME, USER_ID, ITEM_ID]);
    const time = this.times.parse(bytes, timeAt, timeEnd);
    if (Number.isNaN(time)) return invalidTime(shown(bytes, timeAt, timeEnd));
    if (this.schema.isStrict && !isIsoTime(bytes, timeAt, timeEnd)) return notIsoTime(shown(bytes, timeAt, timeEnd));

    let price = NaN;
    if (starts[PRICE] !== ends[PRICE]) {
      price = decimalOf(bytes, starts[PRICE]!, ends[PRICE]!);
      if (Number.isNaN(price)) return invalidNumber(PRICE, shown(bytes, starts[PRICE]!, ends[PRICE]!));
    }
    let rating = NaN;
    if (starts[RATING_VALUE] !== ends[RATING_VALUE]) {
      rating = decimalOf(bytes, starts[RATING_VALUE]!, ends[RATING_VALUE]!);
      if (Number.isNaN(rating)) {
        return invalidNumber(RATING_VALUE, shown(bytes, starts[RATING_VALUE]!, ends[RATING_VALUE]!));
      }
    }
    return this.write(bytes, type, time, price, rating, plain);
  }

  /** The same with parsed values; an absent price or rating is NaN. */
  write(
    bytes: Uint8Array,
    type: number,
    time: number,
    price: number,
    rating: number,
    plain: boolean,
  ): Fault | undefined {
    const { starts, ends, schema, rules } = this;
    if (time < 0 || time > this.timeMaxMs) return timeOutOfRange(time, this.timeMaxMs);
    if (starts[USER_ID] === ends[USER_ID] || starts[ITEM_ID] === ends[ITEM_ID]) return this.missing([USER_ID, ITEM_ID]);
    if (price < 0) return negativePrice(price);
    if (type === RATING && Number.isNaN(rating)) return missing([RATING_VALUE], schema.names);
    if (rating < rules.ratingMin || rating > rules.ratingMax) return ratingOutOfRange(rating, rules);
    const wrong = type === IMPRESSION ? (this.impressionFault ?? this.readPosition(bytes)) : this.dropImpression();
    if (wrong !== undefined) return wrong;
    if (!plain || this.hasLongText()) {
      const fault = this.textFault(bytes);
      if (fault !== undefined) return fault;
    }
    if (schema.isStrict) {
      const fault = this.contractFault(bytes);
      if (fault !== undefined) return fault;
    }
    this.append(bytes, type, time, price, rating);
    return undefined;
  }

  private readPosition(bytes: Uint8Array): Fault | undefined {
    const [start, end] = [this.starts[POSITION]!, this.ends[POSITION]!];
    if (start === end && Number.isNaN(this.position)) return undefined;
    const position = start === end ? this.position : decimalOf(bytes, start, end);
    if (!Number.isInteger(position) || position < 1 || position > POSITION_MAX) {
      return positionOutOfRange(start === end ? String(position) : shown(bytes, start, end));
    }
    this.position = position;
    return undefined;
  }

  private dropImpression(): undefined {
    this.position = NaN;
    for (const field of IMPRESSION_FIELDS) this.ends[field] = this.starts[field]!;
  }

  /** The fields among these that have no text; where the schema needs it, the id of the event is one of them. */
  missing(fields: readonly number[]): Fault {
    const required = this.schema.needsId ? [EVENT_ID, ...fields] : fields;
    return missing(
      required.filter((field) => this.starts[field] === this.ends[field]),
      this.schema.names,
    );
  }

  /** What a strict schema demands beside what all do. */
  private contractFault(bytes: Uint8Array): Fault | undefined {
    const { starts, ends } = this;
    const [idAt, idEnd] = [starts[EVENT_ID]!, ends[EVENT_ID]!];
    if (idAt === idEnd && this.schema.needsId) return this.missing([]);
    if (idAt !== idEnd && !isUuid(bytes, idAt, idEnd)) return notUuid(shown(bytes, idAt, idEnd));
    for (const field of [USER_ID, ITEM_ID]) {
      const [start, end] = [starts[field]!, ends[field]!];
      if (!isPositiveId(bytes, start, end)) return notPositiveId(field, shown(bytes, start, end));
    }
    return undefined;
  }

  /** Whether some text may be too long: lengths below a power of two stay below it when or-ed. */
  private hasLongText(): boolean {
    const { starts, ends } = this;
    const ids = (ends[USER_ID]! - starts[USER_ID]!) | (ends[ITEM_ID]! - starts[ITEM_ID]!);
    const names = (ends[CATEGORY_CODE]! - starts[CATEGORY_CODE]!) | (ends[BRAND]! - starts[BRAND]!);
    const visits = (ends[EVENT_ID]! - starts[EVENT_ID]!) | (ends[SESSION_ID]! - starts[SESSION_ID]!);
    const lists = (ends[MODEL]! - starts[MODEL]!) | (ends[ARM]! - starts[ARM]!);
    return (
      (ids | names | visits | lists) >= NAME_BYTES_MAX ||
      ends[REVIEW_TEXT]! - starts[REVIEW_TEXT]! > REVIEW_CHARACTERS_MAX
    );
  }

  private textFault(bytes: Uint8Array): Fault | undefined {
    const { starts, ends } = this;
    for (let field = 0; field < IGNORED; field++) {
      if (!isUtf8(bytes, starts[field]!, ends[field]!)) return invalidUtf8(field);
    }
    for (const field of NAMING_FIELDS) {
      if (ends[field]! - starts[field]! > NAME_BYTES_MAX) return tooLong(field, `${NAME_BYTES_MAX} bytes`);
      if (hasControls(bytes, starts[field]!, ends[field]!)) return hasControlCharacters(field);
    }
    const reviewAt = starts[REVIEW_TEXT]!;
    const reviewEnd = ends[REVIEW_TEXT]!;
    const isLong = charactersIn(bytes, reviewAt, reviewEnd) > REVIEW_CHARACTERS_MAX;
    return isLong ? tooLong(REVIEW_TEXT, `${REVIEW_CHARACTERS_MAX} characters`) : undefined;
  }
}
