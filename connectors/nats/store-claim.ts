/**
 * One owner per store directory: two servers on one JetStream store would corrupt it.
 *
 *   C1  a claim is a file that exactly one process can make; it names that process and its life, not only its pid
 *   C2  a claim whose process is gone is void: a kill -9 does not lock the store
 *   C3  a server that outlived a killed owner is ended before another one starts
 *   C4  a process is signalled only while its command line says that it is a nats-server on our config file
 */
import { access, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fatal } from '../../runtime/errors.js';
import { lifeOf, type RunningProcess, runningProcesses } from './process-table.js';

export interface StoreClaim {
  /** Idempotent. */
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  readonly life: string;
}

const CLAIM_FILE = 'owner.json';
const CLAIM_ATTEMPTS_MAX = 50;
const POLL_MS = 20;
const TERM_MS_MAX = 20_000;
const KILL_MS_MAX = 5_000;

/** Rejects with fatal NATS_STORE_IN_USE when a living process, or this one, has it. */
export async function claimStore(storeDir: string): Promise<StoreClaim> {
  const path = join(storeDir, CLAIM_FILE);
  const life = await lifeOf(process.pid);
  const mine = JSON.stringify({ pid: process.pid, life: life ?? '' } satisfies Holder);
  for (let attempt = 1; attempt <= CLAIM_ATTEMPTS_MAX; attempt++) {
    if (await makeFile(path, mine)) return claimOf(path);
    const text = await readFile(path, 'utf8').catch(() => '');
    const holder = parseHolder(text);
    if (holder !== undefined && (await lifeOf(holder.pid)) === holder.life) throw inUse(storeDir, holder);
    // Unreadable: being written at this moment, or by a process that was killed while writing.
    if (holder === undefined && attempt < CLAIM_ATTEMPTS_MAX / 2) await sleep(POLL_MS);
    else await removeVoid(path, text);
  }
  throw fatal('NATS_STORE_IN_USE', `${storeDir} cannot be claimed: ${path} changes all the time`);
}

function claimOf(path: string): StoreClaim {
  let held = true;
  return {
    release: async () => {
      if (held) await rm(path, { force: true });
      held = false;
    },
  };
}

function inUse(storeDir: string, { pid }: Holder): Error {
  const who = pid === process.pid ? 'this process' : `process ${pid}`;
  return fatal('NATS_STORE_IN_USE', `the embedded nats-server of ${storeDir} is in use by ${who}`, {
    hint: 'stop it, or give this one a data directory of its own (--data-dir, RIVULET_DATA_DIR)',
  });
}

async function makeFile(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes the void claim away; one that another process made in its place a moment ago is put back. */
async function removeVoid(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch {
    return; // Another process was faster.
  }
  const taken = await readFile(aside, 'utf8').catch(() => text);
  if (taken !== text) await makeFile(path, taken);
  await rm(aside, { force: true });
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, life } = JSON.parse(text) as Partial<Holder>;
    return typeof pid === 'number' && typeof life === 'string' ? { pid, life } : undefined;
  } catch {
    return undefined;
  }
}

/** Ends every server that runs on this config file; only the holder of the claim may ask for it. Returns their pids. */
export async function endLeftovers(configFile: string, binary: string): Promise<readonly number[]> {
  // A new directory has none, and to ask Windows for its processes takes a second.
  if (!(await exists(configFile))) return [];
  const ours = (one: RunningProcess): boolean => runsConfig(one, configFile, binary);
  const pids = (await runningProcesses()).filter(ours).map(({ pid }) => pid);
  for (const pid of pids) {
    const ended =
      (await endProcess(pid, ours, 'SIGTERM', TERM_MS_MAX)) || (await endProcess(pid, ours, 'SIGKILL', KILL_MS_MAX));
    if (!ended) {
      throw fatal(
        'NATS_LEFTOVER_RUNS',
        `a nats-server of an earlier run (pid ${pid}) uses the store and does not end`,
        {
          hint: `end process ${pid}, then start again`,
        },
      );
    }
  }
  return pids;
}

async function endProcess(
  pid: number,
  ours: (one: RunningProcess) => boolean,
  signal: 'SIGTERM' | 'SIGKILL',
  withinMs: number,
): Promise<boolean> {
  const until = performance.now() + withinMs;
  for (let signalled = false; performance.now() < until; signalled = true) {
    // Looked at anew each time: the pid may have gone to another process meanwhile (C4).
    if (!(await runningProcesses()).some((one) => one.pid === pid && ours(one))) return true;
    if (!signalled) signalProcess(pid, signal);
    await sleep(POLL_MS);
  }
  return false;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** We start servers as `<binary> -c <config file>`, nothing more. */
export function runsConfig({ command }: RunningProcess, configFile: string, binary: string): boolean {
  if (typeof command === 'string') return command.includes('nats-server') && command.endsWith(` -c ${configFile}`);
  const [program = '', flag, file, ...more] = command;
  const isServer = basename(program).includes('nats-server') || program === binary;
  return isServer && flag === '-c' && file === configFile && more.length === 0;
}
