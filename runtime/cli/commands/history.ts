/** Commands of the history: all accepted events. */
import { type Command, Option } from 'commander';
import { instantFlag, NODE_ABOUTS, NODE_KEYS, nonEmpty, withSettings } from '../settings.js';
import { usage } from '../exit.js';
import { EXPORT_FORMATS, type ExportOptions } from '../history/export.js';
import type { HistoryListOptions } from '../history/list.js';
import type { HistoryRange } from '../../training/history.js';
import type { ReplayHistoryOptions } from '../history/replay.js';

export function historyCommands(rivulet: Command): void {
  const group = rivulet
    .command('history')
    .summary('all events that were accepted, with all their fields')
    .description(
      'Every accepted event with all its fields, and duplicates, marked: retained by age and size (history.days, history.megabytes). An event is there some\n' +
        'ten seconds after it was accepted.',
    );
  const list = group
    .command('ls')
    .summary('how many events of each day it has')
    .description('Counts the events by day of event time (UTC) and type.')
    .option('--json', 'print it as JSON')
    .action(async (options: HistoryListOptions) => {
      const { listHistory } = await import('../history/list.js');
      await listHistory(options);
    });
  withRange(list).addHelpText('after', '\nExample:\n  rivulet history ls --from 2026-11-01');
  const save = group
    .command('export')
    .summary('write events to a file')
    .description('Writes events as JSON lines, CSV or Parquet, in the order in which they were accepted.')
    .addOption(new Option('--format <name>', 'default: by the name of the file').choices(EXPORT_FORMATS))
    .option('--out <file>', 'the file, written when it is complete; - for standard output', nonEmpty, '-')
    .action(async (options: ExportOptions) => {
      const { exportHistory } = await import('../history/export.js');
      await exportHistory(options);
    });
  withRange(save).addHelpText(
    'after',
    `
Examples:
  rivulet history export --out november.parquet --from 2026-11-01 --to 2026-12-01
  rivulet history export --format csv > events.csv`,
  );
  const replay = group
    .command('replay')
    .summary('publish events into another deployment')
    .description(
      'Publishes events of the history into another deployment, in the order in which they were accepted, without duplicates: to fill a fresh deployment,\n' +
        'one with other settings, or one with a new stage. Interrupted, it has to be run again on a deployment that is fresh again.',
    )
    .requiredOption(
      '--into <where>',
      'NATS URL of the other deployment, or the data directory of its node, which must run',
      nonEmpty,
    )
    .option('--json', 'print the counts as JSON')
    .action(async (options: ReplayHistoryOptions) => {
      const { replayHistory } = await import('../history/replay.js');
      await replayHistory(options);
    });
  withRange(replay).addHelpText('after', '\nExample:\n  rivulet history replay --from 2026-11-01 --into ./fresh-data');
}

const withRange = (command: Command): Command =>
  withSettings(
    command
      .option(
        '--from <time>',
        'events of this event time or later, as in 2026-11-01 or 2026-11-01T12:00:00Z',
        instantFlag,
      )
      .option('--to <time>', 'events before this event time', instantFlag)
      .hook('preAction', (_, called) => {
        const { from = -Infinity, to = Infinity } = called.opts<HistoryRange>();
        if (from >= to)
          throw usage('--from is not before --to: no event is in between', 'exchange them, or leave one out');
      }),
    NODE_KEYS,
    { abouts: NODE_ABOUTS },
  );
