/** Runs the built `rivulet` as a child process, in a directory of its own, without the configuration of this machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../guards/source-files.js';

/** What people run: the bundle, whose start also takes less of a machine than a thousand files do. */
export const MAIN = join(ROOT, 'dist', 'bin', 'rivulet.js');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with the match as soon as what it has printed so far matches; rejects when it ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
}

/** An empty working directory; `remove` it at the end. */
export function workingDirectory(): { readonly cwd: string; readonly remove: () => void } {
  const cwd = mkdtempSync(join(tmpdir(), 'rivulet-cli-'));
  return { cwd, remove: () => rmSync(cwd, { recursive: true, force: true, maxRetries: 5 }) };
}

export function startCli(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`);
  // Tests run side by side: a node takes any free port for HTTP unless its test says which.
  return startProgram(
    cwd,
    process.execPath,
    [MAIN, ...args],
    runsNode(args) ? { RIVULET_HTTP_PORT: '0', ...env } : env,
  );
}

const runsNode = ([command]: readonly string[]): boolean => command === 'start' || command === 'demo';

export function startProgram(
  cwd: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Running {
  const child = spawn(command, args, {
    cwd,
    env: { ...clean(process.env), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  const listeners = new Set<() => void>();
  const note = (): void => listeners.forEach((listener) => listener());
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    note();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    note();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const printed = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(stdout) ?? pattern.exec(stderr);
        if (match === null) return;
        listeners.delete(look);
        resolve(match);
      };
      listeners.add(look);
      look();
      void ended.then(({ code }) => {
        look();
        reject(new Error(`ended with ${code} before it printed ${String(pattern)}:\n${stdout}\n${stderr}`));
      });
    });
  return { child, ended, printed };
}

export const runCli = (cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  startCli(cwd, args, env).ended;

/** What it prints on stdout; rejects when it ends with another code than 0. */
export async function outputOf(cwd: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(cwd, args);
  if (code !== 0) throw new Error(`rivulet ${args.join(' ')} ended with ${code}:\n${stderr}`);
  return stdout;
}

/** The nats-server that the tests use may be named; all else of Rivulet is not for the child. */
const clean = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('RIVULET_') || name === 'RIVULET_NATS_SERVER'),
  );
