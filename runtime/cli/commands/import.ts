/** Commands that bring the past into a deployment. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { NODE_ABOUTS, NODE_KEYS, nonEmpty, positiveNumber, type SettingOptions, withSettings } from '../settings.js';
import { EVENT_TYPES } from '../../../actors/model.js';
import { type CsvColumns, delimiter, FIELD_NAMES, fieldPairs, TIME_FORMATS, typePairs } from '../import/csv-options.js';
import type { ImportOptions } from '../import/import.js';
import type { ImportMovieLensOptions } from '../import/movielens.js';
import type { RatingScale } from '../import/past-events.js';

export function importCommands(rivulet: Command): void {
  const group = rivulet
    .command('import')
    .summary('bring the past into a deployment that runs')
    .description('Brings what happened before into a deployment, beside its live events.');
  const events = group
    .command('events')
    .summary('files of past events')
    .description(
      'Publishes the events of CSV or JSONL files, plain or gzipped, as events of the past: they count in popularity, interests, seen items and the\n' +
        'history by their own times, are never late, and do not move the time of live events. It publishes as fast as the nodes process, and ends when\n' +
        'they are done. Interrupted or killed, the same command goes on where it stopped, and until then no other file is imported; a file that was imported\n' +
        'is not imported again.',
    )
    .argument('<file...>', 'the files, imported in this order')
    .addOption(new Option('--format <name>', 'format of the files (default: by their names)').choices(['csv', 'jsonl']))
    .action(async (files: string[], options: ImportOptions) => {
      const { importEvents } = await import('../import/import.js');
      await importEvents(files, options);
    });
  withSettings(withImport(events), NODE_KEYS, { abouts: NODE_ABOUTS }).addHelpText(
    'after',
    `
An event without an event_id gets one, made of the file's contents and its line; a rating without one is identified by user, item and time. Rows
that are refused are printed with their reason (exit code 1), and all others are imported: put the corrected rows into a file of their own.
Of two commands that import one file the one that began last goes on; of two files the one that began first is imported, and the other refused.

Examples:
  rivulet import events 2019-Oct.csv.gz 2019-Nov.csv.gz
  rivulet import events ratings.csv --rating-scale 0-10 --nats-url nats://nats-1:4222`,
  );
  csvCommand(group);
  const movieLens = group
    .command('movielens')
    .summary('a set of ratings: MovieLens 100k to 32M, MovieTweetings')
    .description(
      'Copies the files of a set as they are, with a manifest that `rivulet validate` checks; publishes its films as items of the catalogue, with titles,\n' +
        'all genres and the most frequent tags; and imports its ratings as events of the past, as `import events` does, or plays them as live events. The same command again goes on.',
    )
    .argument('<source>', 'a folder, a zip file, or the URL of one')
    .option('--bronze <folder>', 'where the copies go (default: bronze in the data directory)', nonEmpty)
    .option('--copy-only', 'copy the files, and no more: needs no node')
    .addOption(
      new Option('--speed <x>', 'play the ratings as live events, x times as fast as they were given').argParser(
        positiveNumber,
      ),
    )
    .addOption(
      new Option('--rating-scale <from-to>', 'the range of the ratings (default: 0-10 where one is above 5)')
        .argParser(ratingScale)
        .conflicts('speed'),
    )
    .action(async (source: string, options: ImportMovieLensOptions) => {
      const { importMovieLens } = await import('../import/movielens.js');
      await importMovieLens(source, options);
    });
  withSettings(movieLens, NODE_KEYS, { abouts: NODE_ABOUTS }).addHelpText(
    'after',
    `
Examples:
  rivulet import movielens https://files.grouplens.org/datasets/movielens/ml-latest-small.zip
  rivulet import movielens ml-1m.zip --bronze lake/bronze
  rivulet import movielens ml-100k/ --speed 100000`,
  );
  rivulet
    .command('validate')
    .summary('whether the files that were imported are as they were received')
    .description(
      'Compares the files of a folder with its _manifest.json: bytes, rows and MD5. Exit code 0 only when all of them agree.',
    )
    .argument('<folder>', 'a folder that rivulet import movielens wrote')
    .action(async (folder: string) => {
      const { validate } = await import('../import/validate.js');
      await validate(folder);
    });
  const giveUp = group
    .command('give-up')
    .summary('end the import of a file that cannot be continued')
    .description(
      'Ends the import of a file that was broken off, and of which the rest is not to come, since it is lost or has changed: other files can be imported\n' +
        'then. What came of it stays, so this file is never imported again.',
    )
    .argument('<file>', 'the file, by the path that it was imported from')
    .action(async (file: string, options: SettingOptions) => {
      const { giveUpImport } = await import('../import/give-up.js');
      await giveUpImport(file, options);
    });
  withSettings(giveUp, NODE_KEYS, { abouts: NODE_ABOUTS });
}

interface CsvOptions extends Omit<ImportOptions, 'columns' | 'format'> {
  readonly map?: CsvColumns['map'];
  readonly set?: CsvColumns['set'];
  readonly typeMap?: CsvColumns['types'];
  readonly time: CsvColumns['time'];
  readonly delimiter?: string;
  readonly header: boolean;
}

function csvCommand(group: Command): void {
  const csv = group
    .command('csv')
    .summary('CSV files with names of their own')
    .description(
      'As `import events`, of CSV files, plain or gzipped, whose columns, types of events or times are not called or written as in Rivulet: --map says which\n' +
        'column is which field. Columns that are not named are ignored.',
    )
    .argument('<file...>', 'the files, imported in this order')
    .option(
      '--map <field=column,...>',
      `the column of each field, as it is called in the first line (repeatable); fields: ${FIELD_NAMES}`,
      fieldPairs,
    )
    .option('--set <field=value,...>', 'fields that have the same value in all rows (repeatable)', fieldPairs)
    .option(
      '--type-map <word=type,...>',
      `what words of the file mean (repeatable): ${EVENT_TYPES.join(', ')}; others stay as they are`,
      typePairs,
    )
    .addOption(
      new Option('--time <format>', 'of times: epoch seconds, epoch milliseconds, ISO 8601, or each as it looks')
        .choices(TIME_FORMATS)
        .default('auto'),
    )
    .option(
      '--delimiter <character>',
      'what is between the columns; `tab` for a tab (default: a tab in .tsv files, else a comma)',
      delimiter,
    )
    .option('--no-header', 'the first line is a row: columns are given by number, from 1')
    .action(async (files: string[], { map, set, typeMap, time, delimiter: given, header, ...options }: CsvOptions) => {
      const { importEvents } = await import('../import/import.js');
      const columns = {
        ...{ map: map ?? new Map(), set: set ?? new Map(), types: typeMap ?? new Map() },
        ...{ time, delimiter: given, hasHeader: header },
      };
      await importEvents(files, { ...options, format: 'csv', columns });
    });
  withSettings(withImport(csv), NODE_KEYS, { abouts: NODE_ABOUTS, set: false }).addHelpText(
    'after',
    `
A row without a type is a rating where a column is mapped to \`rating\`. Refused rows, ids, interruption and repetition: rivulet import events --help.

Examples:
  rivulet import csv events.csv --map time=timestamp,user=visitorid,type=event,item=itemid \\
    --type-map addtocart=cart,transaction=purchase --time ms
  rivulet import csv orders.tsv.gz --no-header --map user=1,item=2,time=3 --set type=purchase`,
  );
}

/** Adds what imports of files have in common. */
const withImport = (command: Command): Command =>
  command
    .option(
      '--rating-scale <from-to>',
      'the range of the ratings in the files, as in 0-10: mapped to pipeline.minRating to pipeline.maxRating',
      ratingScale,
    )
    .option('--changed', 'import files that were imported with other contents: all their events count')
    .option('--json', 'print the summary as JSON');

function ratingScale(text: string): RatingScale {
  const [, from, to] = /^(-?\d+(?:\.\d+)?)-(-?\d+(?:\.\d+)?)$/.exec(text) ?? [];
  const scale = { from: Number(from), to: Number(to) };
  if (scale.from < scale.to) return scale;
  throw new InvalidArgumentError('Give the lowest and the highest rating, as in 0-10.');
}
