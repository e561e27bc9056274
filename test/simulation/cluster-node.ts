/** A simulated node: its disks, and the processes that run on it one after the other, each the real cluster, host and copier. */
import { Cluster } from '../../runtime/cluster/cluster.js';
import { Deadline } from '../../runtime/supervision/deadline.js';
import { asError, explain, fatal, type RivuletError } from '../../runtime/contract/errors.js';
import { Host } from '../../runtime/shards/host.js';
import type { Clock, Logger } from '../../runtime/contract/ports.js';
import { FailingStore } from '../../state/failing-store.js';
import { MemoryStore, type StoreContents } from '../../state/memory-store.js';
import { FailingKeyValue, FailingLink, FailingObjects } from '../support/failing-link.js';
import { drawn, type FailingLog } from '../support/failing-log.js';
import { TUNING, SILENT } from '../runtime/tuning.js';
import type { ClusterWorld } from './cluster-world.js';
import type { Party } from './schedule.js';
import { Violation } from './violation.js';

export const LEASE_MS = 600;
const COPY_EVERY_MS = 150;
const STOP_MS = 3_000;

type Disks = ReadonlyMap<string, StoreContents>;

/** A machine with its disks; what runs on it is `process`. */
export class ClusterNode {
  offsetMs = 0;
  cutOff = false;
  diskFull = false;
  process: NodeProcess | undefined;
  /** It has left for good. */
  retired = false;
  /** In the data directory: other disks, another node. */
  id: string;
  /** Stopped (SIGSTOP): its turns and timers stand still. */
  private stopped: { readonly resumed: Promise<void>; readonly resume: () => void } | undefined;
  private disks = new Map<string, MemoryStore>();
  private old: Disks = new Map();
  private processes = 0;
  private wiped = 0;

  constructor(
    readonly world: ClusterWorld,
    readonly name: string,
  ) {
    this.id = name;
  }

  get isStopped(): boolean {
    return this.stopped !== undefined;
  }

  start(): void {
    this.process = new NodeProcess(this, ++this.processes);
    this.process.start();
  }

  /** At once, at any await. */
  kill(): void {
    this.process?.cut(() => this.world.schedule.chance(0.5));
    this.process = undefined;
    this.resume();
  }

  stop(): void {
    let resume = (): void => undefined;
    const resumed = new Promise<void>((resolve) => (resume = resolve));
    this.stopped ??= { resumed, resume };
  }

  resume(): void {
    this.stopped?.resume();
    this.stopped = undefined;
  }

  async awake(): Promise<void> {
    while (this.stopped !== undefined) await this.stopped.resumed;
  }

  /** What a backup of its disks, or a snapshot of the machine, would hold. */
  remember(): void {
    this.old = new Map([...this.disks].map(([shard, disk]) => [shard, disk.contents()]));
  }

  putBackOldDisks(): void {
    this.disks = new Map([...this.old].map(([shard, contents]) => [shard, new MemoryStore(contents)]));
  }

  wipe(): void {
    this.disks = new Map();
    this.old = new Map();
    this.id = `${this.name}${'abcdefgh'[this.wiped++ % 8]}`;
  }

  /** As the one before left it. */
  openDisk(shard: string): MemoryStore {
    const disk = new MemoryStore(this.disks.get(shard)?.contents());
    this.disks.set(shard, disk);
    return disk;
  }
}

/** One process. */
export class NodeProcess implements Party {
  readonly host: Host;
  cluster: Cluster | undefined;
  failure: Error | undefined;
  gone = false;
  leaving: Promise<void> | undefined;
  private readonly log: FailingLog;
  private readonly link: FailingLink;
  private readonly stores = new Map<string, FailingStore>();
  private readonly clock: Clock;
  private readonly name: string;
  private copiers = 0;

  constructor(
    readonly node: ClusterNode,
    number: number,
  ) {
    const { world } = node;
    const { schedule, tables, job, options } = world;
    this.name = `${node.id}#${number}`;
    this.clock = this.clockOf();
    this.log = world.connection(this.name, this, () => node.cutOff, world.log);
    const fate = drawn(schedule.random, world.faults.operation);
    this.link = new FailingLink({
      fate: (isWrite) =>
        node.cutOff ? 'away' : world.calm ? 'done' : fate({ kind: isWrite ? 'publish' : 'info', on: '' }),
      turn: (what) => schedule.turn(`${this.name} ${what}`, this),
      restarts: () => world.server.restarts,
    });
    const manifests = new FailingKeyValue(tables.manifests, 'manifests', this.link);
    const objects = new FailingObjects(tables.objects, this.link);
    const copying = {
      copies: { manifests, objects },
      everyMs: COPY_EVERY_MS,
      writer: () => `${this.name.replace('#', '-')}-${++this.copiers}`,
      isHeld: () => false,
    };
    const tuning = {
      ...TUNING,
      // Within the life of an owner, so that what is trimmed matters to the next one.
      trimEveryMs: 100,
      frameMessages: 1 + schedule.below(6),
      snapshotEveryMs: schedule.chance(0.5) ? 200 : 70,
    };
    this.host = new Host(
      world.shards,
      {
        ...{ topology: job.topology, log: this.log, clock: this.clock, tuning, replication: copying },
        openStore: (shard) => this.openStore(shard),
        loggerOf: (stage, partition) => this.logger(`${this.name} ${stage}.${partition}`),
        tickEveryMs: options.tickEveryMs ?? job.tickEveryMs,
      },
      (error) => this.failed(error),
    );
  }

  /** A stopped one does not get a turn. */
  get asleepUntilStep(): number {
    return this.node.isStopped && !this.gone ? Infinity : 0;
  }

  set asleepUntilStep(_: number) {
    throw new Error('nodes are stopped, and go on');
  }

  start(): void {
    const { node, link } = this;
    const { world } = node;
    world.schedule.note(() => `${this.name} starts`);
    const table = (name: 'nodes' | 'leases'): FailingKeyValue => new FailingKeyValue(world.tables[name], name, link);
    const { host } = this;
    Cluster.join({
      ...{ node: node.id, process: this.name, name: node.name, shards: world.shards },
      ...{ nodes: table('nodes'), leases: table('leases') },
      host: {
        check: (shard) => host.check(shard),
        follow: (shard) => host.follow(shard).catch((error: RivuletError) => this.cannotFollow(error)),
        own: (shard) => host.own(shard),
        close: (shard, options) => host.close(shard, options),
        hold: () => Promise.resolve(),
      },
      ...{ clock: this.clock, logger: this.logger(this.name), leaseMs: LEASE_MS, standbys: 1 },
      onFatal: (error) => this.failed(error),
    }).then(
      (cluster) => (this.cluster = cluster),
      (error: unknown) => this.failed(error as Error),
    );
  }

  /** As main does it on SIGTERM, and when something escalates. */
  leave(): Promise<void> {
    return (this.leaving ??= this.leaveNow());
  }

  private async leaveNow(): Promise<void> {
    const deadline = new Deadline(STOP_MS, this.clock);
    this.node.world.schedule.note(() => `${this.name} leaves`);
    await this.cluster?.stop(deadline);
    await this.host.stop(deadline);
    this.cut(() => this.node.world.schedule.chance(0.5));
    if (this.node.process === this) this.node.process = undefined;
  }

  cut(arrives: () => boolean): void {
    if (this.gone) return;
    this.node.world.schedule.note(() => `${this.name} is gone`);
    this.gone = true;
    this.log.cut(arrives);
    this.link.cut(arrives);
    for (const store of this.stores.values()) store.cut();
  }

  private failed(error: Error): void {
    if (this.gone) return;
    this.node.world.schedule.note(() => `${this.name} escalates: ${explain(error)}`);
    this.failure ??= error;
  }

  /** A copy that was damaged is waited for; nobody here takes it away, so that the run ends as when its owner needs it. */
  private cannotFollow(error: RivuletError): never {
    if (error.code === 'COPY_UNUSABLE') this.failed(asError(error.cause));
    throw error;
  }

  private async openStore(shard: string): Promise<FailingStore> {
    if (this.stores.has(shard)) throw new Violation(`${this.name} opens ${shard} a second time`);
    const { node } = this;
    const { world } = node;
    const disk = node.openDisk(shard);
    let failed = false;
    const pause = (): Promise<void> => world.schedule.turn(`${this.name} pauses`, this);
    const store = new FailingStore(world.options.wrapStore?.(disk, pause) ?? disk, {
      turn: () => world.schedule.turn(`${this.name} disk ${shard}`, this),
      // Behind a write that failed there is no other (KEY-VALUE-5).
      fate: () => ((failed ||= node.diskFull) ? 'refused' : 'done'),
      error: () => fatal('STATE_WRITE', `${shard}: the disk is full (as told)`),
    });
    this.stores.set(shard, store);
    return Object.assign(store, {
      close: async () => {
        this.stores.delete(shard);
        await disk.close();
      },
    });
  }

  private clockOf(): Clock {
    const { node } = this;
    const { schedule } = node.world;
    return {
      nowMs: () => schedule.clock.nowMs() + node.offsetMs,
      monotonicMs: () => schedule.clock.monotonicMs(),
      sleep: async (ms, signal) => {
        await schedule.clock.sleep(ms, signal);
        await node.awake();
        if (this.gone) await new Promise(() => undefined);
      },
    };
  }

  private logger(name: string): Logger {
    const { schedule, options } = this.node.world;
    if (options.trace === undefined) return SILENT;
    const say = (fields: object, message: string): void => {
      if (this.gone) return;
      const { err, ...rest } = fields as { err?: Error };
      schedule.note(() => `${name}: ${message} ${JSON.stringify(rest)} ${err === undefined ? '' : explain(err)}`);
    };
    return { debug: () => undefined, info: say, warn: say, error: say };
  }
}
