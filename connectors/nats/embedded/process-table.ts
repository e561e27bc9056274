/** Other processes on this machine: their command lines, and an identity that tells a reused pid from the original process. */
import { readdir, readFile } from 'node:fs/promises';
import { runCommand } from '../provision/command.js';

export interface RunningProcess {
  readonly pid: number;
  /** Arguments, the program first; one joined string where the system does not separate them. */
  readonly command: readonly string[] | string;
}

const LIST_MS_MAX = 20_000;

/**
 * A text that identifies one life of a process; undefined when it has ended (a zombie has ended).
 * Two processes that had the same pid, before or after a reboot, have different texts.
 */
export async function lifeOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const line = await readOptional(`/proc/${pid}/stat`);
    // The name, in parentheses, may contain any character; the state and the rest follow the last parenthesis.
    const [state, ...rest] = line?.slice(line.lastIndexOf(')') + 2).split(' ') ?? [];
    if (state === undefined || state === 'Z' || state === 'X') return undefined;
    const boot = await readOptional('/proc/sys/kernel/random/boot_id');
    return `${boot?.trim() ?? ''} ${rest[18] ?? ''}`;
  }
  const output = await outputOf(
    ['ps', '-o', 'lstart=', '-p', String(pid)],
    `(Get-Process -Id ${pid} -ErrorAction SilentlyContinue).StartTime.ToFileTimeUtc()`,
  );
  return output.trim() === '' ? undefined : output.trim();
}

/** All processes that this user may see. */
export async function runningProcesses(): Promise<readonly RunningProcess[]> {
  if (process.platform === 'linux') {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const all = await Promise.all(pids.map(linuxProcess));
    return all.filter((one) => one !== undefined);
  }
  const output = await outputOf(
    ['ps', '-axww', '-o', 'pid=,command='],
    'Get-CimInstance Win32_Process | ForEach-Object { "$($_.ProcessId) $($_.CommandLine)" }',
  );
  return output.split('\n').flatMap((line) => {
    const [, pid, command] = /^\s*(\d+)\s+(.*\S)/.exec(line) ?? [];
    return pid === undefined || command === undefined ? [] : [{ pid: Number(pid), command }];
  });
}

/** One process; where a program lists processes, it lists all of them. */
export async function runningProcess(pid: number): Promise<RunningProcess | undefined> {
  if (process.platform === 'linux') return linuxProcess(pid);
  return (await runningProcesses()).find((one) => one.pid === pid);
}

async function linuxProcess(pid: number): Promise<RunningProcess | undefined> {
  const line = await readOptional(`/proc/${pid}/cmdline`);
  // Empty for a kernel thread and for a zombie.
  return line === undefined || line === '' ? undefined : { pid, command: line.replace(/\0$/, '').split('\0') };
}

/** '' for "no such process", which ps reports as a failure. */
async function outputOf([program, ...args]: readonly [string, ...string[]], powershell: string): Promise<string> {
  const limits = { env: { ...process.env, LC_ALL: 'C' }, timeoutMs: LIST_MS_MAX };
  if (process.platform !== 'win32') return runCommand(program, args, limits).catch(() => '');
  return runCommand('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', powershell], limits).catch(
    () => '',
  );
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined; // The process has ended, or there is no such file.
  }
}
