/**
 * One catalogue item as a JSON object: its fields are found by name, checked, and returned as a row.
 *
 *   item_id    text, or a whole number, whose digits are kept           required
 *   title, brand    text
 *   category, tags  text, one or several with `|` between them; or a list of texts (`genres`), which are joined so (maths/main-category)
 *   price      a number, 0 or more
 *   deleted    true: the item is removed from the catalogue
 *
 * null and the empty text are absent.
 */
import { CLOSE_BRACE, COMMA, MINUS, NINE, OPEN_BRACE, OPEN_BRACKET, QUOTE, ZERO } from '../maths/ascii.js';
import { decimalOf } from '../maths/decimal.js';
import { BETWEEN_CATEGORIES, categoriesText } from '../maths/main-category.js';
import { textOf, utf8 } from '../../runtime/contract/stage.js';
import { type Fault, notJson, type Rule, shownAsItIs } from './fault.js';
import {
  ITEM_FIELDS,
  ITEM_NAMES,
  type ItemFieldName,
  TAGS_CHARACTERS_MAX,
  TITLE_CHARACTERS_MAX,
} from './item-fields.js';
import { JsonScanner } from './json-scanner.js';
import { NAME_BYTES_MAX } from './limits.js';
import { charactersIn, isUtf8 } from './text.js';

/** A published item: absent fields are unknown. */
export interface PublishedItem {
  readonly item: string;
  readonly title: string | undefined;
  readonly category: string | undefined;
  readonly brand: string | undefined;
  readonly price: number | undefined;
  readonly tags: string | undefined;
  readonly deleted: boolean;
}

/** The position of a field's value, and the name that was used. */
interface Found {
  readonly start: number;
  readonly end: number;
  readonly place: number;
}

const NOT_AN_OBJECT: Fault = {
  rule: 'json_not_object',
  reason: 'an item must be a JSON object: send {"item_id": …, "title": …}',
};

const LONE_SURROGATE = /[\ud800-\udfff]/u;
const CONTROLS = /[\0-\x1f\x7f-\x9f]/;
const TEXT_FIELDS = ['item_id', 'title', 'category', 'brand', 'tags'] as const;
const NULL = 0x6e;
const TRUE = 0x74;
const FALSE = 0x66;

/** Reads bytes [start, end), expected to be one object. */
export function readJsonItem(bytes: Uint8Array, start: number, end: number): PublishedItem | Fault {
  const scanner = new JsonScanner(bytes, end);
  scanner.at = start;
  if (scanner.byte !== OPEN_BRACE) {
    return scanner.skipValue() && scanner.at === end ? NOT_AN_OBJECT : notJson(scanner.at - start);
  }
  const values = new Values(bytes);
  if (!readMembers(scanner, values) || scanner.at < end) return notJson(scanner.at - start);
  const price = values.price();
  const item = {
    item: values.id() ?? '',
    title: values.text('title'),
    category: values.list('category'),
    brand: values.text('brand'),
    price,
    tags: values.list('tags'),
    deleted: values.flag('deleted'),
  };
  if (values.fault !== undefined) return values.fault;
  if (item.item === '') return fault('missing_field', 'item_id', `is missing or empty: send it as ${names('item_id')}`);
  return textFault(item) ?? item;
}

export const isFault = (read: PublishedItem | Fault): read is Fault => 'rule' in read;

const fault = (rule: Rule, field: ItemFieldName, says: string): Fault => ({ rule, field, reason: `${field} ${says}` });

const names = (field: ItemFieldName): string => ITEM_FIELDS[field].join(' or ');

/** Walks the members of an object, with the scanner on its brace; false when it is not JSON: the scanner is then at the error. */
function readMembers(scanner: JsonScanner, values: Values): boolean {
  scanner.at++;
  scanner.skipSpace();
  if (scanner.skip(CLOSE_BRACE)) return true;
  for (;;) {
    const keyStart = scanner.at;
    if (!scanner.skipKey()) return false;
    const valueStart = scanner.at;
    if (!scanner.skipValue(1)) return false;
    values.take(keyStart, valueStart, scanner.at);
    scanner.skipSpace();
    if (scanner.skip(CLOSE_BRACE)) return true;
    if (!scanner.skip(COMMA)) return false;
    scanner.skipSpace();
  }
}

/** The values of an object's fields, decoded on access; records the first invalid one. */
class Values {
  fault: Fault | undefined;
  private readonly found = new Map<ItemFieldName, Found>();
  private readonly ids = new Set<string>();

  constructor(private readonly bytes: Uint8Array) {}

  /** A member: its key begins at `keyStart`, its value is [start, end). */
  take(keyStart: number, start: number, end: number): void {
    const { bytes, found } = this;
    let keyEnd = start - 1;
    // Back over the colon and the spaces around it.
    while (bytes[keyEnd] !== QUOTE) keyEnd--;
    const [field, place] = ITEM_NAMES.get(decoded(bytes, keyStart, keyEnd + 1)) ?? [];
    if (field === undefined || place === undefined) return;
    const first = bytes[start];
    if (first === NULL || (first === QUOTE && end - start === 2)) return;
    const before = found.get(field);
    if (before === undefined || place < before.place) found.set(field, { start, end, place });
    if (field === 'item_id') this.ids.add(textOf(bytes, start, end));
  }

  /** As text, also for a whole number, which is not rounded. */
  id(): string | undefined {
    const value = this.found.get('item_id');
    if (value === undefined) return undefined;
    const { start, end } = value;
    if (this.ids.size > 1) this.fault ??= this.twoIds();
    if (isWholeNumber(this.bytes, start, end)) return textOf(this.bytes, start, end);
    return this.text('item_id', 'a string or a whole number');
  }

  text(field: ItemFieldName, wanted = 'a string'): string | undefined {
    const value = this.found.get(field);
    if (value === undefined) return undefined;
    const { start, end } = value;
    if (this.bytes[start] !== QUOTE) return this.refuse(field, value, wanted);
    return this.decode(field, start, end);
  }

  list(field: ItemFieldName): string | undefined {
    const value = this.found.get(field);
    if (value === undefined || this.bytes[value.start] !== OPEN_BRACKET) return categoriesText(this.text(field));
    const { start, end } = value;
    const list: unknown = isUtf8(this.bytes, start, end) ? JSON.parse(textOf(this.bytes, start, end)) : undefined;
    if (!isTexts(list)) return this.refuse(field, value, 'a string, or a list of strings');
    return categoriesText(list.join(BETWEEN_CATEGORIES));
  }

  price(): number | undefined {
    const value = this.found.get('price');
    if (value === undefined) return undefined;
    const { start, end } = value;
    const first = this.bytes[start]!;
    const isNumber = first === MINUS || (first >= ZERO && first <= NINE);
    if (!isNumber) return this.refuse('price', value, 'a number, without quotes');
    const price = decimalOf(this.bytes, start, end);
    if (price >= 0) return price + 0;
    const shown = shownAsItIs(this.bytes, start, end);
    this.fault ??= Number.isNaN(price)
      ? fault('number_invalid', 'price', `is ${shown}: send a number, as 12.5`)
      : fault('price_negative', 'price', `is ${shown}: send 0 or more`);
    return undefined;
  }

  flag(field: ItemFieldName): boolean {
    const value = this.found.get(field);
    const first = value && this.bytes[value.start];
    if (value !== undefined && first !== TRUE && first !== FALSE) this.refuse(field, value, 'true or false');
    return first === TRUE;
  }

  private decode(field: ItemFieldName, start: number, end: number): string | undefined {
    const text = isUtf8(this.bytes, start, end) ? decoded(this.bytes, start, end) : '\ud800';
    if (!LONE_SURROGATE.test(text)) return text;
    this.fault ??= fault('invalid_utf8', field, 'is not valid UTF-8: send text as UTF-8');
    return undefined;
  }

  private refuse(field: ItemFieldName, { start, end }: Found, wanted: string): undefined {
    this.fault ??= fault('wrong_type', field, `is ${shownAsItIs(this.bytes, start, end)}: send ${wanted}`);
  }

  private twoIds(): Fault {
    return fault('fields_disagree', 'item_id', `is given more than once (${names('item_id')}), differently: send one`);
  }
}

/** The text of a JSON string at [start, end), quotes included. */
function decoded(bytes: Uint8Array, start: number, end: number): string {
  const text = textOf(bytes, start, end);
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1);
}

function isWholeNumber(bytes: Uint8Array, start: number, end: number): boolean {
  const from = bytes[start] === MINUS ? start + 1 : start;
  for (let at = from; at < end; at++) if (bytes[at]! < ZERO || bytes[at]! > NINE) return false;
  return true;
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string' && !LONE_SURROGATE.test(one));

/** The first text that is too long, or has control characters. */
function textFault(item: PublishedItem): Fault | undefined {
  for (const field of TEXT_FIELDS) {
    const text = field === 'item_id' ? item.item : item[field];
    if (text === undefined) continue;
    if (isTooLong(field, text)) {
      const characters = charactersMax(field);
      const max = characters === undefined ? `${NAME_BYTES_MAX} bytes` : `${characters} characters`;
      return fault('text_too_long', field, `is longer than ${max}: shorten it`);
    }
    if (CONTROLS.test(text)) {
      return fault('control_characters', field, 'holds control characters (a line end, a tab, a NUL): remove them');
    }
  }
  return undefined;
}

/** Absent: it has at most NAME_BYTES_MAX bytes. */
const charactersMax = (field: ItemFieldName): number | undefined =>
  field === 'title' ? TITLE_CHARACTERS_MAX : field === 'tags' ? TAGS_CHARACTERS_MAX : undefined;

/** Encoded only if it may be too long: a UTF-16 unit is at most one character, and at most three bytes. */
function isTooLong(field: ItemFieldName, text: string): boolean {
  const max = charactersMax(field);
  if (max === undefined) return text.length * 3 > NAME_BYTES_MAX && utf8(text).length > NAME_BYTES_MAX;
  if (text.length <= max) return false;
  const bytes = utf8(text);
  return charactersIn(bytes, 0, bytes.length) > max;
}
