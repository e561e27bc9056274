/**
 * What parse should make of an event and of CSV text: plain, slow, by regular expressions and `Date`, on strings.
 * It shares no code with the stage but the names of fields and types.
 */
import type { FieldName } from '../../actors/formats/fields.js';
import { EVENT_TYPES } from '../../actors/model.js';

export type Given = Partial<Record<FieldName, string>>;

export interface PlainRow {
  readonly time: number;
  readonly type: number;
  readonly user: string;
  readonly item: string;
  readonly category: string | undefined;
  readonly brand: string | undefined;
  readonly price: number | undefined;
  readonly rating: number | undefined;
  readonly past: number;
  readonly position: number | undefined;
  readonly arm: string | undefined;
}

export type Judged = { readonly row: PlainRow } | { readonly rule: string; readonly field?: string };

const DAY_MS = 86_400_000;
const NAMES: readonly FieldName[] = ['event_id', 'user_id', 'item_id', 'category_code', 'brand', 'session_id'];

/** The fields of an event, as text, judged in the order that parse does. `impressionFault`: what is wrong with it if it is an impression. */
export function judge(
  given: Given,
  storedAtMs: number,
  {
    impliesRating = false,
    impressionFault,
  }: { readonly impliesRating?: boolean; readonly impressionFault?: Judged | undefined } = {},
): Judged {
  const text = (name: FieldName): string | undefined => (given[name] === '' ? undefined : given[name]);
  const refuse = (rule: string, field: FieldName): Judged => ({ rule, field });

  const typeName = text('event_type') ?? (impliesRating ? 'rating' : undefined);
  if (typeName === undefined) return refuse('missing_field', 'event_type');
  const type = (EVENT_TYPES as readonly string[]).indexOf(typeName);
  if (type < 0) return refuse('unknown_event_type', 'event_type');

  if (text('event_time') === undefined) return refuse('missing_field', 'event_time');
  const time = plainTime(text('event_time')!);
  if (Number.isNaN(time)) return refuse('time_invalid', 'event_time');
  const price = plainNumber(text('price'));
  if (Number.isNaN(price)) return refuse('number_invalid', 'price');
  const rating = plainNumber(text('rating'));
  if (Number.isNaN(rating)) return refuse('number_invalid', 'rating');

  if (time < 0) return refuse('time_before_1970', 'event_time');
  if (time > storedAtMs + DAY_MS) return refuse('time_in_future', 'event_time');
  const [user, item] = [text('user_id'), text('item_id')];
  if (user === undefined) return refuse('missing_field', 'user_id');
  if (item === undefined) return refuse('missing_field', 'item_id');
  if (price !== undefined && price < 0) return refuse('price_negative', 'price');
  if (typeName === 'rating' && rating === undefined) return refuse('missing_field', 'rating');
  if (rating !== undefined && (rating < 0.5 || rating > 5)) return refuse('rating_out_of_range', 'rating');

  const isImpression = typeName === 'impression';
  if (isImpression && impressionFault !== undefined) return impressionFault;
  const position = isImpression ? plainNumber(text('position')) : undefined;
  if (position !== undefined && !(Number.isInteger(position) && position >= 1 && position <= 1000))
    return refuse('position_out_of_range', 'position');

  for (const name of isImpression ? [...NAMES, 'model' as const, 'arm' as const] : NAMES) {
    if (new TextEncoder().encode(given[name]).length > 256) return refuse('text_too_long', name);
    if (/\p{Cc}/u.test(given[name] ?? '')) return refuse('control_characters', name);
  }
  if ([...(given.review_text ?? '')].length > 5000) return refuse('text_too_long', 'review_text');
  const row = { time, type, user, item, category: text('category_code'), brand: text('brand'), rating, past: 0 };
  const arm = isImpression ? text('arm') : undefined;
  // No price is -0.
  return { row: { ...row, price: price === 0 ? 0 : price, position, arm } };
}

/** `undefined` when absent, NaN when no finite decimal number. */
function plainNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
  return Number.isFinite(number) ? number : NaN;
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?(Z| UTC|([+-])(\d\d)(?::?(\d\d))?)?)?$/i;

export function plainTime(text: string): number {
  const parts = TIME.exec(text);
  if (parts === null) {
    const number = plainNumber(text) ?? NaN;
    return Math.round(Math.abs(number) < 1e11 ? number * 1000 : number);
  }
  const [, date = '', minutes = '00:00', seconds = '00', fraction = '', , sign, zoneHours = '0', zoneMinutes = '0'] =
    parts;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== date) return NaN;
  if (minutes > '23:59' || minutes.slice(3) > '59' || seconds > '59' || zoneHours > '23' || zoneMinutes > '59')
    return NaN;
  const [hour, minute] = minutes.split(':').map(Number) as [number, number];
  const offset = (sign === '-' ? -1 : 1) * (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000;
  const ms = Number(`${fraction}000`.slice(0, 3));
  return midnight + (hour * 60 + minute) * 60_000 + Number(seconds) * 1000 + ms - offset;
}

export interface PlainRecord {
  /** `undefined` when its quotes are broken. */
  readonly fields: readonly string[] | undefined;
  /** 1-based line that it starts on, and its text without the line end. */
  readonly line: number;
  readonly text: string;
}

const FIELD = String.raw`(?:"(?:[^"]|"")*"|[^",\n]*?)`;
const RECORD = new RegExp(String.raw`(${FIELD}(?:,${FIELD})*)(?:\r?\n|\r?$)`, 'y');
const FIELDS = /,(?:"((?:[^"]|"")*)"|([^",\n]*))/gy;

/** CSV text by RFC 4180; a record with broken quotes is one line. Blank lines are nothing. */
export function plainCsv(text: string, firstLine = 1): PlainRecord[] {
  const records: PlainRecord[] = [];
  for (let at = 0, line = firstLine; at < text.length;) {
    RECORD.lastIndex = at;
    const found = RECORD.exec(text);
    const feed = text.indexOf('\n', at);
    const next = found !== null ? RECORD.lastIndex : feed < 0 ? text.length : feed + 1;
    const record = found?.[1] ?? text.slice(at, next).replace(/\r?\n?$/, '');
    const fields = found === null ? undefined : fieldsOf(record);
    if (record !== '') records.push({ fields, line, text: record });
    line += text.slice(at, next).split('\n').length - 1;
    at = next;
  }
  return records;
}

const fieldsOf = (record: string): string[] =>
  Array.from(`,${record}`.matchAll(FIELDS), ([, quoted, bare = '']) => quoted?.replaceAll('""', '"') ?? bare);
