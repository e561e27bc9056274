/** One life of a nats-server child: its configuration, its start until it listens, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fatal, RivuletError } from '../../../runtime/contract/errors.js';
import { logFrom, logSize } from './server-log.js';
import { isAtLeast, VERSION_SYNC_INTERVAL } from '../provision/version.js';

export interface ServerSpec {
  readonly binary: string;
  readonly version: string;
  /** Absolute, without symbolic links. */
  readonly storeDir: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly host: string;
  readonly maxPayloadBytes: number;
  readonly serverName: string;
  readonly syncInterval: 'always' | undefined;
  /** The accounts, as lines of the configuration; none: all clients have all rights. */
  readonly accounts: readonly string[];
  /** The child runs, but does not listen yet. */
  readonly onSpawned?: () => void;
}

export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  /** Never rejects. */
  readonly exited: Promise<ServerExit>;
  /** Ends it with a signal, and kills it when it hangs. Idempotent. */
  stop(): Promise<void>;
}

/** Lets the system choose a free port. */
export const PORT_ANY = -1;

/** After a kill, recovery reads all of a large store before the port opens. */
const READY_MS_MAX = 120_000;
const READY_POLL_MS = 3;
const TERM_MS_MAX = 10_000;
const LOG_FILE_BYTES_MAX = 16 * 1024 * 1024;
const LOG_FILES_MAX = 3;
/**
 * Above this the server collects garbage eagerly; without a limit it retains a gigabyte of message buffers, and up to any limit what it has room for.
 * GOMEMLIMIT in the environment wins.
 */
const MEMORY_SOFT_LIMIT = '256MiB';
const TAIL_BYTES = 8 * 1024;
const TAIL_LINES = 12;
const BIND_FAILED = /address already in use|only one usage of each socket address/i;

/** Servers to end when this process exits before they have ended; true: they have had their SIGTERM. */
const running = new Map<ChildProcess, boolean>();
let watchesExit = false;

/**
 * Starts the server and waits until it listens. Rejects with fatal NATS_PORT_TAKEN, or NATS_START_FAILED with the end
 * of its log; nothing runs then.
 */
export async function launch(spec: ServerSpec, port: number, signal?: AbortSignal): Promise<ServerProcess> {
  signal?.throwIfAborted();
  await removePortsFiles(spec.storeDir);
  await writeFile(spec.configFile, configText(spec, port), { mode: 0o600 });
  const logStart = await logSize(spec.logFile);
  const { child, exited } = await spawnServer(spec);
  spec.onSpawned?.();
  let ended: ServerExit | undefined;
  void exited.then((exit) => (ended = exit));
  const stop = (): Promise<void> => endChild(child, exited);
  const until = performance.now() + READY_MS_MAX;
  for (;;) {
    // A ports file shows that this child listens; a connection could also reach a foreign server.
    const opened = await readPort(spec.storeDir, child.pid!);
    if (opened !== undefined && ended === undefined) return { pid: child.pid!, port: opened, exited, stop };
    if (ended !== undefined) {
      const failed = startFailed(spec, port, describeExit(ended), await logTail(spec.logFile, logStart));
      throw ended.signal === null ? failed : new KilledAtStart(failed);
    }
    if (signal?.aborted === true || performance.now() > until) {
      await stop();
      signal?.throwIfAborted();
      const what = `it does not listen after ${READY_MS_MAX / 1000} s`;
      throw startFailed(spec, port, what, await logTail(spec.logFile, logStart));
    }
    await sleep(READY_POLL_MS);
  }
}

/** The server was killed before it listened; its start did not fail by itself. */
export class KilledAtStart extends RivuletError {
  constructor({ reaction, code, message, cause, hint }: RivuletError) {
    super(reaction, code, message, { cause, ...(hint === undefined ? {} : { hint }) });
  }
}

export const authority = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

export function describeExit({ code, signal }: ServerExit): string {
  return code === null ? `it was ended by ${signal}` : `it exited with code ${code}`;
}

export function portTaken(host: string, port: number, cause?: unknown): RivuletError {
  return fatal('NATS_PORT_TAKEN', `something listens on ${authority(host, port)} already`, {
    cause,
    hint: 'choose another port for the embedded NATS (--nats-port, RIVULET_NATS_PORT), or use the server that runs there (RIVULET_NATS_URL)',
  });
}

/** The end of the log, from `start` on: the output of this life of the server. */
export async function logTail(logFile: string, start = 0): Promise<string> {
  const { text } = await logFrom(logFile, start, TAIL_BYTES);
  return text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}

function startFailed({ binary, host, logFile }: ServerSpec, port: number, what: string, tail: string): RivuletError {
  if (port !== PORT_ANY && BIND_FAILED.test(tail)) return portTaken(host, port);
  const log = tail === '' ? 'its log is empty' : `the end of its log:\n${tail}`;
  const message = `the embedded nats-server (${binary}) did not start: ${what}; ${log}`;
  return fatal('NATS_START_FAILED', message, { hint: `see ${logFile}` });
}

interface Child {
  readonly child: ChildProcess;
  readonly exited: Promise<ServerExit>;
}

async function spawnServer({ binary, configFile, logFile, storeDir }: ServerSpec): Promise<Child> {
  // Output before the server opens its log, and Go panics, go to the same file.
  const log = await open(logFile, 'a', 0o600);
  try {
    const child = spawn(binary, ['-c', configFile], {
      cwd: storeDir,
      stdio: ['ignore', log.fd, log.fd],
      // Its own process group: Ctrl-C reaches only this process, which stops the server after the actors have drained.
      detached: process.platform !== 'win32',
      windowsHide: true,
      env: { GOMEMLIMIT: MEMORY_SOFT_LIMIT, ...process.env },
    });
    endWithProcess(child);
    // The clients of the server keep this process alive, not the server itself.
    child.unref();
    // Before any await: a server that refuses its configuration exits within a millisecond.
    const exited = new Promise<ServerExit>((resolve) => {
      child.once('exit', (code, signal) => {
        running.delete(child);
        resolve({ code, signal });
      });
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        running.delete(child);
        reject(error);
      });
    });
    return { child, exited };
  } catch (cause) {
    throw fatal('NATS_START_FAILED', `${binary} cannot be run`, { cause });
  } finally {
    await log.close();
  }
}

function endWithProcess(child: ChildProcess): void {
  running.set(child, false);
  if (watchesExit) return;
  watchesExit = true;
  process.on('exit', () => running.forEach((isEnding, child) => child.kill(isEnding ? 'SIGKILL' : 'SIGTERM')));
}

async function endChild(child: ChildProcess, exited: Promise<ServerExit>): Promise<void> {
  // Keeps this process alive until the server has ended: a server that hangs takes a while.
  child.ref();
  const timer = setTimeout(() => child.kill('SIGKILL'), TERM_MS_MAX);
  if (running.has(child)) running.set(child, true);
  child.kill('SIGTERM');
  try {
    await exited;
  } finally {
    clearTimeout(timer);
  }
}

function configText(spec: ServerSpec, port: number): string {
  const { storeDir, logFile, host, maxPayloadBytes, serverName, syncInterval, version, accounts } = spec;
  const quote = (text: string): string => JSON.stringify(text);
  // An older server refuses unknown settings.
  const knowsMore = isAtLeast(version, VERSION_SYNC_INTERVAL);
  return [
    '# Written by Rivulet at every start of the embedded server; what is changed here is lost.',
    `server_name: ${quote(serverName)}`,
    `listen: ${quote(authority(host, port))}`,
    `max_payload: ${maxPayloadBytes}`,
    `ports_file_dir: ${quote(storeDir)}`,
    `log_file: ${quote(logFile)}`,
    `logfile_size_limit: ${LOG_FILE_BYTES_MAX}`,
    ...(knowsMore ? [`logfile_max_num: ${LOG_FILES_MAX}`] : []),
    'jetstream {',
    `  store_dir: ${quote(storeDir)}`,
    ...(syncInterval === undefined ? [] : [`  sync_interval: ${syncInterval}`]),
    '}',
    ...accounts,
    '',
  ].join('\n');
}

/** The server names the file after its program and pid, and writes it when all its ports are open. */
async function readPort(storeDir: string, pid: number): Promise<number | undefined> {
  // A missing or partial file is read again by the caller.
  const name = (await readdir(storeDir).catch(() => [])).find((file) => file.endsWith(`_${pid}.ports`));
  if (name === undefined) return undefined;
  try {
    const ports = JSON.parse(await readFile(join(storeDir, name), 'utf8')) as { readonly nats?: readonly string[] };
    const url = ports.nats?.[0];
    return url === undefined ? undefined : Number(new URL(url).port);
  } catch {
    return undefined; // Partly written.
  }
}

/** Removes the files of killed servers; a later server might get the same pid. */
export async function removePortsFiles(storeDir: string): Promise<void> {
  // No files to remove: a server that cannot use the folder reports that itself.
  const names = (await readdir(storeDir).catch(() => [])).filter((file) => file.endsWith('.ports'));
  await Promise.all(names.map((name) => rm(join(storeDir, name), { force: true })));
}
