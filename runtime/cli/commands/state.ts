/** Commands that inspect and repair the state of a stopped node. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type JsonOptions, NATS_KEYS, STATE_KEYS, wholeNumber, withSettings } from '../settings.js';
import type { StateGetOptions, StateListOptions } from '../state/state.js';
import type { RepairOptions } from '../repair/repair.js';
import type { RepartitionOptions } from '../repartition/command.js';

const ABOUTS = { dataDir: 'data directory of the stopped node' };
const STOPPED = `
The node must be stopped: a data directory belongs to one process. LevelDB compacts its files when they are opened; no entry changes, except that
a store of an older format is migrated.`;

export function stateCommands(rivulet: Command): void {
  const state = rivulet
    .command('state')
    .summary('the state of the stages of a stopped node: list, show, verify')
    .description(
      "The state of each stage is stored in LevelDB, as entries <stage>/<partition>/<state>/<key>. States with a $ are the runtime's own: $head\n" +
        'is the position of the snapshot in the mailbox.',
    );
  list(state);
  get(state);
  verify(state);
  repair(rivulet);
  repartition(rivulet);
}

function list(state: Command): void {
  const command = state
    .command('ls')
    .summary('list entries')
    .description('Lists entries and their content, in the order of the keys.')
    .option('--stage <name>', 'only of this stage')
    .option('--partition <n>', 'only of this partition', wholeNumber(0, 100_000))
    .option('--state <name>', 'only of this state')
    .option('--prefix <key>', 'only keys with this prefix')
    .option('--limit <n>', 'at most this many', wholeNumber(1, 100_000), 20)
    .option('--json', 'print them as a JSON array, in full')
    .action(async (options: StateListOptions) => {
      const { listState } = await import('../state/state.js');
      await listState(options);
    });
  withSettings(command, STATE_KEYS, { set: false, abouts: ABOUTS }).addHelpText(
    'after',
    `${STOPPED}

Examples:
  rivulet state ls --state '$head'
  rivulet state ls --stage recommendations --state lists --prefix user-00 --limit 100
  rivulet state ls --stage window --partition 2 --json`,
  );
}

function get(state: Command): void {
  const command = state
    .command('get')
    .summary('show one entry')
    .description('Prints an entry: JSON as it is, tables as rows, anything else as bytes.')
    .argument('<entry>', 'STAGE/PARTITION/STATE/KEY, as rivulet state ls prints it', entryPath)
    .option('--json', 'print it as JSON')
    .action(async (path: string, options: StateGetOptions) => {
      const { getState } = await import('../state/state.js');
      await getState(path, options);
    });
  withSettings(command, STATE_KEYS, { set: false, abouts: ABOUTS }).addHelpText(
    'after',
    `${STOPPED}

Examples:
  rivulet state get recommendations/0/lists/user-0042
  rivulet state get 'parse/0/$head' --json`,
  );
}

const entryPath = (text: string): string => {
  if (/^[^/]+\/\d+\/[^/]+(\/.*)?$/s.test(text)) return text;
  throw new InvalidArgumentError('Give STAGE/PARTITION/STATE/KEY, as rivulet state ls prints it.');
};

function verify(state: Command): void {
  const command = state
    .command('verify')
    .summary('check every entry and every file')
    .description(
      'Reads all of the state: the checksum of each entry and file, the heads against the deployment, and against the streams of NATS when it\n' +
        'runs. Exit code 1 when something is damaged or does not fit.',
    )
    .option('--json', 'print the findings as JSON')
    .action(async (options: JsonOptions) => {
      const { verifyState } = await import('../state/verify.js');
      process.exitCode = await verifyState(options);
    });
  withSettings(command, [...STATE_KEYS, ...NATS_KEYS]).addHelpText(
    'after',
    `
The node must be stopped: a data directory belongs to one process. rivulet repair repairs damage.

Examples:
  rivulet state verify
  rivulet state verify --data-dir /var/lib/rivulet --nats-url nats://nats-1:4222 --json`,
  );
}

function repair(rivulet: Command): void {
  const command = rivulet
    .command('repair')
    .summary('when a node does not start since state and log do not fit, or state is damaged')
    .description(
      'Examines the state of a stopped node and the streams it was made from, reports what is wrong and what can be done, and does it with --yes.\n' +
        'No state is deleted: stores that cannot be used are renamed to <name>.set-aside-<time>. Messages that no node wrote are\n' +
        'deleted from the streams between the stages.',
    )
    .option('--yes', 'do it; without it nothing is changed')
    .option('--start-anew', 'set all state aside, and recompute everything from the events that NATS still has')
    .option('--json', 'print the findings and the plan as JSON')
    .action(async (options: RepairOptions) => {
      const { repair: run } = await import('../repair/repair.js');
      process.exitCode = await run(options);
    });
  withSettings(command, [...STATE_KEYS, ...NATS_KEYS]).addHelpText(
    'after',
    `
Stop the node first, and with --start-anew every node that shares its NATS. An embedded NATS is started for as long as it takes.

Examples:
  rivulet repair                       print what is wrong, and what would be done
  rivulet repair --yes                 do it
  rivulet repair --start-anew          print what would be lost
  rivulet repair --start-anew --yes`,
  );
}

function repartition(rivulet: Command): void {
  const command = rivulet
    .command('repartition')
    .summary('change the partitions, or the chaining, of a stopped deployment')
    .description(
      'Redistributes the state of users and items over another number of partitions, or over stages that run as one or apart: nothing is lost, nothing\n' +
        'counted twice. Events that no node has read yet are kept, and processed afterwards. The partitions of the source (sourcePartitions) cannot be\n' +
        'changed.',
    )
    .option('--partitions <n>', 'the new number of partitions', wholeNumber(1, 256))
    .addOption(
      new Option('--chaining <how>', 'on: neighbouring stages run as one; off: each has a mailbox of its own').choices([
        'on',
        'off',
      ]),
    )
    .option('--yes', 'do it; without it nothing is changed')
    .option('--json', 'print the outcome as JSON')
    .action(async (options: RepartitionOptions) => {
      const { repartition: run } = await import('../repartition/command.js');
      await run(options);
    });
  withSettings(command, [...STATE_KEYS, ...NATS_KEYS]).addHelpText(
    'after',
    `
Stop every node first. An embedded NATS is started for as long as it takes. If it is interrupted, the same command continues it; until the streams are
recreated, the old --partitions or --chaining cancels it. Of several nodes run it on the data directory of one; the others then start on empty ones, and read
the state from the copies that it leaves in NATS.

Examples:
  rivulet repartition --partitions 8           print what would be done
  rivulet repartition --partitions 8 --yes     do it; then: rivulet start --partitions 8
  rivulet repartition --chaining on --yes      then: rivulet start --set pipeline.chaining=on`,
  );
}
