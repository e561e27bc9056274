/**
 * One owner per store directory: two servers on one JetStream store would corrupt it, and nats-server locks nothing. The lock of a node's LevelDB is
 * not enough: `repair`, `restore` and `replay` run a server on the directory without it, and the claim names its process in the refusal and to
 * `doctor`.
 *
 *   STORE-CLAIM-1  claims are numbered files, `owner-<n>.json`; the highest counts. A claim appears complete and only if its number is
 *                  free (link(2)), and it is valid only if it is still the highest afterwards. The highest is never removed, only emptied:
 *                  a process that read the directory earlier finds its number taken, or a higher one.
 *   STORE-CLAIM-2  a claim names a process and its life, not only its pid. A claim that is empty, or whose process has ended, is void: a
 *                  kill -9 does not lock the store.
 *   STORE-CLAIM-3  a server that outlived a killed owner is ended before another one starts
 *   STORE-CLAIM-4  a process is signalled only while its command line shows a nats-server with our config file
 *
 * Not detected: an owner on another machine, or in another container, that shares the directory.
 */
import { randomUUID } from 'node:crypto';
import { access, link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fatal } from '../../../runtime/contract/errors.js';
import { lifeOf, type RunningProcess, runningProcess, runningProcesses } from './process-table.js';

export interface StoreClaim {
  /** Idempotent. */
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  readonly life: string;
}

const CLAIM_NAME = /^owner-(\d+)\.json$/;
const CLAIM_ATTEMPTS_MAX = 100;
const POLL_MS = 5;
const TERM_MS_MAX = 20_000;
const KILL_MS_MAX = 5_000;

/** Rejects with fatal NATS_STORE_IN_USE when a running process, or this one, owns the store. */
export async function claimStore(storeDir: string): Promise<StoreClaim> {
  const mine = JSON.stringify({ pid: process.pid, life: (await lifeOf(process.pid)) ?? '' } satisfies Holder);
  const draft = join(storeDir, `owner-${randomUUID()}.draft`);
  try {
    await writeFile(draft, mine);
    for (let attempt = 1; attempt <= CLAIM_ATTEMPTS_MAX; attempt++) {
      const highest = Math.max(0, ...(await claimNumbers(storeDir)));
      const holder = await livingHolder(claimFile(storeDir, highest));
      if (holder !== undefined) throw inUse(storeDir, holder);
      const own = highest + 1;
      if ((await linkNew(draft, claimFile(storeDir, own))) && (await isHighest(storeDir, own))) {
        return claimOf(claimFile(storeDir, own));
      }
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw fatal('NATS_STORE_IN_USE', `${storeDir} cannot be claimed: others claim it all the time`);
}

function claimOf(path: string): StoreClaim {
  let released: Promise<void> | undefined;
  // A claim that cannot be emptied, because its directory was removed, is void when this process ends.
  return { release: () => (released ??= writeFile(path, '').catch(() => undefined)) };
}

const claimFile = (storeDir: string, claim: number): string => join(storeDir, `owner-${claim}.json`);

async function claimNumbers(storeDir: string): Promise<number[]> {
  return (await readdir(storeDir)).flatMap((name) => Number(CLAIM_NAME.exec(name)?.[1] ?? NaN) || []);
}

/** Removes the claim when it is not the highest; otherwise removes the lower ones, which are obsolete. */
async function isHighest(storeDir: string, own: number): Promise<boolean> {
  const claims = await claimNumbers(storeDir);
  const wins = Math.max(...claims) === own;
  const useless = wins ? claims.filter((claim) => claim < own) : [own];
  await Promise.all(useless.map((claim) => rm(claimFile(storeDir, claim), { force: true })));
  return wins;
}

async function livingHolder(path: string): Promise<Holder | undefined> {
  try {
    const { pid, life } = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder>;
    if (typeof pid !== 'number' || typeof life !== 'string') return undefined;
    return (await lifeOf(pid)) === life ? { pid, life } : undefined;
  } catch {
    return undefined; // Released, missing, or damaged by a power failure, which its process did not survive.
  }
}

async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw fatal('NATS_STORE_UNUSABLE', `${to} cannot be made`, {
      cause,
      hint: 'choose a data directory on a local file system (--data-dir, RIVULET_DATA_DIR)',
    });
  }
}

function inUse(storeDir: string, { pid }: Holder): Error {
  const who = pid === process.pid ? 'this process' : `process ${pid}`;
  return fatal('NATS_STORE_IN_USE', `the embedded nats-server of ${storeDir} is in use by ${who}`, {
    hint: 'stop it, or give this one a data directory of its own (--data-dir, RIVULET_DATA_DIR)',
  });
}

/** Ends every server that runs with this config file, and returns their pids. Only for the owner of the claim. */
export async function endLeftovers(configFile: string, binary: string): Promise<readonly number[]> {
  // A new directory has no leftovers, and to list processes on Windows takes a second.
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
    // Checked again each time: the pid may have been reused meanwhile (STORE-CLAIM-4).
    const now = await runningProcess(pid);
    if (now === undefined || !ours(now)) return true;
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
