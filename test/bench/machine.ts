/** What benchmarks share: running a command, the memory of a process tree, percentiles. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the compiled project and of the checkout. */
export const DIST = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const ROOT = resolve(DIST, '..');
/** The build to measure: another one for a comparison by the same driver. */
export const CLI = process.env.RIVULET_BENCH_CLI ?? join(DIST, 'bin/rivulet.js');
/** Where the peers' jobs and the generator are, when they are there. */
export const SHARED_BENCH = resolve(ROOT, '../shared/bench');

export interface Ran {
  readonly stdout: string;
  readonly seconds: number;
  /** Highest resident memory of the process and all its descendants, bytes; sampled. */
  readonly treeBytesMax: number;
}

const SAMPLE_EVERY_MS = 50;

/** Runs to the end; rejects with the end of stderr when it fails. */
export async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const startedMs = performance.now();
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let treeBytesMax = 0;
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr = (stderr + data.toString()).slice(-4000)));
  const sampling = setInterval(() => (treeBytesMax = Math.max(treeBytesMax, treeBytes(child.pid!))), SAMPLE_EVERY_MS);
  const code = await new Promise<number | null>((done, failed) => {
    child.on('error', failed);
    child.on('exit', done);
  }).finally(() => {
    clearInterval(sampling);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr}`);
  return { stdout, seconds: (performance.now() - startedMs) / 1000, treeBytesMax };
}

/** Resident bytes of a process and its descendants (Linux; 0 elsewhere). Pages that processes share count once per process. */
export function treeBytes(root: number): number {
  let bytes = 0;
  try {
    const parents = new Map<number, number>();
    const resident = new Map<number, number>();
    for (const name of readdirSync('/proc')) {
      const pid = Number(name);
      if (!Number.isInteger(pid)) continue;
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        parents.set(pid, Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]));
        resident.set(pid, Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024);
      } catch {
        // Gone between the listing and the look.
      }
    }
    for (const pid of parents.keys()) {
      let at: number | undefined = pid;
      while (at !== undefined && at !== root) at = parents.get(at);
      if (at === root) bytes += resident.get(pid) ?? 0;
    }
  } catch {
    return 0;
  }
  return bytes;
}

const TICKS_PER_SECOND = 100;

/** CPU time of a process so far, all its threads (Linux; NaN elsewhere): what a busy machine does not change. */
export function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return NaN;
  }
}

/** The processes that the main thread of a process has started (Linux; none elsewhere). */
export function childrenOf(pid: number): number[] {
  try {
    const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return pids === '' ? [] : pids.split(' ').map(Number);
  } catch {
    return [];
  }
}

/** The value below which a share of the sorted values lies. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export const round = (value: number, digits = 1): string => value.toFixed(digits);
/** Of the last minute: how busy the machine was with this and with everything else. */
export const loadAverage = (): string => round(loadavg()[0]!);
export const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
export const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
