/** `rivulet replay` as a user runs it: a process of its own, from the compiled project. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const CLI = resolve(import.meta.dirname, '../../dist/bin/rivulet.js');

export interface ReplayRun {
  readonly input: string;
  readonly popularity: string;
  readonly out: string;
  readonly dataDir: string;
  readonly partitions?: number;
  readonly extra?: readonly string[];
}

export function startReplay({ input, popularity, out, dataDir, partitions = 4, extra = [] }: ReplayRun): ChildProcess {
  const args = ['replay', '--input', input, '--popularity', popularity, '--out', out, '--trigger', 'file'];
  const options = ['--partitions', String(partitions), '--data-dir', dataDir, '--json', ...extra];
  return spawn(process.execPath, [CLI, ...args, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
}

export interface ReplayEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Call it at once: a process that has ended emits no further event. */
export async function ended(child: ChildProcess): Promise<ReplayEnd> {
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr!.on('data', (data: Buffer) => (stderr += data.toString()));
  const code = await new Promise<number | null>((done) => child.on('close', done));
  return { code, stdout, stderr };
}

/** To the end; throws with what it said when it fails. */
export async function runReplay(run: ReplayRun): Promise<Record<string, number>> {
  const { code, stdout, stderr } = await ended(startReplay(run));
  if (code !== 0) throw new Error(`replay ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, number>;
}

/** Rows of a result file without its header, sorted: the files are sets of rows. */
export function resultRows(out: string, file: string): string[] {
  return readFileSync(join(out, file), 'utf8').trimEnd().split('\n').slice(1).sort();
}
