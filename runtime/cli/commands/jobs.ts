/** Commands that do one job and end. */
import { type Command, Option } from 'commander';
import { NODE_ABOUTS, NODE_KEYS, positiveNumber, STATE_KEYS, wholeNumber, withSettings } from '../settings.js';
import type { PublishOptions } from '../publish/publish.js';
import type { ReplayCommandOptions } from '../replay/command.js';
import type { ListOptions, ShowOptions } from '../dead-letters/list.js';
import type { RetryOptions } from '../dead-letters/retry.js';

export function jobCommands(rivulet: Command): void {
  publish(rivulet);
  replay(rivulet);
  deadLetters(rivulet);
}

function publish(rivulet: Command): void {
  const command = rivulet
    .command('publish')
    .summary('send a file of events, or of items of the catalogue, to NATS')
    .description(
      'Publishes each record of a CSV or JSONL file, plain or gzipped, as an event on rivulet.events.<type>.<user>, acknowledged by\n' +
        'JetStream. What a node would refuse goes to rivulet.events.unknown, and comes back in the dead-letter queue with the reason that is printed here.\n' +
        'With --items each record is an item of the catalogue (item_id, title, category, brand, price), on rivulet.items.<item>: answers then have its\n' +
        'title. It replaces all that was stored about the item; {"item_id": …, "deleted": true} removes it.',
    )
    .option('--file <path>', 'a file of events; - is standard input')
    .option('--items <path>', 'a file of items of the catalogue; - is standard input')
    .addOption(new Option('--format <name>', 'format of the file (default: by its name)').choices(['csv', 'jsonl']))
    .addOption(new Option('--rate <n>', 'records per second (default: as fast as it goes)').argParser(positiveNumber))
    .addOption(
      new Option('--speed <x>', 'by event time, x times as fast as it happened')
        .argParser(positiveNumber)
        .conflicts(['rate', 'items']),
    )
    .option('--json', 'print the summary as JSON')
    .action(async (options: PublishOptions) => {
      const { publish: run } = await import('../publish/publish.js');
      await run(options);
    });
  withSettings(command, NODE_KEYS, { abouts: NODE_ABOUTS }).addHelpText(
    'after',
    `
Without --nats-url (or RIVULET_NATS_URL) it sends to the node that runs on the data directory.

Examples:
  rivulet publish --file 2019-Oct.csv.gz --rate 1000
  rivulet publish --file ratings.csv
  rivulet publish --items products.csv
  zcat events.csv.gz | rivulet publish --file - --format csv
  rivulet publish --file events.jsonl --speed 60 --nats-url nats://127.0.0.1:4222`,
  );
}

function replay(rivulet: Command): void {
  const command = rivulet
    .command('replay')
    .summary('the bounded job: a folder of files through the whole pipeline, into result files')
    .description(
      'Reads the CSV and JSONL files of a folder in name order, one epoch per file, through the real pipeline (JetStream, LevelDB), and\n' +
        'writes recommendations.csv, user_interactions.csv, trending_1h.csv, trending_24h.csv, late.csv, dead-letter.jsonl and summary.json.\n' +
        'After a stop or a crash the same command continues; the results are the same.',
    )
    .requiredOption('--input <dir>', 'folder with the event files')
    .requiredOption('--popularity <file>', 'CSV: product_id,total_purchases,main_category_code,main_brand,avg_price')
    .option(
      '--items <file>',
      "CSV or JSONL with a catalogue, as for rivulet publish: events without a category get their items'",
    )
    .requiredOption('--out <dir>', 'folder for the results; made when it is not there')
    .addOption(new Option('--trigger <name>', 'what ends an epoch').choices(['file']).default('file'))
    .addOption(
      new Option('--interest <name>', 'interests of one epoch, or interests that decay with time')
        .choices(['epoch', 'decayed'])
        .default('epoch'),
    )
    .option('--top <n>', 'items per user', wholeNumber(1, 100), 10)
    .addOption(
      new Option(
        '--chaining <how>',
        'on: neighbouring stages run as one; off: each has a mailbox of its own in NATS. Changes no result',
      )
        .choices(['on', 'off'])
        .default('on'),
    )
    .option(
      '--chunk-bytes <n>',
      'read the files in pieces of this size; changes no result',
      wholeNumber(1, 4 * 1024 * 1024),
      512 * 1024,
    )
    .option(
      '--timestamps',
      'a last column as_of in recommendations.csv and user_interactions.csv: the latest event time up to the end of the epoch, UTC',
    )
    .option(
      '--restart',
      'discard the job, finished or not, and start over; without it, the same command goes on, with new files too',
    )
    .option('--json', 'print the summary as JSON')
    .action(async (options: ReplayCommandOptions) => {
      const { replayCommand: run } = await import('../replay/command.js');
      await run(options);
    });
  withSettings(command, ['partitions', 'threads', 'snapshotEverySeconds', 'natsServer', ...STATE_KEYS]).addHelpText(
    'after',
    `
Examples:
  rivulet replay --input events --popularity popularity.csv --out results
  rivulet replay --input ratings --popularity popularity.csv --items movies.csv --out results
  rivulet replay --input events --popularity popularity.csv --out results --partitions 8 --interest decayed --json`,
  );
}

function deadLetters(rivulet: Command): void {
  const dlq = rivulet
    .command('dlq')
    .summary('the dead-letter queue: which events were refused, why, and sending them again')
    .description('Events that were refused are kept with their original bytes, where they came from, and the reason.');
  const list = dlq
    .command('ls')
    .summary('list the newest')
    .description('Lists refused events, the newest first.')
    .option('--limit <n>', 'at most so many', wholeNumber(1, 100_000), 20)
    .option('--rule <name>', 'only those refused by this rule')
    .option('--json', 'print them as a JSON array')
    .action(async (options: ListOptions) => {
      const { listDeadLetters } = await import('../dead-letters/list.js');
      await listDeadLetters(options);
    });
  withSettings(list, NODE_KEYS, { set: false, abouts: NODE_ABOUTS }).addHelpText(
    'after',
    '\nExample:\n  rivulet dlq ls --limit 50 --rule price_negative',
  );
  const show = dlq
    .command('show')
    .summary('all that is known of one, with its original bytes')
    .description('Prints a refused event: where it came from, why it was refused, and what exactly was sent.')
    .argument('<id>', 'as dlq ls lists it')
    .option('--json', 'print it as JSON, with the original bytes in base64')
    .action(async (id: string, options: ShowOptions) => {
      const { showDeadLetter } = await import('../dead-letters/list.js');
      await showDeadLetter(id, options);
    });
  withSettings(show, NODE_KEYS, { set: false, abouts: NODE_ABOUTS }).addHelpText(
    'after',
    '\nExample:\n  rivulet dlq show 17-0',
  );
  retry(dlq);
}

function retry(dlq: Command): void {
  const command = dlq
    .command('retry')
    .summary('publish one again, as it is or corrected')
    .description(
      'Publishes the original again where it was published first, and marks it as retried. Correct it with --set or --data.\n' +
        'It waits 2 s for a node to read it: exit code 1 when the node refuses it again.',
    )
    .argument('[id]', 'as dlq ls lists it')
    .option('--all', 'all that were not retried yet')
    .option('--rule <name>', 'with --all: only those refused by this rule')
    .option('--again', 'even if it was retried already')
    .option(
      '--set <field=value>',
      'set a field of the JSON event (repeatable)',
      (text: string, all: readonly string[] = []) => [...all, text],
    )
    .option('--data <json>', 'publish this instead')
    .addOption(new Option('--data-file <path>', 'publish the content of this file instead').conflicts('data'))
    .option('--json', 'print what was done as JSON')
    .action(async (id: string | undefined, options: RetryOptions) => {
      const { retryDeadLetters } = await import('../dead-letters/retry.js');
      await retryDeadLetters(id, options);
    });
  withSettings(command, NODE_KEYS, { set: false, abouts: NODE_ABOUTS }).addHelpText(
    'after',
    `
Examples:
  rivulet dlq retry 17-0 --set price=12.5 --set user_id=user-7
  rivulet dlq retry 17-0 --data '{"event_type":"view","event_time":"2026-11-01T12:00:00Z","user_id":"u1","item_id":"i1"}'
  rivulet dlq retry --all --rule time_in_future`,
  );
}
