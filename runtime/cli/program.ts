/** The commands of `rivulet`: names, flags, help. Implementations are loaded when they run, so that help is fast. */
import { Command, CommanderError } from 'commander';
import { backupCommands } from './commands/backup.js';
import { evaluateCommands } from './commands/evaluate.js';
import { historyCommands } from './commands/history.js';
import { importCommands } from './commands/import.js';
import { inspectionCommands } from './commands/inspection.js';
import { jobCommands } from './commands/jobs.js';
import { nodeCommands } from './commands/node.js';
import { stateCommands } from './commands/state.js';
import { watchCommands } from './commands/watch.js';
import { EXIT, EXIT_CODES_HELP, errorText, exitCodeOf, wantsStack } from './exit.js';
import { version } from '../contract/version.js';

const HELP = `
Examples:
  rivulet demo                                   see it work: a made-up shop, its events, its recommendations
  rivulet start                                  run a node; rivulet.json, RIVULET_… variables and flags configure it
  rivulet publish --file events.csv --rate 500   send it a file of events
  rivulet get user-0042 --explain                ask it for recommendations
  rivulet trending --follow                      watch what is looked at and bought most
  rivulet events tail --user user-0042           see what comes in
  rivulet dlq ls                                 see which events were refused, and why
  rivulet status                                 see its parts, and what was restarted
  rivulet top                                    see what its stages do
  rivulet backup /backups/today                  copy all of it, while it runs
  rivulet import events 2019-Oct.csv.gz          bring in what happened before
  rivulet history export --out events.parquet    take out all accepted events, with all their fields
  rivulet nodes                                  see which nodes share the work
  rivulet doctor                                 find out why it does not start
  rivulet state ls                               see what a stopped node knows
  rivulet repair                                 repair state and log that do not match
  rivulet repartition --partitions 8             change the number of its partitions
${EXIT_CODES_HELP}

With --json a command prints JSON on stdout and nothing else there. Each command tells more: rivulet <command> --help.`;

/** Runs one command line; returns the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const rivulet = program();
  try {
    await rivulet.parseAsync(withoutHelpOfNone(rivulet, argv), { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    // Commander has printed its message already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    process.stderr.write(`${errorText(error, wantsStack(argv, process.env))}\n`);
    return exitCodeOf(error);
  }
}

export function program(): Command {
  const rivulet = new Command('rivulet')
    .description('A real-time recommendation engine: user events in over NATS, recommendations out over gRPC.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({ outputError: (text, write) => write(usageText(text)) })
    .exitOverride()
    // Most files contain user ids: only their owner may read them. For results the caller's umask decides.
    .hook('preAction', (_, command) => {
      if (command.name() !== 'replay') process.umask(0o077);
    });
  nodeCommands(rivulet);
  jobCommands(rivulet);
  backupCommands(rivulet);
  importCommands(rivulet);
  historyCommands(rivulet);
  evaluateCommands(rivulet);
  inspectionCommands(rivulet);
  watchCommands(rivulet);
  stateCommands(rivulet);
  return rivulet.addHelpText('after', HELP);
}

/** For an unknown command commander prints the general help: without the help flag it reports the unknown command. */
function withoutHelpOfNone(rivulet: Command, argv: readonly string[]): readonly string[] {
  const words = argv[0] === 'help' ? argv.slice(1) : argv;
  let command = rivulet;
  for (const word of words) {
    if (word.startsWith('-') || command.commands.length === 0) return argv;
    const inner = command.commands.find((one) => one.name() === word);
    if (inner === undefined) {
      return word === 'help' ? argv : words.filter((one) => one !== '-h' && one !== '--help');
    }
    command = inner;
  }
  return argv;
}

/** Formats commander's error as all other errors: `error: …`, `hint: …`. */
function usageText(text: string): string {
  const [message = '', ...rest] = text.trimEnd().split('\n');
  const meant = /^\(Did you mean (.*)\?\)$/.exec(rest[0] ?? '')?.[1];
  const hint = meant === undefined ? 'see rivulet --help, or rivulet <command> --help' : `did you mean ${meant}?`;
  return message.startsWith('error: ') ? `${message} [USAGE]\nhint: ${hint}\n` : text;
}
