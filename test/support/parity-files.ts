/** ../shared/parity: real shop events, and the rows that Spark 3.5.3 gave for them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Missing } from './requirements.js';

export const PARITY = resolve(import.meta.dirname, '../../../shared/parity');
export const noParity: Missing = existsSync(PARITY) ? undefined : '../shared/parity is not there';

export type Csv = Readonly<Record<string, string>>;

/** The files quote nothing and have no comma in a field. */
export function readCsv(path: string): Csv[] {
  const [header, ...lines] = readFileSync(join(PARITY, path), 'utf8').trimEnd().split('\n');
  const names = header!.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((value, column) => [names[column]!, value])));
}

/** One file, one epoch. */
export const readEpochs = <E>(readEvent: (row: Csv) => E): E[][] =>
  readdirSync(join(PARITY, 'input'))
    .sort()
    .map((file) => readCsv(`input/${file}`).map(readEvent));

/** Epoch ms. */
export const eventTimeIn = (row: Csv): number => Date.parse(row['event_time']!.replace(' UTC', 'Z').replace(' ', 'T'));
