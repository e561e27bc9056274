/**
 * popularity-table: how often each item was bought, from a CSV file: product_id, total_purchases, main_category_code, main_brand, avg_price.
 *
 * Columns may be in any order, and further ones are ignored. Category, brand and price may be empty. A table is an operator's file, not a stream:
 * its first error is fatal POPULARITY_TABLE, with its position and how to correct it.
 */
import { NAME_BYTES_MAX } from '../../actors/formats/limits.js';
import { popularItems } from '../../actors/model.js';
import { fatal } from '../../runtime/contract/errors.js';
import { type Frame, FrameBuilder } from '../../runtime/contract/stage.js';
import { BROKEN_QUOTE, fieldsOf, textRecords } from './csv-rows.js';
import { columnsOf } from './read-records.js';

export type PopularityFrame = Frame<(typeof popularItems)['columns']>;

const COLUMNS = ['product_id', 'total_purchases', 'main_category_code', 'main_brand', 'avg_price'] as const;
const NAMES = ['product_id', 'main_category_code', 'main_brand'] as const;
type Column = (typeof COLUMNS)[number];

const FRAME_ROWS_MAX = 8192;
/** Of the texts of a frame: it is one message, whatever their lengths. */
const FRAME_TEXT_BYTES_MAX = 256 * 1024;

/** The rows of a table in file order, in frames of at most 8,192 and 256 KiB of text; no frame for a table without rows. `loadedMs`: their `time`. */
export async function* popularityTable(
  path: string,
  loadedMs?: number,
): AsyncGenerator<PopularityFrame, void, undefined> {
  let columns: readonly string[] | undefined;
  let rows = new FrameBuilder(popularItems);
  let textBytes = 0;
  for await (const record of textRecords(path, 'csv')) {
    if (columns === undefined) {
      columns = columnsOf(path, record);
      checkColumns(path, columns);
      continue;
    }
    if (record.isDamaged === true)
      throw wrong(`${path}, line ${record.line} is not UTF-8`, 'convert the file to UTF-8');
    const row = readRow(columns, fieldsOf(record.text));
    if ('problem' in row) throw wrong(`${path}, line ${record.line}${row.problem}`, row.fix);
    rows.add({ ...row, time: loadedMs });
    textBytes += Buffer.byteLength(record.text);
    if (rows.rows < FRAME_ROWS_MAX && textBytes < FRAME_TEXT_BYTES_MAX) continue;
    yield rows.finish();
    rows = new FrameBuilder(popularItems);
    textBytes = 0;
  }
  if (columns === undefined) throw wrong(`${path} is empty`, `its first line must be ${COLUMNS.join(',')}`);
  if (rows.rows > 0) yield rows.finish();
}

function checkColumns(path: string, columns: readonly string[]): void {
  const missing = COLUMNS.filter((name) => !columns.includes(name));
  if (missing.length === 0) return;
  throw wrong(
    `${path}, line 1: the header lacks ${missing.join(', ')}; it has: ${columns.join(',')}`,
    `add or rename columns: it must have ${COLUMNS.join(',')}`,
  );
}

interface Problem {
  readonly problem: string;
  readonly fix: string;
}

interface PopularityRow {
  readonly item: string;
  readonly purchases: number;
  readonly category: string;
  readonly brand: string;
  readonly price: number;
}

function readRow(columns: readonly string[], fields: readonly string[] | undefined): PopularityRow | Problem {
  if (fields === undefined) return { problem: ': a quote breaks the row', fix: BROKEN_QUOTE };
  if (fields.length !== columns.length) {
    const fix = 'write absent values as empty, and quote a value that holds a comma';
    return { problem: `: the row has ${fields.length} columns and the header ${columns.length}`, fix };
  }
  const field = (name: Column): string => fields[columns.indexOf(name)]!.trim();
  const item = field('product_id');
  if (item === '')
    return { problem: ', column product_id: the value is empty', fix: 'give each row the id of its item' };
  for (const name of NAMES) {
    const bytes = Buffer.byteLength(field(name));
    if (bytes > NAME_BYTES_MAX) {
      const fix = `shorten it: at most ${NAME_BYTES_MAX} bytes, as in events`;
      return { problem: `, column ${name}: the value has ${bytes} bytes`, fix };
    }
  }
  const purchases = numberOf(field('total_purchases'));
  if (!Number.isSafeInteger(purchases)) {
    const fix = 'write a whole number, 0 or more, such as 10';
    return { problem: `, column total_purchases: "${field('total_purchases')}" is not a count`, fix };
  }
  const price = field('avg_price') === '' ? NaN : numberOf(field('avg_price'));
  if (field('avg_price') !== '' && Number.isNaN(price)) {
    const fix = 'write a number, 0 or more, such as 19.99, or leave it empty';
    return { problem: `, column avg_price: "${field('avg_price')}" is not a price`, fix };
  }
  return { item, purchases, category: field('main_category_code'), brand: field('main_brand'), price };
}

/** A finite decimal, not negative; NaN for anything else. Spark writes large doubles as 1.0E7. */
function numberOf(text: string): number {
  const value = /^\d+(\.\d*)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? value : NaN;
}

const wrong = (message: string, hint: string): Error => fatal('POPULARITY_TABLE', message, { hint });
