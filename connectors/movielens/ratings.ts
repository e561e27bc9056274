/**
 * ratings: files of ratings as MovieLens and those after it publish them, row by row.
 *
 *   u.data         user TAB item TAB rating TAB seconds                  MovieLens 100k
 *   ratings.dat    user::item::rating::seconds                           MovieLens 1M, 10M; MovieTweetings (ratings of 0 to 10)
 *   ratings.csv    userId,movieId,rating,timestamp, with a header        MovieLens latest, 20M, 25M
 *
 * The separator is that of the first row. A row that cannot be read ends it, with its line and what is wrong.
 */
import { fatal } from '../../runtime/contract/errors.js';
import { textRecords } from '../csv/csv-rows.js';

export interface Rating {
  readonly user: string;
  readonly item: string;
  readonly rating: number;
  /** Epoch seconds. */
  readonly seconds: number;
}

const SEPARATORS = ['::', '\t', ','];
const FIELDS = 4;

export async function* readRatings(path: string): AsyncGenerator<Rating, void, undefined> {
  let separator: string | undefined;
  for await (const { line, text } of textRecords(path, 'jsonl')) {
    const isFirst = separator === undefined;
    separator ??= SEPARATORS.find((one) => text.includes(one)) ?? ',';
    const fields = text.split(separator);
    const [user = '', item = '', rating = '', seconds = ''] = fields;
    if (isFirst && Number.isNaN(Number(rating)) && /rating/i.test(rating)) continue;
    const problem = problemOf(fields, rating, seconds);
    if (problem !== undefined) {
      throw fatal('SOURCE_ROW', `${path}, line ${line}: ${problem}`, {
        hint: 'a row is user, item, rating and epoch seconds, separated by :: or tabs, or by commas under a header',
      });
    }
    yield { user, item, rating: Number(rating), seconds: Number(seconds) };
  }
}

/** The date of the newest, UTC; `undefined` when there are none. */
export async function newestDate(path: string): Promise<string | undefined> {
  let newest = -Infinity;
  for await (const { seconds } of readRatings(path)) newest = Math.max(newest, seconds);
  return newest === -Infinity ? undefined : new Date(newest * 1000).toISOString().slice(0, 10);
}

function problemOf(fields: readonly string[], rating: string, seconds: string): string | undefined {
  if (fields.length !== FIELDS) return `it has ${fields.length} fields, not ${FIELDS}`;
  if (fields.some((field) => field.trim() === '')) return 'a field is empty';
  if (!Number.isFinite(Number(rating))) return `the rating is ${JSON.stringify(rating)}, not a number`;
  if (!Number.isInteger(Number(seconds))) return `the time is ${JSON.stringify(seconds)}, not whole epoch seconds`;
  return undefined;
}
