/** deploy/systemd/rivulet.service: what systemd says of it, and what the stop of a node needs. */
import { accessSync, constants, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../runtime/cli/exit.js';
import { answerOf } from './deploy-tools.js';
import { DEPLOY, textOfFile } from './deploy-files.js';
import { missingProgram, skipped } from '../support/requirements.js';

const FILE = 'deploy/systemd/rivulet.service';
const noSystemd = missingProgram('systemd-analyze', '--version');
const scratch = mkdtempSync(join(tmpdir(), 'rivulet-systemd-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const valuesOf = (key: string): string[] =>
  [...textOfFile(FILE).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value!);

describe.skipIf(noSystemd)(`as systemd reads it${skipped(noSystemd)}`, () => {
  const verify = (text: string) => {
    const file = join(scratch, 'rivulet.service');
    // Programs of this machine: it looks for them.
    writeFileSync(file, text.replace('/usr/bin/node', process.execPath));
    return answerOf('systemd-analyze', ['verify', '--man=no', file]);
  };

  it('it is in order', async () => {
    const { code, stderr } = await verify(textOfFile(FILE));
    expect([code, stderr]).toEqual([0, '']);
  });

  it('a word that it does not know is found', async () => {
    const { stderr } = await verify(textOfFile(FILE).replace('TimeoutStopSec=', 'TimeoutStop='));
    expect(stderr).toMatch(/Unknown key (name )?'TimeoutStop'/);
  });

  it('it is exposed to little', async () => {
    cpSync(join(DEPLOY, 'systemd', 'rivulet.service'), join(scratch, 'rivulet.service'));
    const args = ['security', '--offline=true', '--threshold=20', join(scratch, 'rivulet.service')];
    const { code, stdout } = await answerOf('systemd-analyze', args);
    expect([code, stdout]).toEqual([0, expect.stringContaining('OK')]);
  });
});

it('only the node is told to stop: its nats-server is the node’s to end, when the last snapshot is written', () => {
  expect([valuesOf('KillMode'), valuesOf('KillSignal')]).toEqual([['mixed'], ['SIGTERM']]);
});

it('it has the time that its stop may take', () => {
  // 8 s, and a second for what hangs (runtime/cli/node/live-run.ts).
  expect(Number(valuesOf('TimeoutStopSec')[0])).toBeGreaterThan(9);
});

it('what a restart cannot mend is not restarted, what the next start replays is no failure', () => {
  expect(valuesOf('RestartPreventExitStatus')).toEqual([`${EXIT.usage}`]);
  expect(valuesOf('SuccessExitStatus')).toEqual([`${EXIT.unfinished}`]);
});

it('its files are where it says that they are', () => {
  const environment = Object.fromEntries(valuesOf('Environment').map((pair) => pair.split('=') as [string, string]));
  expect([environment.RIVULET_DATA_DIR, valuesOf('StateDirectory')]).toEqual(['/var/lib/rivulet', ['rivulet']]);
  expect([environment.XDG_CACHE_HOME, valuesOf('CacheDirectory')]).toEqual(['/var/cache/rivulet', ['rivulet']]);
});

describe('a command of an operator (deploy/systemd/rivulet)', () => {
  const script = join(DEPLOY, 'systemd', 'rivulet');
  /** What it hands to systemd-run. */
  const handed = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string[]> => {
    writeFileSync(join(scratch, 'systemd-run'), '#!/bin/sh\nfor arg; do echo "$arg"; done\nexit 7\n', { mode: 0o755 });
    const { code, stdout } = await answerOf(script, args, { env: { ...env, PATH: `${scratch}:${process.env.PATH}` } });
    expect(code).toBe(7);
    return stdout.trimEnd().split('\n');
  };
  const given = (args: readonly string[], flag: string): string[] =>
    args.filter((arg) => arg.startsWith(`--${flag}=`)).map((arg) => arg.slice(flag.length + 3));

  it('can be run', () => {
    accessSync(script, constants.X_OK);
  });

  it('runs the program of the unit, and gives it each argument as it is', async () => {
    const args = await handed(['restore', '/a folder', '--check']);
    const program = valuesOf('ExecStart')[0]!
      .replace(/ start$/, '')
      .split(' ');
    expect(args.slice(args.indexOf('--') + 1)).toEqual([...program, 'restore', '/a folder', '--check']);
  });

  it('has the user, settings, folders and variables of the unit', async () => {
    const args = await handed(['doctor']);
    const own = Object.fromEntries(given(args, 'property').map((pair) => pair.split(/=(.*)/s) as [string, string]));
    const { StateDirectory: folders, ...others } = own;
    for (const [key, value] of Object.entries(others)) expect([key, valuesOf(key)]).toEqual([key, [value]]);
    expect(Object.keys(others)).toEqual(expect.arrayContaining(['DynamicUser', 'User', 'EnvironmentFile', 'UMask']));
    expect(folders!.split(' ')).toEqual([...valuesOf('StateDirectory'), 'rivulet-backups']);
    expect(given(args, 'setenv').sort()).toEqual(valuesOf('Environment').sort());
  });

  it('has the token of who calls it, by its name', async () => {
    const args = await handed(['doctor'], { RIVULET_TOKEN: 'secret' });
    expect(given(args, 'setenv')).toContain('RIVULET_TOKEN');
    expect(args.join()).not.toContain('secret');
  });
});
