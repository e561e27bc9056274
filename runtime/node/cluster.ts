/** A node's place among others (composition): its identity, its units on its threads, the tables that all nodes share. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import type { PipelineOptions } from '../../actors/topology.js';
import { openLevelStore } from '../../state/level-store.js';
import { textOf, utf8 } from '../frames/bytes.js';
import { systemClock } from '../contract/clock.js';
import { Cluster } from '../cluster/cluster.js';
import type { ClusterHost } from '../cluster/options.js';
import type { Unit } from '../shards/host.js';
import { agreed, commonSettings, mustAgree } from './agreement.js';
import { openClusterTables, openDeployment } from './buckets.js';
import { checkSharedDeployment, recordDeployment } from './deployment.js';
import type { Threads } from './threads.js';
import { LIVE_WEIGHTS, weightOf } from './shards.js';
import type { HostRequest, StartedHost } from './worker.js';
import { patience } from '../supervision/retry.js';
import type { Logger } from '../contract/ports.js';

export interface Identity {
  readonly node: string;
  /** Of this life of the node: its presence and its readers of streams are known by it. */
  readonly process: string;
  release(): Promise<void>;
}

const NODE_KEY = 'node/id';

/** Which node a data directory is; held open, so that two processes never run on one (Fatal DATA_DIR_LOCKED). */
export async function claimIdentity(dataDir: string): Promise<Identity> {
  const store = await openLevelStore(join(dataDir, 'state', 'node'));
  const known = store.getSync(NODE_KEY);
  const node = known === undefined ? randomUUID().slice(0, 8) : textOf(known);
  if (known === undefined) await store.write([{ key: NODE_KEY, value: utf8(node) }]);
  return { node, process: randomUUID(), release: () => store.close() };
}

/** Units of the view on this thread, all others on the workers: where they are at first, then each where least is done so far. */
export class NodeHost implements ClusterHost {
  private readonly placed = new Map<string, number>();
  /** What a unit was asked for last. */
  private readonly asked = new Map<string, HostRequest>();

  /** `first`: by thread, what it has opened ahead. */
  constructor(
    private readonly units: readonly Unit[],
    private readonly threads: Threads,
    private readonly view: StartedHost,
    first: readonly (readonly Unit[])[],
  ) {
    for (const [thread, own] of first.entries()) for (const { name } of own) this.placed.set(name, thread);
  }

  check(unit: string): Promise<void> {
    return this.perform(unit, { action: 'check', unit });
  }

  follow(unit: string): Promise<void> {
    return this.perform(unit, { action: 'follow', unit });
  }

  own(unit: string): Promise<void> {
    return this.perform(unit, { action: 'own', unit });
  }

  async close(unit: string, { copy }: { readonly copy: boolean }): Promise<void> {
    const request: HostRequest = { action: 'close', unit, copy };
    await this.perform(unit, request);
    // Asked for again meanwhile, it is open again, on the same thread.
    if (this.asked.get(unit) === request) this.placed.delete(unit);
  }

  async hold(held: boolean): Promise<void> {
    const request: HostRequest = { action: 'hold', held };
    const all = Array.from({ length: this.threads.count }, (_, thread) => this.threads.request(thread, request));
    await Promise.all([...all, this.view.perform(request)]);
  }

  private perform(unit: string, request: HostRequest): Promise<void> {
    this.asked.set(unit, request);
    const isView = this.units.some(({ name, everywhere }) => name === unit && everywhere === true);
    return isView ? this.view.perform(request) : this.threads.request(this.threadOf(unit), request);
  }

  /** A unit stays on its thread while it is open. */
  private threadOf(unit: string): number {
    const known = this.placed.get(unit);
    if (known !== undefined) return known;
    const loads = Array.from({ length: this.threads.count }, () => 0);
    for (const [other, thread] of this.placed) loads[thread]! += weightOf(other, this.units, LIVE_WEIGHTS);
    const thread = loads.indexOf(Math.min(...loads));
    this.placed.set(unit, thread);
    return thread;
  }
}

export interface JoinOptions {
  readonly connection: NatsConnection;
  readonly identity: Identity;
  readonly pipeline: PipelineOptions;
  readonly dataDir: string;
  readonly units: readonly Unit[];
  readonly host: ClusterHost;
  readonly logger: Logger;
  readonly replicas: number;
  readonly leaseMs: number;
  readonly standbys: number;
  readonly grpc: () => string | undefined;
  /** The nodes have agreed on what the deployment is; nobody has written yet. */
  readonly onAgreed: () => Promise<void>;
  readonly onFatal: (error: Error) => void;
}

export async function joinCluster({
  connection,
  identity,
  pipeline,
  dataDir,
  ...options
}: JoinOptions): Promise<Cluster> {
  const { node, process } = identity;
  const settings = commonSettings(pipeline, options.leaseMs);
  const patiently = patience(systemClock, (error) =>
    options.logger.warn({ err: error }, 'JetStream is not ready; waiting for it'),
  );
  const deployment = await openDeployment(connection, options);
  await patiently(() => checkSharedDeployment(deployment, pipeline));
  await patiently(() => agreed(connection, node, settings, options.logger));
  const { nodes, leases } = await openClusterTables(connection, options);
  await patiently(options.onAgreed);
  recordDeployment(dataDir, pipeline);
  const cluster = await Cluster.join({
    ...options,
    ...{ nodes, leases, node, settings, process, name: hostname(), clock: systemClock },
  });
  try {
    // Who has come at the same time was not there before.
    mustAgree(node, settings, cluster.members);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}
