/**
 * Writes valid events as JSON, one after another into the same buffer: fields by the first of their names in the schema, without those that are absent.
 *
 * It can add an id to events without one, made of the number of their line, and map ratings to another scale.
 */
import { EVENT_TYPES } from '../model.js';
import { BACKSLASH, CLOSE_BRACE, LINE_FEED, QUOTE, SPACE } from '../maths/ascii.js';
import { utf8 } from '../../runtime/contract/stage.js';
import { EventWriter, type ValueRules } from './event-writer.js';
import { EVENT_ID, EVENT_TYPE, IGNORED, POSITION, PRICE, RATING_VALUE, USER_ID } from './fields.js';
import type { Schema } from './schema.js';

/** An event as JSON, and where its user's id is; valid until the next one is written. */
export interface WrittenEvent {
  /** The JSON is bytes [0, end) of it; a line feed follows. */
  readonly json: Uint8Array;
  readonly end: number;
  /** Code of the event type. */
  readonly type: number;
  /** Event time, epoch ms. */
  readonly timeMs: number;
  /** The user's id, as text of `bytes` [userStart, userEnd). */
  readonly bytes: Uint8Array;
  readonly userStart: number;
  readonly userEnd: number;
}

export interface JsonRowsOptions {
  /** 24 characters: the id of an event without one is these and the number of its line as 12 hexadecimal digits, which makes a UUID. */
  readonly idPrefix?: string | undefined;
  readonly ratingOf?: ((rating: number) => number) | undefined;
}

const NUMBERS: readonly number[] = [PRICE, RATING_VALUE, POSITION];
const RATING = EVENT_TYPES.indexOf('rating');
/** A byte of text takes at most six of JSON: \u0001. */
const ESCAPED_BYTES = 6;
/** More than what an event has beside its texts: names, numbers and an id. */
const REST_BYTES = 1024;
const LINE_DIGITS = 12;
const HEXADECIMAL = utf8('0123456789abcdef');
const UNICODE_ESCAPE = utf8('\\u00');

export class JsonRows extends EventWriter {
  private json = new Uint8Array(4 * REST_BYTES);
  private at = 0;
  /** What stands before the value of each field. */
  private readonly names: readonly Uint8Array[];
  private readonly types: readonly Uint8Array[];
  private readonly idPrefix: Uint8Array | undefined;

  constructor(
    schema: Schema,
    rules: ValueRules,
    private readonly onEvent: (event: WrittenEvent) => void,
    private readonly options: JsonRowsOptions = {},
  ) {
    super(schema, rules);
    const nameOf = (field: number): string => `${JSON.stringify(schema.names[field]![0])}:`;
    this.names = schema.names.map((_, field) => utf8(`,${nameOf(field)}${NUMBERS.includes(field) ? '' : '"'}`));
    this.types = EVENT_TYPES.map((type) => utf8(`{${nameOf(EVENT_TYPE)}"${type}"`));
    this.idPrefix = options.idPrefix === undefined ? undefined : utf8(options.idPrefix);
  }

  reserve(): void {
    // Events are passed on one by one.
  }

  protected append(bytes: Uint8Array, type: number, timeMs: number, price: number, rating: number): void {
    const { starts, ends, options, idPrefix } = this;
    let length = REST_BYTES;
    for (let field = 0; field < IGNORED; field++) length += ESCAPED_BYTES * (ends[field]! - starts[field]!);
    if (length > this.json.length) this.json = new Uint8Array(2 * length);
    this.at = 0;
    this.put(this.types[type]!);
    if (starts[EVENT_ID] !== ends[EVENT_ID]) this.text(EVENT_ID, bytes);
    // Parse identifies a rating without an id by user, item and time.
    else if (idPrefix !== undefined && (type !== RATING || this.schema.isStrict)) this.lineId(idPrefix);
    for (let field = EVENT_TYPE + 1; field < IGNORED; field++) {
      if (!NUMBERS.includes(field) && starts[field] !== ends[field]) this.text(field, bytes);
    }
    if (!Number.isNaN(price)) this.number(PRICE, price);
    if (!Number.isNaN(rating)) this.number(RATING_VALUE, options.ratingOf?.(rating) ?? rating);
    if (!Number.isNaN(this.position)) this.number(POSITION, this.position);
    this.json[this.at++] = CLOSE_BRACE;
    this.json[this.at] = LINE_FEED;
    const [userStart, userEnd] = [starts[USER_ID]!, ends[USER_ID]!];
    this.onEvent({ json: this.json, end: this.at, type, timeMs, bytes, userStart, userEnd });
  }

  private put(bytes: Uint8Array): void {
    const { json } = this;
    let { at } = this;
    for (let i = 0; i < bytes.length; i++) json[at++] = bytes[i]!;
    this.at = at;
  }

  private text(field: number, bytes: Uint8Array): void {
    this.put(this.names[field]!);
    const { json, ends } = this;
    const end = ends[field]!;
    let { at } = this;
    for (let from = this.starts[field]!; from < end; from++) {
      const byte = bytes[from]!;
      if (byte < SPACE) {
        json.set(UNICODE_ESCAPE, at);
        json[at + 4] = HEXADECIMAL[byte >> 4]!;
        json[at + 5] = HEXADECIMAL[byte & 15]!;
        at += ESCAPED_BYTES;
        continue;
      }
      if (byte === QUOTE || byte === BACKSLASH) json[at++] = BACKSLASH;
      json[at++] = byte;
    }
    json[at++] = QUOTE;
    this.at = at;
  }

  private number(field: number, value: number): void {
    this.put(this.names[field]!);
    const text = String(value);
    for (let i = 0; i < text.length; i++) this.json[this.at++] = text.charCodeAt(i);
  }

  private lineId(prefix: Uint8Array): void {
    this.put(this.names[EVENT_ID]!);
    this.put(prefix);
    const { json } = this;
    // Numbers of lines may have more than 32 bits.
    for (let rest = this.line, i = LINE_DIGITS - 1; i >= 0; i--) {
      json[this.at + i] = HEXADECIMAL[rest % 16]!;
      rest = Math.floor(rest / 16);
    }
    this.at += LINE_DIGITS;
    json[this.at++] = QUOTE;
  }
}
