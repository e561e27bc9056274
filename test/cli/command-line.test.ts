/** The command line from outside: help, usage errors, exit codes, and the commands that need no node. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../runtime/cli/program.js';
import { runCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
afterAll(remove);

const COMMANDS = [
  'demo',
  'start',
  'get',
  'trending',
  'publish',
  'replay',
  'topology',
  'config',
  'nodes',
  'doctor',
  'bench',
];

describe('help', () => {
  it('tells all commands, examples and exit codes', async () => {
    const { code, stdout, stderr } = await runCli(cwd, ['--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    for (const command of [...COMMANDS, 'dlq', 'Examples:', 'Exit codes:', '130']) expect(stdout).toContain(command);
  });

  it.each([...COMMANDS, 'dlq ls', 'dlq show', 'dlq retry'])('of %s has an example', (name) => {
    let command: Command | undefined = program();
    for (const word of name.split(' ')) command = command?.commands.find((inner) => inner.name() === word);
    let text = '';
    command!.configureOutput({ writeOut: (more) => (text += more) }).outputHelp();
    expect(text).toMatch(new RegExp(`Examples?:\\n.*rivulet ${name}`, 's'));
  });

  it('of config lists every key with its variable', async () => {
    const { stdout } = await runCli(cwd, ['config', '--help']);
    expect(stdout).toContain('pipeline.interest.halfLifeHours');
    expect(stdout).toContain('RIVULET_PIPELINE_INTEREST_HALF_LIFE_HOURS');
  });

  it('is what a call without a command gets', async () => {
    const { code, stderr } = await runCli(cwd, []);
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: rivulet');
  });

  it('knows its version', async () => {
    expect((await runCli(cwd, ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('an error', () => {
  it.each([
    [['demmo'], 2, "error: unknown command 'demmo' [USAGE]\nhint: did you mean demo?\n"],
    [['trendin', '--help'], 2, "error: unknown command 'trendin' [USAGE]\nhint: did you mean trending?\n"],
    [['dlq', 'lss', '-h'], 2, "error: unknown command 'lss' [USAGE]\nhint: did you mean ls?\n"],
    [['help', 'trendin'], 2, "error: unknown command 'trendin' [USAGE]\nhint: did you mean trending?\n"],
    [
      ['start', '--grpc-prot', '1'],
      2,
      "error: unknown option '--grpc-prot' [USAGE]\nhint: did you mean --grpc-port?\n",
    ],
    [
      ['start', '--partitions', '0'],
      2,
      'error: partitions is 0 (--partitions): give a whole number from 1 to 256 [CONFIG_INVALID]',
    ],
    [['topology', '--config', 'none.json'], 2, 'error: there is no file none.json [CONFIG_FILE]'],
    [['topology', '--set', 'partitions'], 2, 'Give key=value'],
    [['repartition'], 2, 'error: what is to change: --partitions, --chaining, or both? [USAGE]'],
    [['get'], 2, "error: missing required argument 'user' [USAGE]"],
    [['get', 'u', '-n', '500'], 2, 'Give a whole number from 1 to 100.'],
    [
      ['get', 'u', '--address', '127.0.0.1:1'],
      3,
      'error: nothing that could be a node answers on 127.0.0.1:1 [GRPC_UNAVAILABLE]\n',
    ],
    [
      ['trending', '--window', '2h'],
      2,
      "option '--window <span>' argument '2h' is invalid. Allowed choices are 1h, 24h, last-hour.",
    ],
    [['trending', '--follow', '--address', '127.0.0.1:1'], 3, 'nothing that could be a node answers on 127.0.0.1:1'],
    [
      ['demo', '--set', 'pipeline.schema=rivulet-strict'],
      2,
      'error: pipeline.schema is rivulet-strict (--set pipeline.schema), which refuses the events of this demo [USAGE]\nhint: run it with --set pipeline.schema=auto',
    ],
    [['demo', '--films', '--set', 'pipeline.schema=rees46'], 2, 'it also takes movielens, movielens-strict'],
    [['status', '--http-port', '1'], 3, 'error: nothing that could be a node answers on http://127.0.0.1:1: '],
    [
      ['items', 'unknown', '--http-port', '1'],
      3,
      'error: nothing that could be a node answers on http://127.0.0.1:1: ',
    ],
    [
      ['history', 'ls', '--from', '2026-02-31'],
      2,
      "argument '2026-02-31' is invalid. Give a date or a time that exists",
    ],
    [['history', 'export', '--to', '2026-02-01T25:00:00Z'], 2, 'Give a date or a time that exists'],
    [
      ['history', 'replay', '--into', 'x', '--from', '2026-03-01', '--to', '2026-02-28T23:59:59Z'],
      2,
      'error: --from is not before --to: no event is in between [USAGE]\nhint: exchange them',
    ],
    [['publish', '--file', 'none.csv'], 2, 'error: there is no file none.csv [USAGE]'],
    [['publish', '--file', '.', '--format', 'csv'], 2, 'error: . is a folder [USAGE]'],
    [['publish', '--file', 'x.dat'], 2, 'error: cannot tell from its name what x.dat holds [USAGE]'],
    [['dlq', 'ls'], 3, 'error: no running node found in ./.rivulet [NODE_NOT_FOUND]\nhint: start one with'],
    [['dlq', 'retry'], 2, 'error: give the id of one dead letter, or --all [USAGE]'],
    [
      ['replay', '--input', 'none', '--popularity', 'none', '--out', 'out'],
      2,
      'error: there is no folder none [USAGE]',
    ],
    [['start', '--nats-server', 'none'], 3, '[NATS_SERVER_UNUSABLE]\n'],
    [
      ['start', '--nats-url', 'nats://127.0.0.1:1'],
      3,
      'error: cannot connect to NATS at nats://127.0.0.1:1 [NATS_CONNECT]',
    ],
  ])('%j exits with %d', async (args, exit, says) => {
    const { code, stdout, stderr } = await runCli(cwd, args);
    expect(stderr).toContain(says);
    expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
    expect(stdout).toBe('');
    expect(code).toBe(exit);
  });

  it('comes with its stack for those who debug', async () => {
    const { stderr } = await runCli(cwd, ['dlq', 'ls', '--log-level', 'debug']);
    expect(stderr).toMatch(/^\s+at .*:\d+:\d+/m);
  });
});

describe('config', () => {
  it('prints values, where they came from, and no secrets', async () => {
    writeFileSync(join(cwd, 'mine.json'), JSON.stringify({ natsToken: 's3cret', partitions: 2 }));
    const env = { RIVULET_NATS_URL: 'nats://ada:s3cret@a:4222', RIVULET_LOG_LEVEL: 'error' };
    const { stdout, code } = await runCli(cwd, ['config', '--config', 'mine.json', '--grpc-port', '7'], env);
    expect(code).toBe(0);
    expect(stdout).not.toContain('s3cret');
    for (const line of [
      /^partitions +2 +mine\.json$/m,
      /^grpcPort +7 +--grpc-port$/m,
      /^natsToken +\*\*\* +mine\.json$/m,
      /^natsUrl +nats:\/\/ada:\*\*\*@a:4222 +RIVULET_NATS_URL$/m,
      /^dataDir +\.\/\.rivulet +default$/m,
      /^natsPort +– +not set$/m,
    ]) {
      expect(stdout).toMatch(line);
    }
    const json = await runCli(cwd, ['config', '--config', 'mine.json', '--json'], env);
    expect(json.stdout).not.toContain('s3cret');
    expect(JSON.parse(json.stdout)).toMatchObject({
      partitions: { value: 2, from: 'mine.json' },
      natsToken: { value: '***', from: 'mine.json' },
      natsPort: { value: null, from: null },
    });
  });

  it('warns of a variable that means nothing', async () => {
    const { stderr, code } = await runCli(cwd, ['config'], { RIVULET_GRPC_PROT: '1' });
    expect(stderr).toBe(
      'warning: the variable RIVULET_GRPC_PROT means nothing to Rivulet: did you mean RIVULET_GRPC_PORT?\n',
    );
    expect(code).toBe(0);
  });
});

describe('topology', () => {
  it('shows which stages run as one', async () => {
    const chains = async (chaining: string): Promise<string[]> => {
      const { stdout } = await runCli(cwd, ['topology', '--plan', '--json', '--set', `pipeline.chaining=${chaining}`]);
      const plan = JSON.parse(stdout) as { readonly stages: readonly string[]; readonly mailbox: string }[];
      return plan.map(({ stages, mailbox }) => `${stages.join('+')} ${mailbox}`);
    };
    expect(await chains('off')).toContain('interest-ranking RIVULET_INTEREST_RANKING');
    expect(await chains('on')).toContain('window+interest-ranking RIVULET_WINDOW');
  });

  it('follows the configuration', async () => {
    const { stdout } = await runCli(cwd, ['topology', '--json', '--set', 'partitions=3']);
    const { partitions, stages, edges } = JSON.parse(stdout);
    expect(partitions).toEqual({ source: 1, user: 3, item: 3 });
    expect(stages).toContainEqual({ id: 'window', key: 'user', stream: 'RIVULET_WINDOW', version: expect.any(Number) });
    expect(edges).toContainEqual({ from: 'events', to: 'parse', input: 'events', by: 'source' });
  });
});

describe('doctor', () => {
  const taken = createServer((socket) => socket.destroy());
  beforeAll(() => new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve)));
  afterAll(() => void taken.close());

  it('finds what is well', async () => {
    const { stdout } = await runCli(cwd, ['doctor', '--json', '--grpc-port', '0', '--http-port', '0']);
    const { ok, checks } = JSON.parse(stdout);
    expect(ok).toBe(true);
    expect(checks.map(({ check }: { check: string }) => check)).toEqual([
      'node',
      'nats-server',
      'data directory',
      'disk',
      'load',
      'configuration',
      'grpc',
      'http',
    ]);
  });

  it('finds what is broken, says what to do, and exits with 1', async () => {
    const port = String((taken.address() as { port: number }).port);
    const { stdout, code } = await runCli(cwd, ['doctor', '--grpc-port', port, '--nats-url', 'nats://127.0.0.1:1']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ cannot connect to NATS at nats:\/\/127\.0\.0\.1:1: .*\n {4}→ check natsUrl/m);
    expect(stdout).toMatch(
      new RegExp(
        `^✗ something listens on 127\\.0\\.0\\.1:${port}, and whether it is a node cannot be told: it closes .*\\n {4}→ see whose it is`,
        'm',
      ),
    );
    expect(stdout).toMatch(/^✓ data directory \.\/\.rivulet/m);
  });
});
