/** `rivulet import csv`: what its options say of the columns of a file. */
import { InvalidArgumentError } from 'commander';
import { type FieldName, FIELDS } from '../../../actors/formats/fields.js';
import { EVENT_TYPES } from '../../../actors/model.js';

/** `auto`: as in all events, each value by its form and size. */
export const TIME_FORMATS = ['auto', 's', 'ms', 'iso'] as const;
export type TimeFormat = (typeof TIME_FORMATS)[number];

export interface CsvColumns {
  /** By field: the name of its column; its number, from 1, in a file without a header. */
  readonly map: ReadonlyMap<FieldName, string>;
  /** By field: its value in all rows. */
  readonly set: ReadonlyMap<FieldName, string>;
  /** By word of the file: the event type. Other words stay as they are. */
  readonly types: ReadonlyMap<string, string>;
  readonly time: TimeFormat;
  /** Absent: by the name of the file. */
  readonly delimiter?: string | undefined;
  readonly hasHeader: boolean;
}

/** Beside the fields' own names. */
const SHORT_NAMES: Readonly<Record<string, FieldName>> = {
  user: 'user_id',
  item: 'item_id',
  time: 'event_time',
  type: 'event_type',
  category: 'category_code',
  session: 'session_id',
};
export const FIELD_NAMES = `${FIELDS.join(', ')}; also ${Object.keys(SHORT_NAMES).join(', ')}`;

type Pairs<Name extends string> = ReadonlyMap<Name, string>;

const pairsOf =
  <Name extends string>(nameOf: (name: string) => Name) =>
  (text: string, before: Pairs<Name> = new Map()): Pairs<Name> => {
    const all = new Map(before);
    for (const pair of text.split(',')) {
      const at = pair.indexOf('=');
      if (at < 1 || at === pair.length - 1)
        throw new InvalidArgumentError(`Give two names with = between them, not ${JSON.stringify(pair)}.`);
      const name = nameOf(pair.slice(0, at));
      if (all.has(name)) throw new InvalidArgumentError(`Give ${name} once.`);
      all.set(name, pair.slice(at + 1));
    }
    return all;
  };

/** For flags, repeatable: field=value,… */
export const fieldPairs = pairsOf((name): FieldName => {
  const field = FIELDS.find((one) => one === name || one === SHORT_NAMES[name]);
  if (field !== undefined) return field;
  throw new InvalidArgumentError(`There is no field ${JSON.stringify(name)}: ${FIELD_NAMES}.`);
});

/** For flags, repeatable: word=type,… */
export function typePairs(text: string, before?: Pairs<string>): Pairs<string> {
  const all = pairsOf((word) => word)(text, before);
  for (const type of all.values())
    if (!EVENT_TYPES.some((known) => known === type))
      throw new InvalidArgumentError(`There is no type ${JSON.stringify(type)}: ${EVENT_TYPES.join(', ')}.`);
  return all;
}

/** For flags. */
export function delimiter(text: string): string {
  if (text === 'tab') return '\t';
  if (/^[^\n\r"\x80-\uffff]$/.test(text)) return text;
  throw new InvalidArgumentError('Give one ASCII character that is no quote, or tab.');
}

export const delimiterOf = ({ delimiter }: CsvColumns, path: string): string =>
  delimiter ?? (/\.tsv(\.gz)?$/i.test(path) ? '\t' : ',');

/** As the record of an import has it: a file is imported once, in one way. */
export const columnsText = ({ map, set, types, time, delimiter, hasHeader }: CsvColumns): string =>
  [
    ...listed('--map', map),
    ...listed('--set', set),
    ...listed('--type-map', types),
    ...(time === 'auto' ? [] : [`--time ${time}`]),
    ...(delimiter === undefined ? [] : [`--delimiter ${delimiter === '\t' ? 'tab' : delimiter}`]),
    ...(hasHeader ? [] : ['--no-header']),
  ].join(' ');

function listed(flag: string, pairs: ReadonlyMap<string, string>): string[] {
  const all = [...pairs].map((pair) => pair.join('=')).sort();
  return all.length === 0 ? [] : [`${flag} ${all.join(',')}`];
}
