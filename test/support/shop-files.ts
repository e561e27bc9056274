/** Small seeded shops as CSV files, with the rows that the reference model gives for them. Made anew in each run: nothing is checked in. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../actors/maths/random.js';
import { referenceModel, type ReferenceEvent, type ReferencePopularityRow } from './reference-model.js';
import { type Kind, trendingOracle } from './trending-oracle.js';

const HEADER = 'event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session';
const CATEGORIES = ['electronics.audio', 'electronics.tv', 'apparel.shoes', 'computers.notebook', 'kids', ''];
const BRANDS = ['sony', 'bosch', 'a "b", c', ''];
const TYPES = ['view', 'view', 'view', 'cart', 'purchase'];
const START_MS = Date.UTC(2024, 0, 31, 23, 30);

export interface Shop {
  readonly input: string;
  readonly popularity: string;
  readonly events: number;
  /** Expected rows of each result file, as sorted lines of `key=value` in column order. */
  readonly expected: Readonly<Record<ResultFile, readonly string[]>>;
}

export const RESULT_FILES = [
  'recommendations.csv',
  'user_interactions.csv',
  'late.csv',
  'trending_1h.csv',
  'trending_24h.csv',
] as const;
export type ResultFile = (typeof RESULT_FILES)[number];

/** A shop before it is written to files. */
export interface ShopTexts {
  /** The text of each epoch's file. */
  readonly files: readonly string[];
  readonly table: readonly ReferencePopularityRow[];
  readonly events: number;
  readonly expected: Shop['expected'];
}

/** Makes `epochs` epochs of `rows` events, a tenth of them up to an hour late, and a popularity table. */
export function shopTexts({ seed = 1, epochs = 5, rows = 400, users = 80, items: itemCount = 60 } = {}): ShopTexts {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const items = Array.from({ length: itemCount }, (_, i) => ({
    id: String(1000 + i),
    category: pick(CATEGORIES),
    brand: pick(BRANDS),
  }));
  const all: ReferenceEvent[][] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const events = Array.from({ length: rows }, (_, i): ReferenceEvent => {
      const item = items[Math.floor(random() ** 2 * items.length)]!;
      const lateMs = random() < 0.1 ? random() * 3_600_000 : random() * 30_000;
      const time = Math.floor((START_MS + epoch * 1_200_000 + (i / rows) * 1_200_000 - lateMs) / 1000) * 1000;
      return {
        time,
        type: pick(TYPES),
        user: String(500 + Math.floor(random() ** 2 * users)),
        item: item.id,
        ...(item.category === '' ? {} : { category: item.category }),
        ...(item.brand === '' ? {} : { brand: item.brand }),
        price: Math.round(random() * 3) + 0.5,
      };
    });
    all.push(events);
  }
  const table = items.map(({ id, category }, i): ReferencePopularityRow => {
    const main = category.split('.')[0]!;
    return { item: id, totalPurchases: (i * 7) % 11, ...(main === '' ? {} : { mainCategory: main }) };
  });
  const files = all.map((events) => [HEADER, ...events.map(csvLine), ''].join('\n'));
  return { files, table, events: epochs * rows, expected: expectedRows(all, table) };
}

const [ITEM, CATEGORY] = [HEADER.split(',').indexOf('product_id'), HEADER.split(',').indexOf('category_code')];

/** The same files, but of every other item the category is in a catalogue, and not in the item's events. Category by item. */
export function withCatalogue(files: readonly string[]): { files: string[]; items: ReadonlyMap<string, string> } {
  const items = new Map<string, string>();
  const stripped = (line: string): string => {
    const fields = line.split(',');
    const [item = '', category = ''] = [fields[ITEM], fields[CATEGORY]];
    if (category === '' || Number(item) % 2 === 0 || line === HEADER) return line;
    items.set(item, category);
    return fields.with(CATEGORY, '').join(',');
  };
  return { files: files.map((text) => text.split('\n').map(stripped).join('\n')), items };
}

/** Writes a shop to files. */
export function makeShop(directory: string, options: { seed?: number; epochs?: number; rows?: number } = {}): Shop {
  const { files, table, events, expected } = shopTexts(options);
  const input = join(directory, 'input');
  mkdirSync(input, { recursive: true });
  files.forEach((text, epoch) => {
    writeFileSync(join(input, `part-${String(epoch).padStart(3, '0')}.csv`), text);
  });
  const popularity = join(directory, 'popularity.csv');
  const lines = table.map(
    ({ item, totalPurchases, mainCategory }) => `${item},${totalPurchases},${mainCategory ?? ''},,1.5`,
  );
  writeFileSync(
    popularity,
    ['product_id,total_purchases,main_category_code,main_brand,avg_price', ...lines, ''].join('\n'),
  );
  return { input, popularity, events, expected };
}

export const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
/** Scores are written with a decimal point, as Spark writes doubles. */
export const decimal = (value: number): string => (Number.isInteger(value) ? value.toFixed(1) : String(value));
export const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function csvLine({ time: ms, type, user, item, category, brand, price }: ReferenceEvent): string {
  return [time(ms), type, item, '1', category ?? '', quoted(brand ?? ''), price, user, `s-${user}`].join(',');
}

function expectedRows(epochs: ReferenceEvent[][], popularity: ReferencePopularityRow[]): Shop['expected'] {
  const { recommendations, userInteractions, late } = referenceModel(epochs, { popularity });
  return {
    'recommendations.csv': recommendations
      .map((r) => [r.epoch, r.user, r.item, decimal(r.score), r.mainCategory ?? '', r.rank, r.type].join(','))
      .sort(),
    'user_interactions.csv': userInteractions
      .map((r) => [r.epoch, r.user, r.item, r.interactionCount, r.views, r.carts, r.purchases].join(','))
      .sort(),
    'late.csv': late
      .map((e) =>
        [e.epoch, time(e.time), e.type, e.item, e.category ?? '', quoted(e.brand ?? ''), e.price, e.user].join(','),
      )
      .sort(),
    'trending_1h.csv': trendingRows(epochs, 'hour'),
    'trending_24h.csv': trendingRows(epochs, 'day'),
  };
}

const trendingRows = (epochs: ReferenceEvent[][], kind: Kind): string[] =>
  trendingOracle(epochs, kind)
    .map((r) => [iso(r.start), iso(r.end), r.item, r.views, r.clicks, decimal(r.score), r.rank].join(','))
    .sort();

/** As the bounds of windows are written. */
export const iso = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
