/** Blows against a running `rivulet`: which processes are its own, how far it is, and kill -9 at moments that a seed draws. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { runningProcesses } from '../../connectors/nats/embedded/process-table.js';
import { seededRandom } from '../../actors/maths/random.js';
import { ended, type ReplayEnd, type ReplayRun, startReplay } from './replay-process.js';

export const POLL_MS = 5;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls; `undefined` when `isOver` comes true first. */
export async function awaited<T>(
  look: () => T | undefined | Promise<T | undefined>,
  isOver: () => boolean = () => false,
): Promise<T | undefined> {
  for (;;) {
    const found = await look();
    if (found !== undefined || isOver()) return found;
    await pause(POLL_MS);
  }
}

/** The pid of the nats-server on a store when it listens (it writes a file named after its pid then) and is not the one `before`. */
export async function natsPid(storeDir: string, before?: number): Promise<number | undefined> {
  if (!existsSync(storeDir)) return undefined;
  const named = readdirSync(storeDir).flatMap((name) => Number(/_(\d+)\.ports$/.exec(name)?.[1] ?? NaN) || []);
  const listening = named.filter((pid) => pid !== before);
  if (listening.length === 0) return undefined;
  const config = join(realpathSync(storeDir), 'nats-server.conf');
  return (await runningProcesses()).find(({ pid, command }) => listening.includes(pid) && command.includes(config))
    ?.pid;
}

/** Command lines that name a directory: what a test has left running. */
export async function processesOn(directory: string): Promise<string[]> {
  const lines = (await runningProcesses()).map(({ command }) => [command].flat().join(' '));
  return lines.filter((line) => line.includes(directory));
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Resolves when the process stands still: a signal takes a moment, in which it might still answer. (Without /proc: at once.) */
export async function frozen(pid: number): Promise<void> {
  signal(pid, 'SIGSTOP');
  const state = (): string | undefined => {
    try {
      return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
    } catch {
      return undefined;
    }
  };
  await awaited(() => ['T', 't', undefined].includes(state()) || undefined);
}

export const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

export const natsStoreOf = (run: ReplayRun): string => join(run.dataDir, 'replay', 'nats');

export type Target = 'node' | 'nats' | 'both';
const TARGETS: readonly Target[] = ['node', 'nats', 'both'];
/** One life in so many is ended while it starts, before its nats-server is up. */
const EARLY_SHARE = 0.15;
const EARLY_MS_MAX = 400;

export interface Beating {
  readonly kills: Readonly<Record<Target, number>>;
  /** Of lives that ended by themselves, with an error: the embedded server's budget of restarts was spent. */
  readonly gaveUp: readonly string[];
  readonly last: ReplayEnd;
  /** Kills that came after the job was done were not needed: how many were left. */
  readonly spared: number;
}

/**
 * Starts the replay again and again and kills the process, its nats-server, or both, up to `kills` times, each up to `afterMsMax` after the
 * server came up; then lets it finish.
 */
export async function beaten(
  run: ReplayRun,
  { seed, kills, afterMsMax }: { readonly seed: number; readonly kills: number; readonly afterMsMax: number },
): Promise<Beating> {
  const random = seededRandom(seed);
  const count: Record<Target, number> = { node: 0, nats: 0, both: 0 };
  const gaveUp: string[] = [];
  let left = kills;
  let before: number | undefined;
  for (;;) {
    const child = startReplay(run);
    const end = ended(child);
    while (left > 0 && !hasEnded(child)) {
      const target = TARGETS[Math.floor(random() * TARGETS.length)]!;
      const early = target === 'node' && random() < EARLY_SHARE;
      const delayMs = random() * (early ? EARLY_MS_MAX : afterMsMax);
      const nats = early
        ? undefined
        : await awaited(
            () => natsPid(natsStoreOf(run), before),
            () => hasEnded(child),
          );
      await pause(delayMs);
      if (hasEnded(child)) break;
      // The node first: it must not be seen to end by itself, for want of a server.
      if (target !== 'nats') child.kill('SIGKILL');
      if (target !== 'node' && nats !== undefined) signal(nats, 'SIGKILL');
      count[target]++;
      left--;
      before = nats ?? before;
      if (target !== 'nats') break;
    }
    const last = await end;
    if (last.code === 0) return { kills: count, gaveUp, last, spared: left };
    if (last.code !== null) {
      if (!last.stderr.includes('NATS_SERVER_DOWN')) throw new Error(`replay ended with ${last.code}: ${last.stderr}`);
      gaveUp.push(last.stderr);
    }
  }
}

/** What a replay says of itself, without what depends on time. */
export function countsIn(stdout: string): Record<string, number> {
  const { seconds: _seconds, events_per_second: _rate, ...counts } = JSON.parse(stdout) as Record<string, number>;
  return counts;
}

/** How many lines a result file has by now. */
export function linesIn(file: string): number {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
}
