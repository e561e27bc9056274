/** The rows of a frame as lines of a result file, directly from the columns. */
import { isUtf8 } from 'node:buffer';
import {
  EVENT_TYPES,
  type events,
  type interactions,
  type ranked,
  RECOMMENDATION_TYPES,
  type trendingHours,
} from '../../actors/model.js';
import {
  ABSENT,
  type deadLetters,
  type Dictionary,
  entryStart,
  type Frame,
  type FrameType,
  rowsOf,
} from '../../runtime/contract/stage.js';
import type { ResultFile } from './result-file.js';
import {
  csvColumn,
  NUMBER_BYTES_MAX,
  putBytes,
  putComma,
  putInteger,
  putNumber,
  putText,
  textLength,
} from './row-bytes.js';

type FrameOf<T> = T extends FrameType<infer C> ? Frame<C> : never;

const LF = 0x0a;
const KINDS = RECOMMENDATION_TYPES.map((name) => Buffer.from(name));
const TYPES = EVENT_TYPES.map((name) => Buffer.from(name));
/** The most that the numbers, constants and commas of a row take, without its texts. */
const FIXED_BYTES_MAX = 5 * NUMBER_BYTES_MAX + 96;

/** The end of each row: with the time, when it is given. */
const rowEnd = (asOfMs: number | undefined): Buffer =>
  Buffer.from(asOfMs === undefined ? '\n' : `,${new Date(asOfMs).toISOString()}\n`);

export function putRecommendations(
  file: ResultFile,
  epoch: number,
  { rows, columns }: FrameOf<typeof ranked>,
  asOfMs?: number,
): void {
  const { score, rank, kind } = columns;
  const [user, item, category] = [csvColumn(columns.user), csvColumn(columns.item), csvColumn(columns.category)];
  const [start, end] = [Buffer.from(`${epoch},`), rowEnd(asOfMs)];
  for (let r = 0; r < rows; r++) {
    if (item.codes[r] === ABSENT) continue;
    let at = file.room(FIXED_BYTES_MAX + textLength(user, r) + textLength(item, r) + textLength(category, r));
    const out = file.block;
    at = putBytes(out, at, start);
    at = putComma(out, putText(out, at, user, r));
    at = putComma(out, putText(out, at, item, r));
    at = putComma(out, putNumber(out, at, score[r]!));
    at = putComma(out, putText(out, at, category, r));
    at = putComma(out, putInteger(out, at, rank[r]!));
    at = putBytes(out, at, KINDS[kind[r]!]!);
    file.at = putBytes(out, at, end);
  }
}

export function putInteractions(
  file: ResultFile,
  epoch: number,
  { rows, columns }: FrameOf<typeof interactions>,
  asOfMs?: number,
): void {
  const { count, views, carts, purchases } = columns;
  const [user, item] = [csvColumn(columns.user), csvColumn(columns.item)];
  const [start, end] = [Buffer.from(`${epoch},`), rowEnd(asOfMs)];
  for (let r = 0; r < rows; r++) {
    let at = file.room(FIXED_BYTES_MAX + textLength(user, r) + textLength(item, r));
    const out = file.block;
    at = putBytes(out, at, start);
    at = putComma(out, putText(out, at, user, r));
    at = putComma(out, putText(out, at, item, r));
    at = putComma(out, putInteger(out, at, count[r]!));
    at = putComma(out, putInteger(out, at, views[r]!));
    at = putComma(out, putInteger(out, at, carts[r]!));
    at = putInteger(out, at, purchases[r]!);
    file.at = putBytes(out, at, end);
  }
}

export function putTrending(file: ResultFile, sizeMs: number, { rows, columns }: FrameOf<typeof trendingHours>): void {
  const { start, views, clicks, score, rank } = columns;
  const item = csvColumn(columns.item);
  let window = Buffer.alloc(0);
  for (let r = 0; r < rows; r++) {
    let at = file.room(FIXED_BYTES_MAX + textLength(item, r));
    const out = file.block;
    if (r === 0 || start[r] !== start[r - 1])
      window = Buffer.from(`${wholeSeconds(start[r]!)},${wholeSeconds(start[r]! + sizeMs)},`);
    at = putBytes(out, at, window);
    at = putComma(out, putText(out, at, item, r));
    at = putComma(out, putInteger(out, at, views[r]!));
    at = putComma(out, putInteger(out, at, clicks[r]!));
    at = putComma(out, putNumber(out, at, score[r]!));
    at = putInteger(out, at, rank[r]!);
    out[at] = LF;
    file.at = at + 1;
  }
}

/** `2019-10-01T02:00:00Z`: windows begin and end at full seconds. */
const wholeSeconds = (timeMs: number): string => `${new Date(timeMs).toISOString().slice(0, 19)}Z`;

export function putLate(file: ResultFile, epoch: number, { rows, columns }: FrameOf<typeof events>): void {
  const { time, type, price } = columns;
  const [user, item] = [csvColumn(columns.user), csvColumn(columns.item)];
  const [category, brand] = [csvColumn(columns.category), csvColumn(columns.brand)];
  for (let r = 0; r < rows; r++) {
    const texts = textLength(user, r) + textLength(item, r) + textLength(category, r) + textLength(brand, r);
    let at = file.room(FIXED_BYTES_MAX + texts);
    const out = file.block;
    at += out.write(`${epoch},${eventTime(time[r]!)},`, at, 'latin1');
    at = putComma(out, putBytes(out, at, TYPES[type[r]!]!));
    at = putComma(out, putText(out, at, item, r));
    at = putComma(out, putText(out, at, category, r));
    at = putComma(out, putText(out, at, brand, r));
    at = putComma(out, putNumber(out, at, price[r]!));
    at = putText(out, at, user, r);
    out[at] = LF;
    file.at = at + 1;
  }
}

/** `2019-10-01 02:19:42 UTC`; with milliseconds only if they are not 0. */
function eventTime(timeMs: number): string {
  const iso = new Date(timeMs).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, iso.endsWith('.000Z') ? 19 : 23)} UTC`;
}

export function putDeadLetters(file: ResultFile, _epoch: number, frame: FrameOf<typeof deadLetters>): void {
  const { codes, dictionary } = frame.columns.original;
  rowsOf(frame).forEach(({ original: _, storedAt, ...row }, r) => {
    const record = {
      ...row,
      ...originalOf(dictionary, codes[r]!),
      stored_at: storedAt === undefined ? undefined : new Date(storedAt).toISOString(),
    };
    file.put(Buffer.from(`${JSON.stringify(record)}\n`));
  });
}

/** Not by `textAt`: it drops a byte order mark and replaces bytes that are not UTF-8. */
function originalOf(dictionary: Dictionary, code: number): { original: string } | { original_base64: string } {
  const bytes = Buffer.from(dictionary.bytes.subarray(entryStart(dictionary, code), dictionary.ends[code]));
  return isUtf8(bytes) ? { original: bytes.toString() } : { original_base64: bytes.toString('base64') };
}
