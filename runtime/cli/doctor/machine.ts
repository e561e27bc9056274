/** Doctor: this machine. Node, the nats-server to embed, the data directory, free disk, ports. */
import { constants } from 'node:fs';
import { access, readdir, readFile, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism, loadavg } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { cacheStep, olderPathStep, pathStep } from '../../../connectors/nats/provision/sources.js';
import { provision } from '../../../connectors/nats/provision/provision.js';
import { VERSION_PINNED } from '../../../connectors/nats/provision/version.js';
import type { Config } from '../../config/config.js';
import { asError, hasCode } from '../../contract/errors.js';
import { readHealthNote } from '../../node/health.js';
import { broken, type Check, type Finding, ok, warning } from './finding.js';
import { isAlive, runningServer } from '../nats-link.js';
import { hasFields, isCount, storedJson } from '../../contract/stored-json.js';
import { natsOptions } from '../node/node-options.js';

const NODE_LEAST = '20.15';
/** The oldest release line with security fixes. */
const NODE_SUPPORTED = 22;
const MIB = 1024 * 1024;
const DISK_LEAST_MIB = 256;
/** Number of full streams to plan disk space for. */
const STREAMS_ROUGHLY = 10;

export function machineChecks(config: Config): Check[] {
  const embedded = natsOptions(config) === undefined;
  return [
    { name: 'node', run: async () => nodeVersion(process.versions.node) },
    ...(embedded ? [{ name: 'nats-server', run: () => serverProgram(config) }] : []),
    { name: 'data directory', run: () => dataDirectory(config) },
    { name: 'disk', run: () => freeDisk(config) },
    { name: 'load', run: async () => loadFinding(loadNow()) },
    ...(embedded && config.natsPort !== undefined ? [{ name: 'nats port', run: () => natsPort(config) }] : []),
  ];
}

export function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorLeast = 0, minorLeast = 0] = NODE_LEAST.split('.').map(Number);
  if (major < majorLeast || (major === majorLeast && minor < minorLeast))
    return broken(`Node ${version} is too old`, `install Node ${NODE_LEAST} or newer`);
  if (major >= NODE_SUPPORTED) return ok(`Node ${version}`);
  return warning(
    `Node ${version} works, and gets no security fixes any more`,
    `use Node ${NODE_SUPPORTED} or newer when you can`,
  );
}

/** Work per core: above this, slowness is caused by the machine. */
const LOAD_PER_CORE_MAX = 2;

export const isOverloaded = ({ average, cores }: Load): boolean => average > LOAD_PER_CORE_MAX * cores;

/** Of the last minute; 0 where the system does not report it (Windows). */
export interface Load {
  readonly average: number;
  readonly cores: number;
}

export const loadNow = (): Load => ({ average: loadavg()[0]!, cores: availableParallelism() });

export function loadFinding(load: Load): Finding {
  const { average, cores } = load;
  const text = `load ${average.toFixed(1)} on ${cores} ${cores === 1 ? 'core' : 'cores'}`;
  if (!isOverloaded(load)) return ok(text);
  return warning(
    `${text}: the machine is overloaded`,
    'stop other programs, or use a larger machine; slowness reported below may be due to this alone',
  );
}

async function serverProgram({ natsServer }: Config): Promise<Finding> {
  try {
    // Only checks, downloads nothing.
    const steps = [pathStep, cacheStep, olderPathStep];
    const { path, version, from, warning: lacks } = await provision({ binary: natsServer, steps });
    if (lacks === undefined) return ok(`nats-server ${version}: ${path} (${from})`);
    return warning(lacks, `install nats-server ${VERSION_PINNED}, or let rivulet obtain it: take the old one off PATH`);
  } catch (error) {
    if (!hasCode(error, 'NATS_SERVER_MISSING'))
      return broken(asError(error).message, 'correct natsServer, or leave it out');
    const tools = [
      (await onPath('go')) ? 'Go' : '',
      (await onPath('pip3')) || (await onPath('pip')) ? 'pip' : '',
    ].filter(Boolean);
    const means = ['the official release archive', ...tools.map((tool) => `${tool}, which is here`)].join(', or with ');
    return warning(
      `no nats-server yet: the first start obtains ${VERSION_PINNED} from ${means}`,
      'nothing, when this machine reaches the internet; otherwise put a nats-server on PATH or name one with --nats-server',
    );
  }
}

async function onPath(program: string): Promise<boolean> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder !== '' && (await mayDo(join(folder, program), constants.X_OK))) return true;
  }
  return false;
}

const mayDo = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );

async function dataDirectory({ dataDir }: Config): Promise<Finding> {
  const running = runningServer(dataDir);
  if (running !== undefined) {
    const owner = await ownerOf(dataDir);
    if (owner !== undefined && isAlive(owner))
      return ok(`data directory ${dataDir}: a node runs on it (process ${owner})`);
    return warning(
      `data directory ${dataDir}: the nats-server (process ${running.pid}) of a node that was killed still runs`,
      'nothing: the next start ends it and goes on from what it holds',
    );
  }
  // A node with external NATS servers: its health note shows it.
  const node = readHealthNote(dataDir)?.process;
  if (node !== undefined && node !== process.pid && isAlive(node))
    return ok(`data directory ${dataDir}: a node runs on it (process ${node})`);
  const there = await nearestExisting(dataDir);
  if (await mayDo(there, constants.W_OK | constants.X_OK)) {
    return ok(
      `data directory ${dataDir}: ${there === resolve(dataDir) ? 'writable, no node runs on it' : 'not there yet, can be made'}`,
    );
  }
  return broken(
    `data directory ${dataDir}: ${there} cannot be written`,
    'give this user the right to, or choose another with --data-dir',
  );
}

/** The process of the node that runs on a data directory, as far as this machine shows it. */
export async function processOn(dataDir: string): Promise<number | undefined> {
  const found = [
    runningServer(dataDir) === undefined ? undefined : await ownerOf(dataDir),
    readHealthNote(dataDir)?.process,
  ];
  return found.find((one) => one !== undefined && one !== process.pid && isAlive(one));
}

/** The process in the highest claim of the embedded server's store. */
async function ownerOf(dataDir: string): Promise<number | undefined> {
  const folder = join(dataDir, 'nats');
  const claims = (await readdir(folder)).filter((name) => /^owner-\d+\.json$/.test(name));
  const newest = claims.sort((a, b) => Number(/\d+/.exec(a)![0]) - Number(/\d+/.exec(b)![0])).at(-1);
  if (newest === undefined) return undefined;
  // Just removed by a newer claim: no holder is known.
  const claim = await readFile(join(folder, newest), 'utf8').catch(() => '');
  return storedJson<{ readonly pid: number }>(claim, hasFields({ pid: isCount }))?.pid;
}

async function nearestExisting(path: string): Promise<string> {
  for (let at = resolve(path); ; at = dirname(at)) {
    if ((await mayDo(at, constants.F_OK)) || at === dirname(at)) return at;
  }
}

async function freeDisk({ dataDir, streamMegabytesMax }: Config): Promise<Finding> {
  const { bavail, bsize } = await statfs(await nearestExisting(dataDir));
  const free = Math.floor((bavail * bsize) / MIB);
  const wanted = streamMegabytesMax * STREAMS_ROUGHLY;
  const shown = free > 10 * 1024 ? `${Math.floor(free / 1024)} GiB` : `${free} MiB`;
  if (free < DISK_LEAST_MIB)
    return broken(`${shown} of disk are free`, 'make room, or choose another disk with --data-dir');
  if (free >= wanted) return ok(`${shown} of disk are free`);
  return warning(
    `${shown} of disk are free; full streams take up to ${wanted} MiB`,
    'make room, or lower streamMegabytesMax',
  );
}

async function natsPort({ natsPort: port, dataDir }: Config): Promise<Finding> {
  const running = runningServer(dataDir);
  if (running !== undefined && running.url.endsWith(`:${port}`))
    return ok(`port ${port} is that of the running node's NATS`);
  if (await isFree('127.0.0.1', port!)) return ok(`port ${port} is free for NATS`);
  return broken(`port ${port} (natsPort) is taken`, 'leave natsPort out to use the next free one, or choose another');
}

export const isFree = async (host: string, port: number): Promise<boolean> =>
  (await whyNotFree(host, port)) === undefined;

/** Why the port cannot be used now. */
export function whyNotFree(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((answer) => {
    const server = createServer();
    server.once('error', answer);
    server.listen({ host, port, exclusive: true }, () => server.close(() => answer(undefined)));
  });
}
