/** `rivulet history export`: events of the history as a file. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import { rowsOf } from '../../frames/frame.js';
import { STDIN as STDOUT } from '../../../connectors/csv/file-bytes.js';
import { usage } from '../exit.js';
import { mustBeFolder } from '../given-file.js';
import { withLog } from '../nats-link.js';
import { historyProgress } from '../progress.js';
import { type SettingOptions, settingsOf } from '../settings.js';
import { grouped } from '../terminal.js';
import { HISTORY_FIELDS, type HistoryField, type HistoryRow } from './fields.js';
import { type HistoryFrame, historyPieces } from '../../training/history.js';

export const EXPORT_FORMATS = ['jsonl', 'csv', 'parquet'] as const;
type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions extends SettingOptions {
  readonly from?: number;
  readonly to?: number;
  readonly format?: ExportFormat;
  readonly out: string;
}

/** Of Parquet: pages are read as a whole. */
const ROW_GROUP_ROWS = 50_000;

/** A file under way. */
interface EventFile {
  write(events: HistoryFrame): Promise<void>;
  finish(): Promise<void>;
}

export async function exportHistory({ from, to, format: given, out, ...options }: ExportOptions): Promise<void> {
  const format = given ?? EXPORT_FORMATS.find((one) => out.endsWith(`.${one}`));
  if (format === undefined) {
    const what = out === STDOUT ? 'standard output has no name' : `the name ${out} has no known ending`;
    throw usage(what, `give --format ${EXPORT_FORMATS.slice(0, -1).join(', ')} or ${EXPORT_FORMATS.at(-1)}`);
  }
  if (format === 'parquet' && out === STDOUT) throw usage('Parquet needs a file', 'give --out events.parquet');
  if (out !== STDOUT) await mustBeWritable(out);
  const { config } = settingsOf(options);
  const progress = historyProgress('events');
  const partial = out === STDOUT ? out : `${out}.part`;
  let count = 0;
  try {
    await withLog(config, 'history', async (log) => {
      const file = format === 'parquet' ? parquetFile(partial) : textFile(partial, format);
      for await (const { events, share } of historyPieces(log, { from, to }, progress.signal)) {
        if (events.rows > 0) await file.write(events);
        progress.update(share, (count += events.rows));
      }
      await file.finish();
    });
    if (out !== STDOUT) await rename(partial, out);
  } catch (error) {
    if (out !== STDOUT) await rm(partial, { force: true });
    throw error;
  } finally {
    progress.end();
  }
  process.stderr.write(`${grouped(count)} events${out === STDOUT ? '' : ` in ${out}`}\n`);
}

async function mustBeWritable(path: string): Promise<void> {
  await mustBeFolder(dirname(resolve(path)), 'make it, or name another file with --out');
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) throw usage(`${path} is a folder`, 'name a file in it with --out');
}

function textFile(path: string, format: 'jsonl' | 'csv'): EventFile {
  const out = path === STDOUT ? process.stdout : createWriteStream(path);
  // An error between two writes is thrown by the next one.
  let failure: Error | undefined;
  out.on('error', (error: Error) => {
    failure = error;
  });
  const put = async (text: string): Promise<void> => {
    if (failure !== undefined) throw failure;
    if (!out.write(text)) await once(out, 'drain');
  };
  const lineOf = format === 'csv' ? csvLine : jsonLine;
  // Of CSV; empty once it is written.
  let header = format === 'csv' ? `${HISTORY_FIELDS.map(({ name }) => name).join()}\n` : '';
  return {
    write: async (events) => {
      await put(`${header}${rowsOf(events).map(lineOf).join('\n')}\n`);
      header = '';
    },
    finish: async () => {
      if (header !== '') await put(header);
      if (out === process.stdout) return;
      out.end();
      await finished(out);
    },
  };
}

/** Without fields that have no value. */
const jsonLine = (row: HistoryRow): string =>
  JSON.stringify(Object.fromEntries(HISTORY_FIELDS.map(({ name, of }) => [name, of(row)])));

const csvLine = (row: HistoryRow): string =>
  HISTORY_FIELDS.map(({ of }) => {
    const value = of(row);
    const text = value instanceof Date ? value.toISOString() : String(value ?? '');
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join();

const asParquet = (type: HistoryField['type'], value: ReturnType<HistoryField['of']>) =>
  type === 'INT64' && value !== undefined ? BigInt(value as number) : (value ?? null);

function parquetFile(path: string): EventFile {
  const columnsOf = (rows: readonly HistoryRow[]) =>
    HISTORY_FIELDS.map(({ name, type, of }) => ({
      name,
      type,
      data: rows.map((row) => asParquet(type, of(row))),
      nullable: true,
    }));
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: schemaFromColumnData({ columnData: columnsOf([]) }),
  });
  let rows: HistoryRow[] = [];
  const put = async (): Promise<void> => {
    if (rows.length > 0) await writer.write({ columnData: columnsOf(rows), rowGroupSize: ROW_GROUP_ROWS });
    rows = [];
  };
  return {
    write: async (events) => {
      rows.push(...rowsOf(events));
      if (rows.length >= ROW_GROUP_ROWS) await put();
    },
    finish: async () => {
      await put();
      await writer.finish();
    },
  };
}
