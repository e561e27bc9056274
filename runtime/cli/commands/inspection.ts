/** Read-only commands. */
import type { Command } from 'commander';
import { CONFIG_KEYS } from '../../config/schema.js';
import {
  aboutOf,
  ENGINE_KEYS,
  GRPC_KEYS,
  HTTP_KEYS,
  type JsonOptions,
  NATS_KEYS,
  STATE_KEYS,
  withSettings,
} from '../settings.js';

export function inspectionCommands(rivulet: Command): void {
  topology(rivulet);
  config(rivulet);
  nodes(rivulet);
  doctor(rivulet);
  bench(rivulet);
}

function topology(rivulet: Command): void {
  const command = rivulet
    .command('topology')
    .summary('print the pipeline: stages, and what flows between them')
    .description(
      'Prints the live pipeline as a Mermaid flowchart, as it would run with this configuration. Needs no node.',
    )
    .option('--json', 'print stages, topics and edges as JSON')
    .option('--plan', 'how the stages run: which are one chain, its mailbox and its partitions')
    .action(async (options: JsonOptions & { readonly plan?: true }) => {
      const { topology: run } = await import('../node/topology.js');
      run(options);
    });
  withSettings(command, []).addHelpText(
    'after',
    '\nExamples:\n  rivulet topology > pipeline.mmd\n  RIVULET_PIPELINE_CHAINING=on rivulet topology --plan',
  );
}

function config(rivulet: Command): void {
  const command = rivulet
    .command('config')
    .summary('print the configuration, and where each value came from')
    .description(
      'Prints every key with its value and where that stands: a file, a variable, a flag, or the default. Later ones win.\nSecrets are not shown.',
    )
    .option('--json', 'print it as JSON')
    .action(async (options: JsonOptions) => {
      const { config: run } = await import('../node/config.js');
      run(options);
    });
  withSettings(command, [...STATE_KEYS, ...NATS_KEYS, ...GRPC_KEYS, ...HTTP_KEYS, ...ENGINE_KEYS]).addHelpText(
    'after',
    () => keysHelp(),
  );
}

function keysHelp(): string {
  const keys = CONFIG_KEYS.map((key) => {
    const about = aboutOf(key);
    const expects = about.includes(key.expects) ? '' : `; ${key.expects}`;
    return `  ${key.key}\n      ${about}${expects}\n      ${key.variable}`;
  });
  const file = '  {"grpcPort": 50052, "pipeline": {"watermarkDelaySeconds": 60}}';
  return `
Examples:
  rivulet config --json
  RIVULET_GRPC_PORT=50052 rivulet config --set pipeline.listSize=50

A configuration file is JSON:
${file}

Keys, and their variables:
${keys.join('\n')}`;
}

function nodes(rivulet: Command): void {
  const command = rivulet
    .command('nodes')
    .summary('the live nodes, the owner and the standbys of each shard')
    .description(
      'Prints the nodes on one NATS: when they started, the shards (partitions of sources, users, items, the view) that each owns or is a standby\n' +
        'of, and the age of the newest copy of each. After a failure a standby replays the messages since that copy.',
    )
    .option('--json', 'print it as JSON')
    .action(async (options: JsonOptions) => {
      const { nodes: run } = await import('../node/nodes.js');
      await run(options);
    });
  withSettings(command, [...STATE_KEYS, 'natsUrl']).addHelpText(
    'after',
    '\nExamples:\n  rivulet nodes\n  rivulet nodes --nats-url nats://nats-1:4222 --json',
  );
}

function doctor(rivulet: Command): void {
  const command = rivulet
    .command('doctor')
    .summary('check this machine and the node: what works, what does not, what to do')
    .description('Checks what a node needs, and the node if one runs. Exit code 1 when something is broken.')
    .option('--json', 'print the checks as JSON')
    .action(async (options: JsonOptions) => {
      const { doctor: run } = await import('../doctor/doctor.js');
      process.exitCode = await run(options);
    });
  withSettings(command, [...STATE_KEYS, ...NATS_KEYS, ...GRPC_KEYS, ...HTTP_KEYS]).addHelpText(
    'after',
    '\nExamples:\n  rivulet doctor\n  rivulet doctor --nats-url nats://nats-1:4222 --json',
  );
}

function bench(rivulet: Command): void {
  rivulet
    .command('bench')
    .summary('how to run the benchmarks')
    .description('The benchmarks compare with other systems and need the sources: they run in a checkout.')
    .addHelpText('after', '\nExample:\n  rivulet bench')
    .action(() => {
      process.stdout.write('The benchmarks run in a checkout of the sources:\n\n  npm install\n  npm run bench\n');
    });
}
