/**
 * A NATS cluster of real nats-servers for tests: JetStream, routes on loopback, ports that were free, a directory that goes with it.
 * A server can be killed, stopped for a while and started again under its name, port and store.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { asError } from '../../runtime/contract/errors.js';
import { testNatsServer } from './nats.js';

export interface NatsCluster {
  /** All servers, comma-separated. */
  readonly url: string;
  readonly urls: readonly string[];
  /** A client of the harness's own: do not close it. */
  readonly manager: JetStreamManager;
  pid(server: number): number;
  /** Ends a server with SIGKILL; resolves when it is gone. */
  kill(server: number): Promise<void>;
  /** Starts a killed server again; resolves when it listens (`whole` waits for more). */
  restart(server: number): Promise<void>;
  /** Stops a server in its tracks, and lets it go on. */
  pause(server: number): void;
  resume(server: number): void;
  leaderOf(stream: string): Promise<number>;
  /** Hands the leadership of a stream to a server, or to any other one; resolves when it has a leader again. */
  moveLeader(stream: string, server?: number): Promise<void>;
  /** All servers are there and up to date, and all replicas of the streams that are named. */
  whole(...streams: string[]): Promise<void>;
  /** Ends the servers and removes their directories. */
  stop(): Promise<void>;
}

const WAIT_MS_MAX = 45_000;
const POLL_MS = 50;
const STARTS_MAX = 3;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Polls until it gives something else than undefined; errors count as "not yet", and are shown when time is up. */
export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + WAIT_MS_MAX;
  let last = 'it never came true';
  while (performance.now() < end) {
    try {
      const seen = await look();
      if (seen !== undefined) return seen;
    } catch (error) {
      last = asError(error).message;
    }
    await sleep(POLL_MS);
  }
  throw new Error(`waited ${WAIT_MS_MAX / 1000} s for ${what}: ${last}`);
}

export async function startNatsCluster({ servers = 3 } = {}): Promise<NatsCluster> {
  const { path: binary } = await testNatsServer();
  for (let start = 1; ; start++) {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-cluster-'));
    const cluster = new Cluster(binary, directory, await freePorts(servers * 3));
    try {
      await cluster.start();
      return cluster;
    } catch (error) {
      const logs = await cluster.logs();
      await cluster.stop();
      // Between the question for free ports and the start, somebody else may have taken one.
      if (start === STARTS_MAX || !/address already in use/i.test(logs)) {
        throw new Error(`the NATS cluster did not start: ${asError(error).message}\n${logs}`, { cause: error });
      }
    }
  }
}

interface Member {
  readonly name: string;
  readonly port: number;
  readonly routePort: number;
  readonly monitorPort: number;
  readonly directory: string;
  child: ChildProcess | undefined;
}

class Cluster implements NatsCluster {
  manager!: JetStreamManager;
  private connection: NatsConnection | undefined;
  private readonly members: readonly Member[];

  constructor(
    private readonly binary: string,
    private readonly directory: string,
    ports: readonly number[],
  ) {
    this.members = Array.from({ length: ports.length / 3 }, (_, i) => ({
      name: `n${i}`,
      port: ports[i * 3]!,
      routePort: ports[i * 3 + 1]!,
      monitorPort: ports[i * 3 + 2]!,
      directory: join(directory, `n${i}`),
      child: undefined,
    }));
  }

  get urls(): string[] {
    return this.members.map(({ port }) => `nats://127.0.0.1:${port}`);
  }

  get url(): string {
    return this.urls.join(',');
  }

  async start(): Promise<void> {
    for (const member of this.members) await this.writeConfig(member);
    await Promise.all(this.members.map((member) => this.launch(member)));
    this.connection = await connectNats({ url: this.url }, 'test-cluster');
    this.manager = await until('JetStream', () => jetstreamManager(this.connection!, { timeout: 2_000 }));
    await this.whole();
  }

  pid(server: number): number {
    return this.members[server]!.child!.pid!;
  }

  async kill(server: number): Promise<void> {
    const member = this.members[server]!;
    const { child } = member;
    if (child === undefined) return;
    member.child = undefined;
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    child.kill('SIGKILL');
    await gone;
    running.delete(child);
  }

  async restart(server: number): Promise<void> {
    await this.kill(server);
    await this.launch(this.members[server]!);
  }

  pause(server: number): void {
    this.members[server]!.child!.kill('SIGSTOP');
  }

  resume(server: number): void {
    this.members[server]!.child!.kill('SIGCONT');
  }

  leaderOf(stream: string): Promise<number> {
    return until(`a leader of ${stream}`, async () => {
      const { cluster } = await this.manager.streams.info(stream);
      const at = this.members.findIndex(({ name }) => name === cluster?.leader);
      return at === -1 ? undefined : at;
    });
  }

  async moveLeader(stream: string, server?: number): Promise<void> {
    const wanted = server === undefined ? undefined : this.members[server]!.name;
    if (server !== undefined && (await this.leaderOf(stream)) === server) return;
    const placement = wanted === undefined ? {} : { placement: { preferred: wanted } };
    await this.connection!.request(`$JS.API.STREAM.LEADER.STEPDOWN.${stream}`, JSON.stringify(placement));
    await until(`${wanted ?? 'another server'} to lead ${stream}`, async () => {
      const leader = await this.leaderOf(stream);
      return server === undefined || leader === server ? leader : undefined;
    });
  }

  async whole(...streams: string[]): Promise<void> {
    await until('a whole cluster', async () => {
      const all = await Promise.all(this.members.map(({ monitorPort }) => metaOf(monitorPort)));
      // Only the leader knows how far the others are.
      const leading = all[this.members.findIndex(({ name }) => name === all[0]!.leader)];
      const others = leading?.replicas ?? [];
      const current = others.filter(({ current, offline }) => current && offline !== true);
      const agreed = new Set(all.map(({ leader }) => leader)).size === 1;
      if (!agreed || current.length < this.members.length - 1) throw new Error(JSON.stringify(all));
      return true;
    });
    for (const stream of streams) {
      await until(`all replicas of ${stream}`, async () => {
        const { cluster, config } = await this.manager.streams.info(stream);
        const current = (cluster?.replicas ?? []).filter((one) => one.current && one.offline !== true);
        if (cluster?.leader === undefined || current.length < config.num_replicas - 1)
          throw new Error(JSON.stringify(cluster));
        return true;
      });
    }
  }

  async stop(): Promise<void> {
    await this.connection?.close();
    await Promise.all(this.members.map((_, server) => this.kill(server)));
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** The end of what the servers said. */
  async logs(): Promise<string> {
    const logs = this.members.map(async ({ name, directory }) => {
      const text = await readFile(join(directory, 'log'), 'utf8').catch(() => '');
      return `${name}: ${text.split('\n').slice(-8).join('\n')}`;
    });
    return (await Promise.all(logs)).join('\n');
  }

  private async writeConfig({ name, port, routePort, monitorPort, directory }: Member): Promise<void> {
    // Each pair is connected from one side: from both at the same time, the servers may close each other's as a duplicate.
    const next = this.members[(this.members.findIndex((one) => one.name === name) + 1) % this.members.length]!;
    await mkdir(directory, { recursive: true });
    const lines = [
      `server_name: ${name}`,
      `listen: "127.0.0.1:${port}"`,
      `http: "127.0.0.1:${monitorPort}"`,
      'max_payload: 8388608',
      `jetstream { store_dir: ${JSON.stringify(directory)} }`,
      'cluster {',
      '  name: test',
      `  listen: "127.0.0.1:${routePort}"`,
      `  routes: ["nats://127.0.0.1:${next.routePort}"]`,
      '}',
    ];
    await writeFile(join(directory, 'conf'), `${lines.join('\n')}\n`);
  }

  private async launch(member: Member): Promise<void> {
    const { name, directory, monitorPort } = member;
    const log = await open(join(directory, 'log'), 'a');
    const child = spawn(this.binary, ['-c', join(directory, 'conf')], { stdio: ['ignore', log.fd, log.fd] });
    running.add(child);
    child.unref();
    member.child = child;
    await log.close();
    await until(`${name} to listen`, async () => {
      if (child.exitCode !== null) return true;
      return (await listensForClients(monitorPort)) ? true : undefined;
    });
    if (child.exitCode !== null) throw new Error(`${name} exited with code ${child.exitCode}`);
  }
}

interface Meta {
  readonly leader?: string;
  readonly replicas?: readonly { readonly current: boolean; readonly offline?: boolean }[];
}

async function metaOf(monitorPort: number): Promise<Meta> {
  const answer = await fetch(`http://127.0.0.1:${monitorPort}/jsz`, { signal: AbortSignal.timeout(2_000) });
  return ((await answer.json()) as { readonly meta_cluster?: Meta }).meta_cluster ?? {};
}

/** The port for monitoring is there before the one for clients: an answer from it alone says nothing about them. */
async function listensForClients(monitorPort: number): Promise<boolean> {
  const url = `http://127.0.0.1:${monitorPort}/healthz?js-enabled-only=true`;
  const { ok } = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  return ok;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
