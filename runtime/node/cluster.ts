/** A node in its cluster (composition): its identity, its shards on its threads, the tables that all nodes share. */
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import { openLevelStore } from '../../state/level-store.js';
import { textOf, utf8 } from '../frames/bytes.js';
import { systemClock } from '../contract/clock.js';
import { Cluster } from '../cluster/cluster.js';
import type { ClusterHost } from '../cluster/options.js';
import type { ShardSpec } from '../shards/shard-spec.js';
import { agreed, mustAgree } from './agreement.js';
import { openClusterTables, openDeployment } from './buckets.js';
import { checkSharedDeployment, deploymentIn, recordDeployment } from './deployment.js';
import type { Threads } from './threads.js';
import { LIVE_WEIGHTS, weightOf } from './shards.js';
import type { HostRequest } from './messages.js';
import type { StartedHost } from './worker.js';
import { retryThroughFailover } from '../supervision/retry.js';
import type { Deployment, Settings } from '../config/deployment.js';
import type { Logger } from '../contract/ports.js';

export interface Identity {
  readonly node: string;
  /** Identifies this run of the node in its membership entry and its stream consumers. */
  readonly process: string;
  release(): Promise<void>;
}

const NODE_KEY = 'node/id';

/** Rivulet's files in a data directory, which may have other files as well; including those set aside. */
const OURS = /^(state|nats|replay|repartition|deployment\.json|health\.json)/;

/** Earlier versions created files that all users of the machine could read. */
function tighten(dataDir: string): void {
  for (const name of readdirSync(dataDir).filter((one) => OURS.test(one))) {
    const path = join(dataDir, name);
    try {
      chmodSync(path, statSync(path).isDirectory() ? 0o700 : 0o600);
    } catch (error) {
      // The file belongs to another user, who shares it with this one.
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    }
  }
}

/** The node id of a data directory; held open, so that two processes never run on one directory (Fatal DATA_DIR_LOCKED). */
export async function claimIdentity(dataDir: string): Promise<Identity> {
  const store = await openLevelStore(join(dataDir, 'state', 'node'));
  tighten(dataDir);
  const known = store.getSync(NODE_KEY);
  const node = known === undefined ? randomUUID().slice(0, 8) : textOf(known);
  if (known === undefined) await store.write([{ key: NODE_KEY, value: utf8(node) }]);
  return { node, process: randomUUID(), release: () => store.close() };
}

/** View shards run on this thread, all others on the workers: first where their stores were opened, later on the least loaded thread. */
export class NodeHost implements ClusterHost {
  private readonly placed = new Map<string, number>();
  /** The last request for each shard. */
  private readonly asked = new Map<string, HostRequest>();

  /** `first`: the shards whose stores each thread has opened ahead. */
  constructor(
    private readonly shards: readonly ShardSpec[],
    private readonly threads: Threads,
    private readonly view: StartedHost,
    first: readonly (readonly ShardSpec[])[],
  ) {
    for (const [thread, own] of first.entries()) for (const { name } of own) this.placed.set(name, thread);
  }

  check(shard: string): Promise<void> {
    return this.perform(shard, { action: 'check', shard });
  }

  follow(shard: string): Promise<void> {
    return this.perform(shard, { action: 'follow', shard });
  }

  own(shard: string): Promise<void> {
    return this.perform(shard, { action: 'own', shard });
  }

  async close(shard: string, { copy }: { readonly copy: boolean }): Promise<void> {
    const request: HostRequest = { action: 'close', shard, copy };
    await this.perform(shard, request);
    // Requested again meanwhile, the shard is open again, on the same thread.
    if (this.asked.get(shard) === request) this.placed.delete(shard);
  }

  async hold(held: boolean): Promise<void> {
    const request: HostRequest = { action: 'hold', held };
    const all = Array.from({ length: this.threads.count }, (_, thread) => this.threads.request(thread, request));
    await Promise.all([...all, this.view.perform(request)]);
  }

  private perform(shard: string, request: HostRequest): Promise<void> {
    this.asked.set(shard, request);
    const isView = this.shards.some(({ name, everywhere }) => name === shard && everywhere === true);
    return isView ? this.view.perform(request) : this.threads.request(this.threadOf(shard), request);
  }

  /** A shard stays on its thread while it is open. */
  private threadOf(shard: string): number {
    const known = this.placed.get(shard);
    if (known !== undefined) return known;
    const loads = Array.from({ length: this.threads.count }, () => 0);
    for (const [other, thread] of this.placed) loads[thread]! += weightOf(other, this.shards, LIVE_WEIGHTS);
    const thread = loads.indexOf(Math.min(...loads));
    this.placed.set(shard, thread);
    return thread;
  }
}

export interface JoinOptions {
  readonly connection: NatsConnection;
  readonly identity: Identity;
  readonly deployment: Deployment;
  readonly settings: Settings;
  readonly dataDir: string;
  readonly shards: readonly ShardSpec[];
  readonly host: ClusterHost;
  readonly logger: Logger;
  readonly replicas: number;
  readonly leaseMs: number;
  readonly standbys: number;
  readonly grpc: () => string | undefined;
  /** Called when the nodes have agreed on the deployment, before any has written. */
  readonly onAgreed: () => Promise<void>;
  readonly onFatal: (error: Error) => void;
}

export async function joinCluster({
  connection,
  identity,
  deployment,
  settings,
  dataDir,
  ...options
}: JoinOptions): Promise<Cluster> {
  const { node, process } = identity;
  const patiently = retryThroughFailover(systemClock, (error) =>
    options.logger.warn({ err: error }, 'JetStream is not ready; waiting for it'),
  );
  const table = await openDeployment(connection, options);
  await patiently(() => checkSharedDeployment(table, deployment, deploymentIn(dataDir)));
  await patiently(() => agreed(connection, node, settings, options.logger));
  const { nodes, leases } = await openClusterTables(connection, options);
  await patiently(options.onAgreed);
  recordDeployment(dataDir, deployment);
  const cluster = await Cluster.join({
    ...options,
    ...{ nodes, leases, node, settings, process, name: hostname(), clock: systemClock },
  });
  try {
    // A node that joined at the same time was not visible before.
    mustAgree(node, settings, cluster.members);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}
