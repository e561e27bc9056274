/** `rivulet start`, several times on one NATS: processes to be killed, stopped and started again, and what can be asked of them. */
import { join } from 'node:path';
import { createServer, type AddressInfo } from 'node:net';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { entriesOfBucket } from '../../connectors/nats/key-value.js';
import { storesIn } from '../../runtime/cli/state/stores.js';
import { textOf } from '../../runtime/frames/bytes.js';
import { leasesIn, type NodeEntry, nodesIn } from '../../runtime/cluster/entries.js';
import type { Counters } from '../../runtime/actor/instance.js';
import { headKey, isHeadKey, sequenceIn } from '../../runtime/state/keyspace.js';
import { BUCKETS } from '../../runtime/node/buckets.js';
import { openLevelStore } from '../../state/level-store.js';
import { type Ended, type Running, startCli } from '../cli/run-cli.js';
import { hasEnded, pause } from './blows.js';
import { until } from './nats-cluster.js';

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

const LOG_CHARACTERS = 60_000;
const ASK_EVERY_MS = 25;
/** Longer than a busy machine makes anyone wait: what fails has failed. */
const ASK_MS_MAX = 30_000;

export class LiveNode {
  private running: Running | undefined;
  /** Of all its lives: for people who look into a failure. */
  private log = '';

  private constructor(
    private readonly cwd: string,
    readonly dataDir: string,
    readonly grpcPort: number,
    private readonly args: readonly string[],
  ) {}

  /** Not started yet. It keeps its port and its data directory over its lives. */
  static async of(cwd: string, name: string, args: readonly string[]): Promise<LiveNode> {
    return new LiveNode(cwd, join(cwd, name), await freePort(), args);
  }

  get address(): string {
    return `127.0.0.1:${this.grpcPort}`;
  }

  /** Resolves when it says that it is up. */
  async start(): Promise<void> {
    const place = ['--data-dir', this.dataDir, '--grpc-port', String(this.grpcPort)];
    this.running = startCli(this.cwd, ['start', ...place, ...this.args]);
    this.running.child.stderr!.on('data', (text: string) => (this.log = (this.log + text).slice(-LOG_CHARACTERS)));
    await this.running.printed(/rivulet is up/);
  }

  /** The end of what it has said. */
  get said(): string {
    return `${this.dataDir}:\n${this.log}`;
  }

  /** SIGKILL, where it still runs. */
  async kill(): Promise<void> {
    if (this.running === undefined) return;
    this.running.child.kill('SIGKILL');
    await this.running.ended;
  }

  /** SIGTERM; resolves when it has ended by itself. */
  async stop(): Promise<Ended> {
    this.running!.child.kill('SIGTERM');
    return this.running!.ended;
  }

  freeze(): void {
    this.running!.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.running!.child.kill('SIGCONT');
  }

  get ended(): Promise<Ended> {
    return this.running!.ended;
  }

  get hasEnded(): boolean {
    return this.running === undefined || hasEnded(this.running.child);
  }

  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return this.running!.printed(pattern);
  }

  connect(): Promise<RivuletClient> {
    const channel = { 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 100 };
    return connectRivulet(this.address, { channel, deadlineMs: ASK_MS_MAX });
  }
}

/** The tables of the nodes, as a stranger reads them. */
export class Watch {
  private constructor(private readonly connection: NatsConnection) {}

  static async on(url: string): Promise<Watch> {
    return new Watch(await connectNats({ url }, 'watch'));
  }

  /** Shard → address of the node that has its lease; a shard without one is not there. */
  async owners(): Promise<Map<string, string | undefined>> {
    const nodes = new Map((await this.nodes()).map(({ id, grpc }) => [id, grpc]));
    const leases = leasesIn((await entriesOfBucket(this.connection, BUCKETS.leases)) ?? []);
    return new Map([...leases].map(([shard, { node = '' }]) => [shard, nodes.get(node)]));
  }

  async nodes(): Promise<NodeEntry[]> {
    return nodesIn((await entriesOfBucket(this.connection, BUCKETS.nodes)) ?? []);
  }

  /** Resolves when the nodes, and no others, own all shards, each of them some. */
  async shared(shards: number, nodes: readonly LiveNode[]): Promise<void> {
    const wanted = JSON.stringify(nodes.map(({ address }) => address).sort());
    await until(`the nodes at ${wanted} to share ${shards} shards`, async () => {
      const owners = await this.owners();
      const found = JSON.stringify([...new Set(owners.values())].sort());
      if (owners.size === shards && found === wanted) return true;
      throw new Error(JSON.stringify([...owners]));
    });
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

/** A client that asks a node for a list again and again, and notes when it got one. */
export class Asker {
  readonly answeredAt: number[] = [];
  readonly failures: { readonly at: number; readonly error: unknown }[] = [];
  private stopped = false;
  private asking: Promise<void> = Promise.resolve();

  static async of(node: LiveNode, users: readonly string[]): Promise<Asker> {
    const asker = new Asker();
    asker.asking = asker.ask(await node.connect(), users);
    return asker;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.asking;
  }

  private async ask(client: RivuletClient, users: readonly string[]): Promise<void> {
    for (let n = 0; !this.stopped; n++) {
      try {
        await client.getRecommendations({ userId: users[n % users.length]!, limit: 10 });
        this.answeredAt.push(performance.now());
      } catch (error) {
        this.failures.push({ at: performance.now(), error });
      }
      await pause(ASK_EVERY_MS);
    }
    client.close();
  }
}

/** What stopped nodes have counted together: of each instance the store that has taken in most. */
export async function countersIn(dataDirs: readonly string[]): Promise<Counters> {
  const best = new Map<string, { readonly sequence: number; readonly counters: Counters }>();
  for (const dataDir of dataDirs) {
    for (const { name, directory } of storesIn(dataDir)) {
      if (name === 'node') continue;
      const store = await openLevelStore(directory);
      const heads = (await store.entries('')).filter(([key]) => isHeadKey(key));
      for (const [key, head] of heads) {
        const [stage = '', partition = ''] = key.split('/');
        const sequence = sequenceIn(head);
        if ((best.get(`${stage}.${partition}`)?.sequence ?? 0) >= sequence) continue;
        const prefix = headKey(stage, Number(partition)).replace('$head', '$counters/');
        const bytes = store.getSync(prefix);
        if (bytes === undefined) continue;
        best.set(`${stage}.${partition}`, { sequence, counters: JSON.parse(textOf(bytes)) as Counters });
      }
      await store.close();
    }
  }
  const sum = { events: 0, on_time: 0, late: 0, dead_letter: 0, duplicates: 0 };
  for (const { counters } of best.values()) {
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += counters[name];
  }
  return sum;
}
