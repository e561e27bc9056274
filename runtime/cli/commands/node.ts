/** Commands that run a node, or query one. */
import { type Command, Option } from 'commander';
import { STRATEGIES } from '../../../actors/model.js';
import {
  ENGINE_KEYS,
  GRPC_KEYS,
  HTTP_KEYS,
  NATS_KEYS,
  nonEmpty,
  positiveNumber,
  type SettingOptions,
  STATE_KEYS,
  wholeNumber,
  withSetting,
  withSettings,
} from '../settings.js';
import type { DemoOptions } from '../demo/demo.js';
import type { GetOptions } from '../node/get.js';
import type { NewcomerOptions } from '../node/newcomer.js';
import type { TrendingOptions } from '../node/trending.js';

export function nodeCommands(rivulet: Command): void {
  demo(rivulet);
  start(rivulet);
  get(rivulet);
  newcomer(rivulet);
  trending(rivulet);
}

function demo(rivulet: Command): void {
  const command = rivulet
    .command('demo')
    .summary('everything on one machine: a made-up shop or film service, its events, its recommendations, live')
    .description(
      'Starts a node with its own NATS, invents a shop with users who view, click and buy, publishes what they do, and shows the\n' +
        'results. With --films it is a film service, whose users view, play and rate films of several genres. A second start continues\n' +
        'where the first was stopped.',
    )
    .option(
      '--films',
      'a film service instead of a shop; its data is in ./.rivulet-films unless --data-dir says otherwise',
    )
    .addOption(
      new Option(
        '--movielens <source>',
        'a film service of real ratings: a folder, a zip file or the URL of a MovieLens set is imported, trained from and served; its data is in ./.rivulet-movielens',
      ).conflicts(['films']),
    )
    .option('--rate <n>', 'events per second', wholeNumber(1, 20_000), 50)
    .option('--users <n>', 'users who come back', wholeNumber(1, 1_000_000), 2_000)
    .option('--items <n>', 'items of the shop, or films', wholeNumber(10, 1_000_000), 1_000)
    .option('--seed <n>', 'another seed, another shop', wholeNumber(0, 2 ** 32 - 1), 1)
    .action(async (options: DemoOptions) => {
      const { demo: run } = await import('../demo/demo.js');
      process.exitCode = await run(options);
    });
  withSettings(command, [
    ...STATE_KEYS,
    'natsServer',
    'natsPort',
    ...GRPC_KEYS,
    ...HTTP_KEYS,
    ...ENGINE_KEYS,
  ]).addHelpText(
    'after',
    `
Examples:
  rivulet demo
  rivulet demo --films
  rivulet demo --rate 2000 --data-dir ./other-shop
  rivulet demo --movielens https://files.grouplens.org/datasets/movielens/ml-latest-small.zip

While it runs, from another terminal:
  rivulet get user-0042 --explain
  rivulet dlq ls`,
  );
}

function start(rivulet: Command): void {
  const command = rivulet
    .command('start')
    .summary('run a node until it is stopped')
    .description(
      'Runs a node: reads events from NATS, maintains recommendations, serves them over gRPC and HTTP. Without --nats-url it runs its own nats-server.\n' +
        'Logs JSON on stderr. SIGTERM or Ctrl-C stops it with a snapshot within 8 s; a second one stops it at once.',
    )
    .option('--watch <folder>', 'take in the files of events that are added to a folder (sources.folder)')
    .action(async ({ watch, ...settings }: SettingOptions) => {
      const options = watch === undefined ? settings : withSetting(settings, 'sources.folder', watch as string);
      const { start: run } = await import('../node/start.js');
      process.exitCode = await run(options);
    });
  const keys = [...STATE_KEYS, ...NATS_KEYS, ...GRPC_KEYS, ...HTTP_KEYS, ...ENGINE_KEYS, 'popularity'];
  withSettings(command, keys).addHelpText(
    'after',
    `
Examples:
  rivulet start
  rivulet start --popularity popularity.csv
  rivulet start --watch ./incoming
  rivulet start --nats-url nats://nats-1:4222,nats://nats-2:4222 --replicas 3 --grpc-host 0.0.0.0
  rivulet start --set pipeline.watermarkDelaySeconds=60 --set pipeline.interest.halfLifeHours=6

All keys, their variables and defaults: rivulet config --help`,
  );
}

const withLink = (command: Command): Command =>
  command
    .option('--address <host:port>', 'the node (default: where the configuration says that it listens)')
    .option('--tls', 'use TLS')
    .option('--tls-ca <path>', 'authorities to trust, PEM (implies --tls)')
    .option('--tls-cert <path>', 'certificate to show to the node, PEM (implies --tls)')
    .option('--tls-key <path>', 'its key')
    .option('--tls-server-name <name>', "name in the node's certificate, when it is not the address")
    .option('--token-file <path>', 'file with a bearer token (default: the token in RIVULET_TOKEN, if any)');

function get(rivulet: Command): void {
  const command = rivulet
    .command('get')
    .summary('recommendations of a user, from a running node')
    .description(
      'Asks a node over gRPC for the recommendations of a user. An unknown user gets the most popular items.',
    )
    .argument('<user>', 'the user, as in the events')
    .option('-n, --number <n>', 'at most so many items', wholeNumber(1, 100), 10)
    .option('--category <name>', 'only items of this main category', nonEmpty)
    .option('--exclude-seen', 'leave out what the user has interacted with (the latest 1,000 items)')
    .addOption(
      new Option('--strategy <name>', 'what decides the order (default: as the node is configured)').choices(
        STRATEGIES,
      ),
    )
    .option('--explain', 'print the reason for each item');
  withLink(command)
    .option('--json', 'print the answer as JSON')
    .action(async (user: string, options: GetOptions) => {
      const { get: run } = await import('../node/get.js');
      await run(user, options);
    });
  withSettings(command, []).addHelpText(
    'after',
    `
Examples:
  rivulet get user-0042
  rivulet get user-0042 -n 5 --category electronics --exclude-seen --explain
  rivulet get user-0042 --strategy hybrid --explain
  rivulet get user-0042 --json --address recommendations.example.com:50051 --tls`,
  );
}

function newcomer(rivulet: Command): void {
  const command = rivulet
    .command('newcomer')
    .summary('how the list of a new user follows what the user does, on a running node')
    .description(
      'Makes up a user, publishes what the user does with some items, one after the other, and prints how soon the list follows, and the list.',
    )
    .option(
      '--items <ids>',
      'by commas (default: the most popular item, and two that are similar to it)',
      (text: string) => text.split(',').map((one) => one.trim()),
    )
    .addOption(
      new Option('--type <name>', 'what the user does').choices(['rating', 'view', 'purchase']).default('rating'),
    )
    .option('--rating <n>', 'of each item', positiveNumber, 5)
    .option('-n, --number <n>', 'items per list', wholeNumber(1, 100), 5)
    .addOption(
      new Option('--strategy <name>', 'what decides the order (default: as the node is configured)').choices(
        STRATEGIES,
      ),
    );
  withLink(command).action(async (options: NewcomerOptions) => {
    const { newcomer: run } = await import('../node/newcomer.js');
    await run(options);
  });
  withSettings(command, []).addHelpText(
    'after',
    `
Examples:
  rivulet newcomer
  rivulet newcomer --items 260,1196,1210 --strategy als
  rivulet newcomer --type view`,
  );
}

function trending(rivulet: Command): void {
  const command = rivulet
    .command('trending')
    .summary('the trending items, from a running node')
    .description(
      'Asks a node over gRPC for a trending list: views and clicks of the newest window of event time, each with its weight.\n' +
        'With --follow it keeps running: a live table on a terminal, else the list again after each change.',
    )
    .addOption(
      new Option(
        '--window <span>',
        '1h: the current clock hour (UTC); 24h: that and the 23 hours before it; last-hour: the last 60 minutes',
      )
        .choices(['1h', '24h', 'last-hour'])
        .default('1h'),
    )
    .option('--category <name>', 'only items of this main category', nonEmpty)
    .addOption(
      new Option('--ranking <name>', 'what it is ordered by')
        .choices(['score', 'velocity', 'decayed'])
        .default('score'),
    )
    .option('-n, --number <n>', 'at most so many items', wholeNumber(1, 100), 10)
    .option('--follow', 'show each change, until Ctrl-C');
  withLink(command)
    .option('--json', 'print the list as JSON, with --follow a line for each change')
    .action(async (options: TrendingOptions) => {
      const { trending: run } = await import('../node/trending.js');
      process.exitCode = await run(options);
    });
  withSettings(command, []).addHelpText(
    'after',
    `
Examples:
  rivulet trending
  rivulet trending --window last-hour --follow
  rivulet trending --window 24h --category electronics -n 20 --follow
  rivulet trending --follow --json | jq -c .entered`,
  );
}
