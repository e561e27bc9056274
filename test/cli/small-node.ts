/** One node of one partition, as people start and stop it, and one user who buys. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { filesIn, flipBit } from '../support/file-damage.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { type Ended, runCli, type Running, startCli, workingDirectory } from './run-cli.js';

const SMALL = ['--set', 'partitions=1', '--set', 'sourcePartitions=1'];

export interface SmallNode {
  readonly running: Running;
  /** Of its gRPC. */
  readonly address: string;
  /** The user buys each item, and it is waited for until the list has them all. */
  buy(...items: string[]): Promise<void>;
  /** Until NATS holds a copy of these shards, or of all: a node copies now and then. */
  copied(...shards: string[]): Promise<void>;
  /** Until the user's list has these items. */
  knows(...items: string[]): Promise<readonly string[]>;
  stop(): Promise<Ended>;
}

/** `nats`: settings that name a server; none for one of its own. */
export class SmallNodes {
  private readonly running: Running[] = [];
  private readonly closing: (() => void)[] = [];

  constructor(
    private readonly cwd: string,
    private readonly nats: readonly string[] = [],
  ) {}

  rivulet(dataDir: string, ...args: readonly string[]): Promise<Ended> {
    return runCli(this.cwd, [...args, '--data-dir', dataDir, ...SMALL, ...this.nats]);
  }

  async start(dataDir: string, ...more: readonly string[]): Promise<SmallNode> {
    const settings = ['--grpc-port', '0', '--set', 'copyEverySeconds=1', '--snapshot-every-seconds', '0.2'];
    const running = startCli(this.cwd, ['start', '--data-dir', dataDir, ...SMALL, ...this.nats, ...settings, ...more]);
    this.running.push(running);
    const [, address] = await running.printed(/gRPC on (127\.0\.0\.1:\d+)/);
    const client = await connectRivulet(address!);
    this.closing.push(() => {
      client.close();
    });
    const knows = async (...items: string[]): Promise<readonly string[]> => {
      for (;;) {
        const list = (await client.getRecommendations({ userId: 'u1', limit: 100 })).items.map(({ itemId }) => itemId);
        if (items.every((item) => list.includes(item))) return list;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    return {
      ...{ running, knows, address: address! },
      copied: async (...shards) => {
        for (;;) {
          const { stdout } = await this.rivulet(dataDir, 'nodes', '--json');
          const told = JSON.parse(stdout) as { shards: { shard: string; copied_at: string | null }[] };
          if (
            told.shards
              .filter(({ shard }) => shards.length === 0 || shards.includes(shard))
              .every((shard) => shard.copied_at !== null)
          )
            return;
        }
      },
      buy: async (...items) => {
        const file = join(this.cwd, 'events.jsonl');
        writeFileSync(file, items.flatMap((item) => [1, 2, 3].map((n) => purchase(item, n))).join(''));
        await this.rivulet(dataDir, 'publish', '--file', file);
        await knows(...items);
      },
      stop: () => {
        running.child.kill('SIGTERM');
        return running.ended;
      },
    };
  }

  async end(): Promise<void> {
    for (const close of this.closing.splice(0)) close();
    for (const { child, ended } of this.running.splice(0)) {
      child.kill('SIGTERM');
      await ended;
    }
  }

  /** A bit of a store's first table is flipped. */
  damage(dataDir: string, store: string): void {
    flipBit(60)(filesIn(join(this.cwd, dataDir, 'state', store), /\.ldb$/)[0]!);
  }
}

/** What each test of a file has for itself. */
export interface SmallBed {
  /** The same for all of them, and empty before each. */
  readonly cwd: string;
  readonly server: TestNats;
  readonly connection: NatsConnection;
  /** On that server. */
  readonly nodes: SmallNodes;
}

/** Starts a nats-server before each test of a file, and ends it, and the nodes on it, after the test. */
export function smallBed(): SmallBed {
  const { cwd, remove } = workingDirectory();
  const bed = { cwd } as { -readonly [K in keyof SmallBed]: SmallBed[K] };
  beforeEach(async () => {
    bed.server = await startTestNats();
    bed.connection = await connectNats({ url: bed.server.url }, 'test');
    bed.nodes = new SmallNodes(cwd, ['--nats-url', bed.server.url]);
  });
  afterEach(async () => {
    await bed.nodes.end();
    await bed.connection.close();
    await bed.server.stop();
    for (const name of readdirSync(cwd)) rmSync(join(cwd, name), { recursive: true, force: true, maxRetries: 5 });
  });
  afterAll(remove);
  return bed;
}

const purchase = (item: string, n: number): string =>
  `${JSON.stringify({ event_id: `${item}-${n}`, event_type: 'purchase', event_time: `2026-11-01T10:0${n}:00Z`, user_id: 'u1', item_id: item, category_code: 'home.chair', price: 5 })}\n`;
