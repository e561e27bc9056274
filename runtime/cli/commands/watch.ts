/** Commands that watch a node at work, and the completion of all commands. */
import { type Command, Option } from 'commander';
import { EVENT_TYPES } from '../../../actors/model.js';
import {
  HTTP_KEYS,
  type JsonOptions,
  NODE_ABOUTS,
  NODE_KEYS,
  STATE_KEYS,
  wholeNumber,
  withSettings,
} from '../settings.js';
import type { LateOptions } from '../dead-letters/late.js';
import type { TailOptions } from '../node/events-tail.js';
import type { UnknownItemsOptions } from '../node/unknown-items.js';

export function watchCommands(rivulet: Command): void {
  status(rivulet);
  top(rivulet);
  events(rivulet);
  late(rivulet);
  items(rivulet);
  completion(rivulet);
}

function status(rivulet: Command): void {
  const command = rivulet
    .command('status')
    .summary('the parts of a running node: threads, shards, instances, restarts')
    .description(
      'Shows the supervision tree of a node, from GET /status: the embedded nats-server, the threads, their shards and instances, with restarts and\n' +
        'the last error of each. Where tokens are required, it takes one from RIVULET_TOKEN.',
    )
    .option('--json', 'print the status as JSON')
    .action(async (options: JsonOptions) => {
      const { status: run } = await import('../node/status.js');
      await run(options);
    });
  withSettings(command, [...STATE_KEYS, ...HTTP_KEYS]).addHelpText('after', '\nExample:\n  rivulet status');
}

function top(rivulet: Command): void {
  const command = rivulet
    .command('top')
    .summary('the stages of a running node, live: rates, lag, watermark')
    .description(
      'Shows what each stage of a node does, from GET /status: a table that is drawn anew every second on a terminal, else once.\n' +
        'Where tokens are asked for, it takes that in RIVULET_TOKEN.',
    )
    .option('--json', 'print one look as JSON')
    .action(async (options: JsonOptions) => {
      const { top: run } = await import('../node/top.js');
      await run(options);
    });
  withSettings(command, [...STATE_KEYS, ...HTTP_KEYS]).addHelpText('after', '\nExample:\n  rivulet top');
}

function events(rivulet: Command): void {
  const group = rivulet
    .command('events')
    .summary('events as they come in')
    .description('Events as a node takes them in. What it refuses: rivulet dlq ls.');
  const tail = group
    .command('tail')
    .summary('follow the events that a node takes in, until Ctrl-C')
    .description('Prints each valid event as a node reads it. What it refuses is in the dead-letter queue.')
    .option('--user <id>', 'only of this user')
    .addOption(new Option('--type <name>', 'only of this type').choices(EVENT_TYPES))
    .option('-n, --number <n>', 'end after so many', wholeNumber(1, 1_000_000_000))
    .option('--json', 'print a line of JSON for each')
    .action(async (options: TailOptions) => {
      const { tailEvents } = await import('../node/events-tail.js');
      await tailEvents(options);
    });
  withSettings(tail, NODE_KEYS, { set: false, abouts: NODE_ABOUTS }).addHelpText(
    'after',
    '\nExamples:\n  rivulet events tail --user user-0042\n  rivulet events tail --type purchase -n 100 --json',
  );
}

function late(rivulet: Command): void {
  const group = rivulet
    .command('late')
    .summary('events that came too late')
    .description('Events that came after their window was closed: they are kept, and counted in no window.');
  const list = group
    .command('ls')
    .summary('list the newest')
    .description('Lists late events with the window that was closed, the newest first.')
    .option('--limit <n>', 'at most so many', wholeNumber(1, 1_000), 20)
    .option('--json', 'print them as a JSON array')
    .action(async (options: LateOptions) => {
      const { listLateEvents } = await import('../dead-letters/late.js');
      await listLateEvents(options);
    });
  withSettings(list, NODE_KEYS, { abouts: NODE_ABOUTS }).addHelpText(
    'after',
    '\nExample:\n  rivulet late ls --limit 50',
  );
}

function items(rivulet: Command): void {
  const group = rivulet
    .command('items')
    .summary('items that the catalogue lacks')
    .description('The item catalogue of a running node. To fill it: rivulet publish --items.');
  const unknown = group
    .command('unknown')
    .summary('list the items that events are about and that the catalogue does not have')
    .description(
      'Lists them from GET /items/unknown, those with the latest events first, at most 1,000; none while the catalogue is empty.\n' +
        'Where tokens are required, it takes one from RIVULET_TOKEN.',
    )
    .option('--limit <n>', 'at most so many', wholeNumber(1, 1_000), 20)
    .option('--json', 'print them as a JSON array')
    .action(async (options: UnknownItemsOptions) => {
      const { listUnknownItems } = await import('../node/unknown-items.js');
      await listUnknownItems(options);
    });
  withSettings(unknown, [...STATE_KEYS, ...HTTP_KEYS], { set: false }).addHelpText(
    'after',
    '\nExample:\n  rivulet items unknown --limit 100',
  );
}

function completion(rivulet: Command): void {
  rivulet
    .command('completion')
    .summary('completion of commands and options for a shell')
    .description('Prints a script that makes the shell complete the commands and options of rivulet.')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      `
Examples:
  source <(rivulet completion bash)                                       in ~/.bashrc
  source <(rivulet completion zsh)                                        in ~/.zshrc, after compinit
  rivulet completion fish > ~/.config/fish/completions/rivulet.fish`,
    )
    .action(async (shell: string) => {
      const { completionScript } = await import('../completion.js');
      process.stdout.write(completionScript(rivulet, shell));
    });
}
