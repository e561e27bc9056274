/** Interactions of a file or folder, for evaluation: each user and item once, as of the first time, with the rating if there is one. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Entries } from '../../../actors/maths/als/sparse.js';
import { type EventType, type sampledEvents, VIEW } from '../../../actors/model.js';
import type { Dated } from '../../../actors/maths/evaluation/splits.js';
import { formatOf, listing } from '../../../connectors/csv/folder-source.js';
import { readRecords } from '../../../connectors/csv/read-records.js';
import { datasetFiles } from '../../../connectors/movielens/dataset.js';
import { readMovies } from '../../../connectors/movielens/movies.js';
import { readRatings } from '../../../connectors/movielens/ratings.js';
import { fatal } from '../../contract/errors.js';
import type { Row } from '../../frames/frame.js';
import { usage } from '../exit.js';

export const FORMATS = ['movielens', 'ratings', 'rees46', 'sessions'] as const;
export type Format = (typeof FORMATS)[number];

/** Users and items are numbers from 0, in order of first appearance. */
export interface Interactions extends Dated {
  /** NaN for none. */
  readonly rating: Float64Array;
  readonly users: number;
  readonly items: number;
}

interface Interaction {
  readonly user: string;
  readonly item: string;
  readonly timeMs: number;
  readonly rating: number;
  readonly category?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number;
}

/** An event as ranking learns from it. */
export type DatedEvent = Row<(typeof sampledEvents)['columns']> & { readonly time: number };

interface Columns {
  readonly user: readonly string[];
  readonly item: readonly string[];
  readonly time: readonly string[];
}

/** The columns of formats with a header; the first of several that is there. */
const COLUMNS = {
  rees46: { user: ['user_id'], item: ['product_id', 'item_id'], time: ['event_time'] },
  sessions: {
    user: ['session_id', 'user_session'],
    item: ['item_id', 'product_id'],
    time: ['event_time', 'timestamp'],
  },
} satisfies Record<string, Columns>;

/** All events, those of one user and item too, in order of time; at one time in that of the input. */
export async function readEvents(input: string, format: Format): Promise<DatedEvent[]> {
  const events: DatedEvent[] = [];
  const genres = await genresIn(input, format);
  for await (const { timeMs: time, user, item, ...facts } of interactionsIn(input, format)) {
    const { category = genres.get(item), brand, price = NaN } = facts;
    const none = { type: VIEW, past: 0, position: NaN, arm: undefined };
    events.push({ ...none, time, user, item, category, brand, price });
  }
  return nonEmpty(
    events.sort((a, b) => a.time - b.time),
    input,
  );
}

function nonEmpty<T extends ArrayLike<unknown>>(found: T, input: string): T {
  if (found.length > 0) return found;
  throw fatal('SOURCE_EMPTY', `${input} has no interactions`, { hint: 'give another --input' });
}

/** Of a folder of ratings that has films. */
async function genresIn(input: string, format: Format): Promise<ReadonlyMap<string, string>> {
  if (format !== 'movielens' || !existsSync(input) || !statSync(input).isDirectory()) return new Map();
  const { movies } = datasetFiles(readdirSync(input), input);
  if (movies === undefined) return new Map();
  const films = await readMovies(join(input, movies));
  return new Map(films.flatMap(({ item, genres }) => (genres.length === 0 ? [] : [[item, genres.join('|')]])));
}

export async function readInteractions(input: string, format: Format): Promise<Interactions> {
  const [users, items] = [new Map<string, number>(), new Map<string, number>()];
  const user: number[] = [];
  const item: number[] = [];
  const time: number[] = [];
  const rating: number[] = [];
  const rowsOfUser: Map<number, number>[] = [];
  for await (const one of interactionsIn(input, format)) {
    const [u, i] = [numbered(users, one.user), numbered(items, one.item)];
    const own = (rowsOfUser[u] ??= new Map());
    const known = own.get(i);
    if (known !== undefined) {
      time[known] = Math.min(time[known]!, one.timeMs);
      continue;
    }
    own.set(i, user.length);
    user.push(u);
    item.push(i);
    time.push(one.timeMs);
    rating.push(one.rating);
  }
  nonEmpty(user, input);
  return {
    ...{ user: Uint32Array.from(user), item: Uint32Array.from(item) },
    ...{ time: Float64Array.from(time), rating: Float64Array.from(rating) },
    ...{ users: users.size, items: items.size },
  };
}

function numbered(numbers: Map<string, number>, text: string): number {
  const known = numbers.get(text) ?? numbers.size;
  numbers.set(text, known);
  return known;
}

async function* interactionsIn(input: string, format: Format): AsyncGenerator<Interaction> {
  if (!existsSync(input)) throw usage(`--input ${input} does not exist`);
  if (format === 'movielens' || format === 'ratings') {
    for await (const { user, item, rating, seconds } of readRatings(ratingsIn(input))) {
      yield { user, item, rating, timeMs: seconds * 1000 };
    }
    return;
  }
  for (const path of await eventsIn(input)) yield* rowsOf(path, COLUMNS[format]);
}

function ratingsIn(input: string): string {
  if (!statSync(input).isDirectory()) return input;
  return join(input, datasetFiles(readdirSync(input), input).ratings);
}

async function eventsIn(input: string): Promise<string[]> {
  if (!statSync(input).isDirectory()) return [input];
  return (await listing(input)).files.map((name) => join(input, name));
}

async function* rowsOf(path: string, columns: Columns): AsyncGenerator<Interaction> {
  for await (const row of readRecords(path, formatOf(basename(path)))) {
    const wrong = (what: string): Error =>
      fatal('SOURCE_ROW', `${path}, line ${row.line}: ${what}`, { hint: 'correct the row, or leave it out' });
    if (row.problem !== undefined) throw wrong(row.problem);
    const fields = row.record as Readonly<Record<string, unknown>>;
    const field = (names: readonly string[]): string => {
      const value = names.map((name) => fields[name]).find((one) => one !== undefined && one !== '');
      if (typeof value === 'string' || typeof value === 'number') return String(value);
      throw wrong(`it has no ${names.join(' or ')}`);
    };
    const at = field(columns.time);
    const timeMs = timeOf(at);
    if (Number.isNaN(timeMs)) throw wrong(`the time ${JSON.stringify(at)} is neither ISO 8601 nor epoch seconds or ms`);
    if (fields['event_type'] === REMOVED) continue;
    const { category_code: category, brand, price } = fields as Readonly<Record<string, string | number | undefined>>;
    yield {
      ...{ user: field(columns.user), item: field(columns.item), timeMs, rating: NaN },
      ...{ category: textIn(category), brand: textIn(brand), price: price === '' ? NaN : Number(price ?? NaN) },
    };
  }
}

/** No sign of interest. */
const REMOVED: EventType = 'remove_from_cart';

const textIn = (field: string | number | undefined): string | undefined =>
  field === undefined || field === '' ? undefined : String(field);

/** Epoch numbers from 1973 on: up to eleven digits are seconds. */
const timeOf = (text: string): number =>
  /^\d+(\.\d+)?$/.test(text) ? Number(text) * (Number(text) < 1e11 ? 1000 : 1) : Date.parse(text);

/** The rows of a part as entries of a matrix of users by items. */
export function entriesOf(
  { user, item, users, items }: Interactions,
  isTraining: Uint8Array,
  part: number,
  valueOf: (row: number) => number,
): Entries {
  const rows = Uint32Array.from([...isTraining.keys()].filter((row) => isTraining[row] === part));
  return {
    ...{ rows: users, columns: items },
    row: rows.map((at) => user[at]!),
    column: rows.map((at) => item[at]!),
    value: Float64Array.from(rows, valueOf),
  };
}
