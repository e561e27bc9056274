/** Commands that watch a node at work: what they show of one that runs; and the completion of shells. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatusReport } from '../../connectors/http/routes/status-report.js';
import { completionScript } from '../../runtime/cli/completion.js';
import { program } from '../../runtime/cli/program.js';
import { runCli, startCli, workingDirectory } from './run-cli.js';
import { type SmallNode, SmallNodes } from './small-node.js';

describe('beside a node', () => {
  const { cwd, remove } = workingDirectory();
  const nodes = new SmallNodes(cwd);
  let node: SmallNode;
  beforeAll(async () => {
    node = await nodes.start('data');
  });
  afterAll(async () => {
    await nodes.end();
    remove();
  });
  const at = ['--data-dir', 'data'];

  it('events tail shows what comes in, of the user and type that are asked for, and ends after so many', async () => {
    const tail = (...args: string[]) => startCli(cwd, ['events', 'tail', ...at, ...args]);
    const [people, programs] = [tail('-n', '4'), tail('--user', 'u1', '--type', 'purchase', '-n', '3', '--json')];
    await Promise.all([people.printed(/waiting for events/), programs.printed(/waiting for events/)]);
    const other = '{"event_type":"view","event_time":"2026-11-01T10:00:00Z","user_id":"u2","item_id":"lamp"}\n';
    writeFileSync(join(cwd, 'other.jsonl'), other);
    await runCli(cwd, ['publish', '--file', 'other.jsonl', ...at]);
    await node.buy('chair');
    const [text, json] = await Promise.all([people.ended, programs.ended]);
    expect([text.code, json.code]).toEqual([0, 0]);
    expect(text.stdout).toMatch(/^2026-11-01 10:00:00 UTC {2}view +u2 {2}lamp\n/);
    const lines = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatchObject({ event_type: 'purchase', user_id: 'u1', item_id: 'chair' });
  });

  it('late ls lists what came after its window was closed', async () => {
    expect((await runCli(cwd, ['late', 'ls', ...at])).stdout).toBe('No late events.\n');
    const event = (day: string, item: string): string =>
      `{"event_type":"view","event_time":"2026-11-${day}T10:00:00Z","user_id":"u1","item_id":"${item}"}\n`;
    for (const [day, item] of [
      ['05', 'newer'],
      ['05', 'newest'],
      ['02', 'too-late'],
    ] as const) {
      const tail = startCli(cwd, ['events', 'tail', ...at, '-n', '1']);
      await tail.printed(/waiting for events/);
      writeFileSync(join(cwd, 'one.jsonl'), event(day, item));
      await runCli(cwd, ['publish', '--file', 'one.jsonl', ...at]);
      await tail.ended;
    }
    const found = async (): Promise<string> => (await runCli(cwd, ['late', 'ls', ...at])).stdout;
    await expect
      .poll(found)
      .toMatch(/ID .*WINDOW ENDED\n.* 2026-11-02 10:00:00 UTC +view +u1 +too-late +2026-11-02 10:05:00 UTC\n$/);
    const [row] = JSON.parse((await runCli(cwd, ['late', 'ls', '--json', ...at])).stdout) as object[];
    expect(row).toMatchObject({ user_id: 'u1', item_id: 'too-late', window_end: '2026-11-02T10:05:00.000Z' });
  });

  it('status shows the supervision tree', async () => {
    const { code, stdout } = await runCli(cwd, ['status', ...at]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^Rivulet \d.* serving\n\nNAME +LEVEL +STATE +FOR +RESTARTS +LAST ERROR\n\S+ +node +serving/,
    );
    expect(stdout).toMatch(/^├─ nats-server +server +running +\S.* 0$/m);
    expect(stdout).toMatch(
      /^├─ worker-0 +thread +running .*\n│ {2}├─ item-0 +shard +running .*\n│ {2}│ {2}├─ popularity\.0 +instance +running/m,
    );
    expect(stdout).toMatch(/^└─ facade +thread +running/m);
    const json = JSON.parse((await runCli(cwd, ['status', ...at, '--json'])).stdout) as StatusReport;
    expect(json.supervision.map(({ level }) => level)).toContain('server');
  });

  it('top shows each stage with its rates, lag and watermark', async () => {
    const { code, stdout } = await runCli(cwd, ['top', ...at]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Rivulet \d.* serving\nevents [1-9]\d* \(\d+\/s\) .*\n\nSTAGE +RUN +IN\/S/);
    expect(stdout).toMatch(/^window +1\/1 +\d+ +\d+ +\d+ % +\d+ +\S.* 2026-11-0\d \S+ UTC +0$/m);
    const none = await runCli(cwd, ['top', '--data-dir', 'none', '--http-port', '1']);
    expect([none.code, none.stderr]).toEqual([
      3,
      expect.stringMatching(/could be a node answers on .*127\.0\.0\.1:1: .*\[NODE_NOT_FOUND\]/),
    ]);
  });
});

describe('completion', () => {
  it('of bash offers commands, their options, and what begins so', () => {
    const script = completionScript(program(), 'bash');
    const offered = (...words: string[]): string[] => {
      const typed = words.map((word) => `'${word}'`).join(' ');
      const asking = `${script}\nCOMP_WORDS=(rivulet ${typed}); COMP_CWORD=${words.length}; _rivulet; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['-c', asking], { encoding: 'utf8' }).trim().split('\n');
    };
    expect(offered('tren')).toEqual(['trending']);
    expect(offered('dlq', '')).toEqual(['ls', 'show', 'retry', '--help']);
    expect(offered('dlq', 'ls', '--li')).toEqual(['--limit']);
    expect(offered('trending', '--limit', '5', '--fol')).toEqual(['--follow']);
  });

  it('of zsh and fish names every command; of another shell says so', () => {
    const names = program().commands.map((command) => command.name());
    for (const shell of ['zsh', 'fish']) {
      const script = completionScript(program(), shell);
      for (const name of names) expect(script).toContain(name);
    }
    expect(() => completionScript(program(), 'tcsh')).toThrow('there is no completion for tcsh');
  });
});
