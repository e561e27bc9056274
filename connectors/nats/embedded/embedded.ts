/**
 * The embedded NATS: a real nats-server with JetStream as a supervised child, on loopback only.
 *
 * All its files are in one directory: `nats-server.conf` (rewritten at each start), `nats-server.log` (bounded),
 * `jetstream/` (the store), `node.nk` (the key of the node, see node-key.ts) and `owner-<n>.json` (the claim, see store-claim.ts).
 *
 *   EMBEDDED-1  one server per store: a second owner is refused, and a server left by a killed owner is ended first
 *   EMBEDDED-2  a server that dies is restarted by the supervisor on the same port and store, so that clients reconnect
 *   EMBEDDED-3  restarts are bounded by the strategy; beyond that it stays down, and NATS_SERVER_DOWN escalates to the owner of the supervisor
 *   EMBEDDED-4  a server whose disk was full is restarted when there is room again
 *   EMBEDDED-5  the server does not outlive this process, unless this process is killed; then EMBEDDED-1 applies at the next start
 *
 * The port opens only after the store has been recovered: a client that can connect can read.
 */
import { mkdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { asError, fatal, RivuletError, transient } from '../../../runtime/contract/errors.js';
import type { Logger } from '../../../runtime/contract/ports.js';
import type { Strategy } from '../../../runtime/supervision/strategy.js';
import type { Child, Life, Supervisor } from '../../../runtime/supervision/supervisor.js';
import { watchDisk } from './full-disk.js';
import {
  authority,
  describeExit,
  KilledAtStart,
  launch,
  logTail,
  removePortsFiles,
  type ServerProcess,
  type ServerSpec,
} from './server-process.js';
import { type Access, accountLines, adoptStreams, nodeKey, nodeKeyFile } from './node-key.js';
import { isAtLeast, VERSION_SYNC_INTERVAL, VERSION_TOLERATED, versionOf } from '../provision/version.js';
import { launchFirst } from './launch.js';
import { claimStore, endLeftovers } from './store-claim.js';

export interface EmbeddedNatsOptions {
  readonly binary: string;
  /** The version that the binary reports, where it is already known. */
  readonly version?: string;
  /** Created when it is missing. */
  readonly storeDir: string;
  /** Default (or 0): 4222 or the next free port. 'any': the system chooses one. */
  readonly port?: number | 'any' | undefined;
  /** Loopback only; default 127.0.0.1. */
  readonly host?: string;
  /** Default 8 MiB. */
  readonly maxPayloadBytes?: number;
  /** 'always': survives a power failure (fsync before each ack). */
  readonly syncInterval?: 'always' | undefined;
  readonly serverName?: string;
  /** Absent: all clients have all rights, as with a plain nats-server. */
  readonly access?: Access;
  /** Default: in the store directory. */
  readonly logFile?: string;
  readonly strategy?: Partial<Strategy>;
  readonly supervisor: Supervisor;
  readonly logger: Logger;
  /** The server process runs, but does not listen yet. Called at each start. */
  readonly onSpawned?: () => void;
}

export interface EmbeddedNats {
  readonly url: string;
  readonly port: number;
  /** Of the current child; changes with a restart. */
  readonly pid: number;
  readonly version: string;
  /** A client with this key has all rights; absent: all clients have them. */
  readonly nkeyFile: string | undefined;
  /** Ends the server; acknowledged messages are in the store. Idempotent. */
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/;
const PAYLOAD_BYTES_DEFAULT = 8 * 1024 * 1024;
const CONFIG_FILE = 'nats-server.conf';
const STRATEGY: Strategy = { restartsMax: 5, windowMs: 300_000, backoffFirstMs: 100, backoffMaxMs: 5_000 };

/**
 * Resolves when the server accepts connections. Rejects with fatal NATS_PORT_TAKEN, NATS_STORE_IN_USE, NATS_STORE_UNUSABLE, NATS_START_FAILED,
 * NATS_LEFTOVER_RUNS, NATS_NOT_LOOPBACK, NATS_TOO_OLD or NATS_SERVER_DOWN; then nothing runs and nothing is claimed.
 */
export async function startEmbeddedNats(options: EmbeddedNatsOptions): Promise<EmbeddedNats> {
  const open = await specOf(options);
  const claim = await claimStore(open.storeDir);
  try {
    for (const pid of await endLeftovers(open.configFile, open.binary)) {
      options.logger.info({ serverPid: pid }, 'ended a nats-server whose owner was killed');
    }
    const spec = options.access === undefined ? open : await guarded(open, options.access);
    const server = new SupervisedServer(spec, options, () => claim.release());
    await server.started;
    return server;
  } catch (error) {
    await claim.release();
    throw error;
  }
}

async function guarded(spec: ServerSpec, access: Access): Promise<ServerSpec> {
  await adoptStreams(spec.storeDir);
  return { ...spec, accounts: accountLines(await nodeKey(spec.storeDir), access) };
}

async function specOf(options: EmbeddedNatsOptions): Promise<ServerSpec> {
  const host = options.host ?? HOST;
  if (!LOOPBACK.test(host)) {
    throw fatal('NATS_NOT_LOOPBACK', `the embedded nats-server listens on loopback only, not on ${host}`, {
      hint: 'for other machines run a NATS cluster of its own and set RIVULET_NATS_URL',
    });
  }
  const binary = resolve(options.binary);
  const version =
    options.version ??
    (await versionOf(binary).catch((cause: unknown) => {
      throw fatal('NATS_START_FAILED', `${binary} cannot be run`, { cause });
    }));
  const least = options.syncInterval === undefined ? VERSION_TOLERATED : VERSION_SYNC_INTERVAL;
  if (!isAtLeast(version, least)) {
    const what = options.syncInterval === undefined ? 'Rivulet' : '`power` durability';
    throw fatal('NATS_TOO_OLD', `${binary} is nats-server ${version}; ${what} needs ${least} or newer`);
  }
  // It will contain all of the user's events: for its owner only.
  await mkdir(options.storeDir, { recursive: true, mode: 0o700 });
  const storeDir = await realpath(options.storeDir);
  return {
    binary,
    version,
    storeDir,
    host,
    configFile: join(storeDir, CONFIG_FILE),
    logFile: resolve(options.logFile ?? join(storeDir, 'nats-server.log')),
    maxPayloadBytes: options.maxPayloadBytes ?? PAYLOAD_BYTES_DEFAULT,
    serverName: options.serverName ?? 'rivulet',
    syncInterval: options.syncInterval,
    accounts: [],
    ...(options.onSpawned === undefined ? {} : { onSpawned: options.onSpawned }),
  };
}

/** The server over its restarts. */
class SupervisedServer implements EmbeddedNats {
  readonly version: string;
  readonly nkeyFile: string | undefined;
  /** Resolves when it listens for the first time. */
  readonly started: Promise<void>;
  private readonly child: Child;
  private readonly ended: Promise<void>;
  private readonly disk = new AbortController();
  private current: ServerProcess | undefined;
  /** Why this process ended it; absent: it died. */
  private endedFor: RivuletError | undefined;

  constructor(
    private readonly spec: ServerSpec,
    private readonly options: EmbeddedNatsOptions,
    release: () => Promise<void>,
  ) {
    const { supervisor, logger, strategy } = options;
    this.version = spec.version;
    this.nkeyFile = options.access === undefined ? undefined : nodeKeyFile(spec.storeDir);
    let onStarted = (): void => undefined;
    const isUp = new Promise<void>((resolve) => (onStarted = resolve));
    this.child = supervisor.start({
      ...{ level: 'server', name: 'nats-server', strategy: { ...STRATEGY, ...strategy }, logger },
      start: async (signal) => {
        const life = await this.open(signal);
        onStarted();
        return life;
      },
      gaveUp: (error, reason) => this.gaveUp(error, reason),
    });
    this.ended = this.child.ended.finally(() => {
      this.disk.abort();
      return release();
    });
    this.started = Promise.race([isUp, this.ended]);
    // An escalation is reported by the supervisor.
    for (const one of [this.ended, this.started]) one.catch(() => undefined);
    this.watchDisk();
  }

  get pid(): number {
    return this.current!.pid;
  }

  get port(): number {
    return this.current!.port;
  }

  get url(): string {
    return `nats://${authority(this.spec.host, this.port)}`;
  }

  async stop(): Promise<void> {
    await this.child.stop();
    await this.ended.catch(() => undefined);
    await removePortsFiles(this.spec.storeDir);
  }

  private async open(signal: AbortSignal): Promise<Life> {
    const server = await this.launch(signal);
    this.current = server;
    const ended = server.exited.then((exit) => {
      if (signal.aborted) return;
      const error = this.endedFor ?? new RivuletError('bug', 'NATS_SERVER_EXIT', describeExit(exit));
      this.endedFor = undefined;
      throw error;
    });
    return { ended, stop: () => server.stop() };
  }

  /** The port is chosen by the first life. */
  private async launch(signal: AbortSignal): Promise<ServerProcess> {
    const { spec, options, current } = this;
    try {
      if (current === undefined) return await launchFirst(spec, options.port ?? 0, signal);
      return await launch(spec, current.port, signal);
    } catch (error) {
      const isHopeless = current === undefined && !(error instanceof KilledAtStart);
      if (signal.aborted || isHopeless) throw error;
      // It listened before, or was killed: the next start may succeed.
      throw new RivuletError('bug', 'NATS_SERVER_EXIT', asError(error).message);
    }
  }

  private watchDisk(): void {
    const { storeDir } = this.spec;
    const onFull = (): void => {
      this.options.logger.warn({ storeDir }, `the disk is full: make room in ${storeDir}, and it goes on`);
    };
    const onRoom = async (): Promise<void> => {
      this.endedFor = transient('NATS_SERVER_EXIT', 'its disk was full, and has room again');
      await this.current?.stop();
    };
    void watchDisk(this.spec, { onFull, onRoom }, this.disk.signal);
  }

  private async gaveUp(error: Error, reason: string): Promise<RivuletError> {
    const { logFile } = this.spec;
    const message = `the embedded nats-server died: ${reason}, at last: ${error.message}\n${await logTail(logFile)}`;
    return fatal('NATS_SERVER_DOWN', message, { cause: error, hint: `see ${logFile}` });
  }
}
