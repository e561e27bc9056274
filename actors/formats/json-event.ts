/** One event as a JSON object: finds its fields by name, checks their JSON types, and passes them to the writer as bytes. */
import { CLOSE_BRACE, COLON, COMMA, MINUS, NINE, OPEN_BRACE, QUOTE, ZERO } from '../maths/ascii.js';
import { textOf, utf8 } from '../../runtime/contract/stage.js';
import type { EventWriter } from './event-writer.js';
import { type Fault, fieldsDisagree, invalidUtf8, notJson, shownAsItIs, wrongType } from './fault.js';
import {
  EVENT_ID,
  EVENT_TIME,
  IGNORED,
  IMPRESSION_FIELDS,
  ITEM_ID,
  POSITION,
  PRICE,
  RATING_VALUE,
  SESSION_ID,
  USER_ID,
} from './fields.js';
import { JsonScanner } from './json-scanner.js';
import type { Alias } from './schema.js';
import { isUtf8 } from './text.js';

const NULL = 0x6e;
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** The JSON types that a field may have. */
type Wanted = 'text' | 'text or integer' | 'number' | 'text or number';

const WANTED: readonly Wanted[] = Array.from({ length: IGNORED }, (_, field) => {
  if ([EVENT_ID, USER_ID, ITEM_ID, SESSION_ID].includes(field)) return 'text or integer';
  if (field === PRICE || field === RATING_VALUE || field === POSITION) return 'number';
  return field === EVENT_TIME ? 'text or number' : 'text';
});

const FIX: Readonly<Record<Wanted, string>> = {
  text: 'a string',
  'text or integer': 'a string or a whole number',
  number: 'a number, without quotes',
  'text or number': 'a string as 2019-10-01T00:00:00Z, or epoch seconds or milliseconds as a number',
};

export const NOT_AN_OBJECT: Fault = {
  rule: 'json_not_object',
  reason: 'an event must be a JSON object: send {"event_type": …, "event_time": …, "user_id": …, "item_id": …}',
};

/** Reads bytes [start, end), expected to be one object, and writes its event. */
export function readJsonEvent(bytes: Uint8Array, start: number, end: number, writer: EventWriter): Fault | undefined {
  const object = new ObjectReader(bytes, start, end, writer);
  return object.read();
}

class ObjectReader {
  private readonly scanner: JsonScanner;
  /** The first invalid value; a syntax error takes precedence. */
  private fault: Fault | undefined;
  /** Bit n: the text of field n contains escapes. */
  private escaped = 0;
  private plain = true;
  private impliesRating: boolean;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly start: number,
    private readonly end: number,
    private readonly writer: EventWriter,
  ) {
    this.scanner = new JsonScanner(bytes, end);
    this.impliesRating = writer.schema.impliesRating;
  }

  read(): Fault | undefined {
    const { scanner, writer } = this;
    scanner.at = this.start;
    if (scanner.byte !== OPEN_BRACE)
      return scanner.skipValue() && scanner.at === this.end ? NOT_AN_OBJECT : this.notJson();
    writer.clear();
    if (!this.readMembers()) return this.notJson();
    scanner.skipSpace();
    if (scanner.at < this.end) return this.notJson();
    if (this.fault !== undefined) return this.fault;
    if (this.escaped === 0) return writer.writeText(this.bytes, this.impliesRating, this.plain);
    return this.unescape() ?? writer.writeText(writer.scratch, this.impliesRating, false);
  }

  private notJson(): Fault {
    return notJson(this.scanner.at - this.start);
  }

  private readMembers(): boolean {
    const { scanner } = this;
    scanner.at++;
    scanner.skipSpace();
    if (scanner.skip(CLOSE_BRACE)) return true;
    for (;;) {
      const keyStart = scanner.at + 1;
      scanner.escaped = false;
      if (!scanner.skipString()) return false;
      const alias = this.find(keyStart, scanner.at - 1);
      scanner.skipSpace();
      if (!scanner.skip(COLON)) return false;
      scanner.skipSpace();
      const valueStart = scanner.at;
      scanner.escaped = false;
      scanner.foreign = false;
      if (!scanner.skipValue(1)) return false;
      if (alias !== undefined) this.take(alias, valueStart, scanner.at);
      scanner.skipSpace();
      if (scanner.skip(CLOSE_BRACE)) return true;
      if (!scanner.skip(COMMA)) return false;
      scanner.skipSpace();
    }
  }

  private find(start: number, end: number): Alias | undefined {
    const { schema } = this.writer;
    if (!this.scanner.escaped) return schema.find(this.bytes, start, end);
    const key = utf8(decoded(this.bytes, start, end));
    return schema.find(key, 0, key.length);
  }

  /** Reads the value of a field at [start, end); null and the empty text are absent. */
  private take(alias: Alias, start: number, end: number): void {
    const { bytes, scanner, writer } = this;
    const { field } = alias;
    this.impliesRating ||= alias.impliesRating;
    const first = bytes[start]!;
    if (first === NULL) return;
    const isText = first === QUOTE;
    if (!isText && !(isNumber(first) && acceptsNumber(field, bytes, start, end)))
      return this.refuseType(field, start, end);
    if (isText && WANTED[field] === 'number') return this.refuseType(field, start, end);
    const from = isText ? start + 1 : start;
    const to = isText ? end - 1 : end;
    if (from === to) return;
    if (scanner.foreign) this.plain = false;
    if (writer.starts[field] !== writer.ends[field]) return this.compare(field, from, to);
    writer.starts[field] = from;
    writer.ends[field] = to;
    if (scanner.escaped) this.escaped |= 1 << field;
  }

  /** Compares a second value of a field. Skipped when the event is refused already: a long value would be decoded for each of many. */
  private compare(field: number, start: number, end: number): void {
    if (this.fault !== undefined) return;
    const { bytes, writer } = this;
    const first = this.valueOf(writer.starts[field]!, writer.ends[field]!, (this.escaped & (1 << field)) !== 0);
    const second = this.valueOf(start, end, this.scanner.escaped);
    if (!writer.areSame(field, first, second)) this.fault ??= fieldsDisagree(field, writer.schema.names[field]!);
    if (!isUtf8(bytes, start, end)) this.fault ??= invalidUtf8(field);
  }

  private valueOf(start: number, end: number, escaped: boolean): Uint8Array {
    return escaped ? utf8(decoded(this.bytes, start, end)) : this.bytes.subarray(start, end);
  }

  private refuseType(field: number, start: number, end: number): void {
    const fault = wrongType(field, shownAsItIs(this.bytes, start, end), FIX[WANTED[field]!]);
    if (IMPRESSION_FIELDS.includes(field)) this.writer.impressionFault ??= fault;
    else this.fault ??= fault;
  }

  /** Moves all fields to the writer's scratch, with their escapes decoded. */
  private unescape(): Fault | undefined {
    const { bytes, writer } = this;
    for (let field = 0; field < IGNORED; field++) {
      const start = writer.starts[field]!;
      const end = writer.ends[field]!;
      if ((this.escaped & (1 << field)) === 0) {
        writer.copy(field, bytes, start, end);
        continue;
      }
      if (!isUtf8(bytes, start, end)) return invalidUtf8(field);
      const text = decoded(bytes, start, end);
      if (LONE_SURROGATE.test(text)) return invalidUtf8(field);
      const plain = utf8(text);
      writer.copy(field, plain, 0, plain.length);
    }
    return undefined;
  }
}

/** The text of a JSON string whose content is [start, end). */
const decoded = (bytes: Uint8Array, start: number, end: number): string =>
  JSON.parse(textOf(bytes, start - 1, end + 1)) as string;

const isNumber = (first: number): boolean => first === MINUS || (first >= ZERO && first <= NINE);

function acceptsNumber(field: number, bytes: Uint8Array, start: number, end: number): boolean {
  if (WANTED[field] === 'text') return false;
  if (WANTED[field] !== 'text or integer') return true;
  for (let at = start + 1; at < end; at++) if (bytes[at]! < ZERO || bytes[at]! > NINE) return false;
  return true;
}
