/**
 * The embedded NATS: a real nats-server with JetStream as a supervised child, on loopback only.
 *
 * All its files are in one directory: `nats-server.conf` (rewritten at each start), `nats-server.log` (bounded),
 * `jetstream/` (the store), `node.nk` (the key of the node, see node-key.ts) and `owner-<n>.json` (the claim, see store-claim.ts).
 *
 *   EMBEDDED-1  one server per store: a second owner is refused, and a server left by a killed owner is ended first
 *   EMBEDDED-2  a server that dies is restarted on the same port and store, so that clients reconnect
 *   EMBEDDED-3  restarts are bounded: `restartsMax` in `windowMs`; beyond that it stays down and `onExit` is called
 *   EMBEDDED-4  a server whose disk was full is restarted when there is room again
 *   EMBEDDED-5  the server does not outlive this process, unless this process is killed; then EMBEDDED-1 applies at the next start
 *
 * The port opens only after the store has been recovered: a client that can connect can read.
 */
import { mkdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asError, fatal, RivuletError } from '../../../runtime/contract/errors.js';
import { watchDisk } from './full-disk.js';
import {
  authority,
  describeExit,
  launch,
  logTail,
  removePortsFiles,
  type ServerProcess,
  type ServerSpec,
} from './server-process.js';
import { type Access, accountLines, adoptStreams, nodeKey, nodeKeyFile } from './node-key.js';
import { isAtLeast, VERSION_SYNC_INTERVAL, VERSION_TOLERATED, versionOf } from '../provision/version.js';
import { launchFirst } from './launch.js';
import { claimStore, endLeftovers, type StoreClaim } from './store-claim.js';

export interface RestartPolicy {
  /** How many deaths within `windowMs` are followed by a restart. */
  readonly restartsMax: number;
  readonly windowMs: number;
  /** Before the first restart; doubles with each death in the window, up to `delayMsMax`. */
  readonly delayMs: number;
  readonly delayMsMax: number;
}

export type EmbeddedNatsEvent =
  | { readonly kind: 'leftover-ended'; readonly pid: number }
  | { readonly kind: 'died'; readonly reason: string; readonly attempt: number; readonly delayMs: number }
  | { readonly kind: 'restarted'; readonly pid: number; readonly attempt: number }
  | { readonly kind: 'disk-full'; readonly storeDir: string };

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
  readonly restart?: Partial<RestartPolicy>;
  readonly onEvent?: (event: EmbeddedNatsEvent) => void;
  /** The server process runs, but does not listen yet. Called at each start. */
  readonly onSpawned?: () => void;
  /** The server is down for good (EMBEDDED-3); fatal NATS_SERVER_DOWN. Not called after `stop`. */
  readonly onExit?: (error: RivuletError) => void;
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
const ROOM_AGAIN = 'its disk was full, and has room again';
const RESTART: RestartPolicy = { restartsMax: 5, windowMs: 300_000, delayMs: 100, delayMsMax: 5_000 };

/**
 * Resolves when the server accepts connections. Rejects with fatal NATS_PORT_TAKEN, NATS_STORE_IN_USE, NATS_STORE_UNUSABLE, NATS_START_FAILED,
 * NATS_LEFTOVER_RUNS, NATS_NOT_LOOPBACK or NATS_TOO_OLD; then nothing runs and nothing is claimed.
 */
export async function startEmbeddedNats(options: EmbeddedNatsOptions): Promise<EmbeddedNats> {
  const open = await specOf(options);
  const claim = await claimStore(open.storeDir);
  const { restartsMax } = { ...RESTART, ...options.restart };
  try {
    for (const pid of await endLeftovers(open.configFile, open.binary)) {
      options.onEvent?.({ kind: 'leftover-ended', pid });
    }
    const spec = options.access === undefined ? open : await guarded(open, options.access);
    const server = await launchFirst(spec, options.port ?? 0, restartsMax, (reason, attempt) => {
      options.onEvent?.({ kind: 'died', reason, attempt, delayMs: 0 });
    });
    return new SupervisedServer(spec, server, claim, options);
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

/** Restarts the server after each death, within the budget (EMBEDDED-2, EMBEDDED-3), and restarts it after a full disk (EMBEDDED-4). */
class SupervisedServer implements EmbeddedNats {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  readonly nkeyFile: string | undefined;
  readonly #policy: RestartPolicy;
  readonly #aborter = new AbortController();
  readonly #watched: Promise<void>;
  /** Times of its deaths within the window. */
  #deaths: number[] = [];
  /** Why this process ended it; absent: it died. */
  #endedFor: string | undefined;
  #stopped: Promise<void> | undefined;

  constructor(
    private readonly spec: ServerSpec,
    private current: ServerProcess,
    private readonly claim: StoreClaim,
    private readonly options: EmbeddedNatsOptions,
  ) {
    this.port = current.port;
    this.url = `nats://${authority(spec.host, current.port)}`;
    this.version = spec.version;
    this.nkeyFile = options.access === undefined ? undefined : nodeKeyFile(spec.storeDir);
    this.#policy = { ...RESTART, ...options.restart };
    this.#watched = this.#watch().catch((error: unknown) => this.#down(error));
    const onFull = (): void => this.#tell({ kind: 'disk-full', storeDir: spec.storeDir });
    void watchDisk(spec, { onFull, onRoom: () => this.#endFor(ROOM_AGAIN) }, this.#aborter.signal);
  }

  get pid(): number {
    return this.current.pid;
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#aborter.abort();
    await this.current.stop();
    await this.#watched;
    await removePortsFiles(this.spec.storeDir);
    await this.claim.release();
  }

  async #endFor(reason: string): Promise<void> {
    this.#endedFor = reason;
    await this.current.stop();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#aborter;
    for (;;) {
      const exit = await this.current.exited;
      const reason = this.#endedFor ?? describeExit(exit);
      this.#endedFor = undefined;
      const next = signal.aborted ? undefined : await this.#nextLife(reason);
      if (next === undefined) return;
      this.current = next;
      this.#tell({ kind: 'restarted', pid: next.pid, attempt: this.#deaths.length });
      // Stopped during the start: `#stop` has seen only the previous child.
      if (signal.aborted) await next.stop();
    }
  }

  /** Undefined when stopped; rejects when the budget is spent. */
  async #nextLife(died: string): Promise<ServerProcess | undefined> {
    const { signal } = this.#aborter;
    for (let reason = died; ;) {
      const attempt = await this.#attempt(reason);
      const delayMs = Math.min(this.#policy.delayMs * 2 ** (attempt - 1), this.#policy.delayMsMax);
      this.#tell({ kind: 'died', reason, attempt, delayMs });
      try {
        await sleep(delayMs, undefined, { signal });
        return await launch(this.spec, this.port, signal);
      } catch (error) {
        if (signal.aborted) return undefined;
        reason = asError(error).message;
      }
    }
  }

  /** The number of this attempt within the window. */
  async #attempt(reason: string): Promise<number> {
    const { restartsMax, windowMs } = this.#policy;
    const now = performance.now();
    this.#deaths = [...this.#deaths.filter((at) => now - at < windowMs), now];
    const attempt = this.#deaths.length;
    if (attempt <= restartsMax) return attempt;
    const { logFile } = this.spec;
    const message = `the embedded nats-server died ${attempt} times within ${windowMs / 1000} s, at last: ${reason}`;
    throw fatal('NATS_SERVER_DOWN', `${message}\n${await logTail(logFile)}`, { hint: `see ${logFile}` });
  }

  #tell(event: EmbeddedNatsEvent): void {
    try {
      this.options.onEvent?.(event);
    } catch {
      // A listener that throws must not end the supervision.
    }
  }

  async #down(error: unknown): Promise<void> {
    await this.claim.release();
    if (this.#aborter.signal.aborted) return;
    this.#aborter.abort();
    const cause = asError(error);
    this.options.onExit?.(cause instanceof RivuletError ? cause : fatal('NATS_SERVER_DOWN', cause.message, { cause }));
  }
}
