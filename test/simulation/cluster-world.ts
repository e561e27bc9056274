/**
 * Nodes that share a topology: the real cluster, hosts, supervisors and copiers of each, on one virtual clock, one log, shared tables and objects,
 * in an order drawn from a seed. When the faults are over all must settle; then a node with an empty disk takes over from all others.
 *
 * Invariants that it checks, beside those of the log server
 *   CLUSTER-WORLD-1  The sequences of a manifest never fall (REPLICA-1).
 *   CLUSTER-WORLD-2  Nothing is trimmed that the manifest does not include (SHARD-2, SNAPSHOTTER-3).
 *   CLUSTER-WORLD-3  In the end each shard has one owner, the planned one, and its lease says so (CLUSTER-1, CLUSTER-3).
 *   CLUSTER-WORLD-4  What is copied is enough: a node that starts with nothing goes on from there, and comes to the same.
 *   CLUSTER-WORLD-5  Nothing stays behind in the object store but what the manifests name, and a bounded rest.
 */
import { seededRandom } from '../../actors/maths/random.js';
import { includedIn, type Manifest, readManifest } from '../../runtime/replication/store.js';
import { streamOf } from '../../runtime/contract/graph.js';
import { VIEW_STAGE } from '../../runtime/node/shards.js';
import type { KeyValue, Log, Store } from '../../runtime/contract/ports.js';
import type { ShardSpec } from '../../runtime/shards/shard-spec.js';
import { textOf } from '../../runtime/frames/bytes.js';
import { settled } from '../runtime/virtual-clock.js';
import { drawn, FailingLog } from '../support/failing-log.js';
import { MemoryKeyValue } from '../support/memory-key-value.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { type ClusterFaults, drawnClusterFaults } from './cluster-faults.js';
import { ClusterInjector } from './cluster-injector.js';
import { ClusterNode, LEASE_MS } from './cluster-node.js';
import { hanging, statusesOf } from './cluster-settled.js';
import { SHARED_UNITS, viewOf } from './cluster-toys.js';
import { Feeding } from './feeding.js';
import type { Lie } from './faults.js';
import type { Job, SimulatedRun } from './job.js';
import { LogServer } from './log-server.js';
import { type Party, Schedule } from './schedule.js';
import { Violation } from './violation.js';

export interface ClusterOptions {
  readonly seed: number;
  readonly faults?: ClusterFaults;
  /** `none`: no copy is damaged. */
  readonly lie?: Lie | 'none';
  readonly tickEveryMs?: number;
  /** To break a rule on purpose. */
  readonly wrapLog?: (log: Log) => Log;
  readonly wrapStore?: (store: Store, pause: () => Promise<void>) => Store;
  readonly wrapTable?: (table: KeyValue, name: 'nodes' | 'leases' | 'manifests') => KeyValue;
  readonly trace?: (line: string) => void;
}

const NODES_MAX = 3;
const CALM_STEPS_MAX = 60_000;
const CALM_MS_MAX = 10 * 60_000;
const LOOKS_EVERY_STEPS = 16;
/** Objects of a shard that no manifest names: what its owners were writing when they ended. */
const GARBAGE_MAX = 12;

export class ClusterWorld implements SimulatedRun {
  readonly schedule: Schedule;
  readonly server: LogServer;
  readonly log: Log;
  readonly faults: ClusterFaults;
  readonly shards: readonly ShardSpec[];
  readonly nodes: ClusterNode[] = [];
  readonly objects = new MemoryObjects();
  readonly leases: MemoryKeyValue;
  readonly tables: Readonly<Record<'nodes' | 'leases' | 'manifests', KeyValue>> & { readonly objects: MemoryObjects };
  readonly counts = new Map<string, number>();
  readonly feeding: Feeding;
  /** Node and partition → the view there, before the last node is alone, and on that. */
  readonly views = new Map<string, { readonly partition: number; readonly rows: unknown }>();
  calm = false;
  drains = false;
  failure: Error | undefined;
  private readonly manifests = new Map<string, Manifest>();
  private readonly injector: ClusterInjector;
  private calmSinceStep = 0;
  private calmSinceMs = 0;

  private constructor(
    readonly job: Job<ClusterWorld>,
    readonly options: ClusterOptions,
  ) {
    const random = seededRandom(options.seed);
    this.schedule = new Schedule(random, options.trace);
    this.faults = options.faults ?? drawnClusterFaults(random, options.lie === 'none' ? false : undefined);
    this.server = new LogServer(job.topology, this.schedule, 1e9);
    this.shards = SHARED_UNITS;
    const nowMs = (): number => this.schedule.clock.nowMs();
    const { wrapTable = (table: KeyValue) => table } = options;
    this.leases = new MemoryKeyValue({ nowMs, ttlMs: LEASE_MS });
    this.tables = {
      nodes: wrapTable(new MemoryKeyValue({ nowMs, ttlMs: LEASE_MS }), 'nodes'),
      leases: wrapTable(this.leases, 'leases'),
      manifests: wrapTable(this.watched(new MemoryKeyValue()), 'manifests'),
      objects: this.objects,
    };
    this.log = this.guarded(options.wrapLog?.(this.server.log) ?? this.server.log);
    this.feeding = new Feeding(this);
    this.injector = new ClusterInjector(this);
    const count = 1 + this.schedule.below(NODES_MAX);
    for (let i = 0; i < count; i++) this.nodes.push(new ClusterNode(this, `n${i}`));
  }

  static async run(job: Job<ClusterWorld>, options: ClusterOptions): Promise<ClusterWorld> {
    const world = new ClusterWorld(job, options);
    await world.server.ensureStreams();
    world.injector.begin();
    world.feeding.begin();
    await world.work(() => world.isSettled());
    world.look();
    await world.handOverToOne();
    return world;
  }

  /** Instances of the node that is left. */
  get lives() {
    return this.nodes.flatMap((node) => statusesOf(node)).map((status) => ({ stage: status.stage, status }));
  }

  count(fault: string): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
  }

  get isOpen(): boolean {
    return true;
  }

  connection(name: string, party?: Party, cutOff: () => boolean = () => false, log: Log = this.log): FailingLog {
    const { random } = this.schedule;
    const fate = drawn(random, this.faults.operation);
    return new FailingLog(log, {
      fate: (operation) => {
        // Clocks tick no more, so that there is an end.
        if (cutOff() || (this.drains && operation.on.includes('.clock.') && operation.kind === 'publish'))
          return 'away';
        return this.calm ? 'done' : fate(operation);
      },
      turn: ({ kind, on }) => this.schedule.turn(`${name} ${kind} ${on}`, party),
      slice: (max) => 1 + Math.floor(random() * Math.min(max, 4)),
      restarts: () => this.server.restarts,
    });
  }

  /** What the manifest of a shard includes of a stage. */
  included(shard: string, stage: string): number {
    return includedIn(this.manifests.get(shard))[stage] ?? 0;
  }

  private async work(isDone: () => boolean): Promise<void> {
    for (;;) {
      await settled();
      for (const failure of [this.failure, this.server.failure, this.feeding.failure]) {
        if (failure !== undefined) throw failure;
      }
      const { step } = this.schedule;
      if (!this.calm && (step >= this.job.steps * 3 || (step >= this.job.steps && this.feeding.done)))
        this.becomeCalm();
      if (this.calm && step % LOOKS_EVERY_STEPS === 0 && isDone()) return;
      if (this.calm) this.mustEnd();
      this.injector.step();
      this.schedule.goOn();
    }
  }

  private becomeCalm(): void {
    this.schedule.note(() => '— no more faults —');
    this.calm = true;
    this.injector.mend();
    this.startTheClock();
  }

  private startTheClock(): void {
    [this.calmSinceStep, this.calmSinceMs] = [this.schedule.step, this.schedule.clock.nowMs()];
  }

  private mustEnd(): void {
    const steps = this.schedule.step - this.calmSinceStep;
    const ms = this.schedule.clock.nowMs() - this.calmSinceMs;
    if (steps > CALM_STEPS_MAX || ms > CALM_MS_MAX)
      throw new Error(`no end in ${steps} steps, ${Math.round(ms / 1000)} s: ${hanging(this).join('; ')}`);
  }

  private isSettled(): boolean {
    if (!this.feeding.done) return false;
    this.drains = true;
    return this.injector.done && hanging(this).length === 0;
  }

  /** CLUSTER-WORLD-4: all others leave a node that has nothing but the copies. */
  private async handOverToOne(): Promise<void> {
    const last = new ClusterNode(this, 'last');
    const others = this.nodes.splice(0, this.nodes.length, last);
    this.schedule.note(() => '— a node with an empty disk, and all others leave —');
    this.startTheClock();
    last.start();
    for (const node of others) void node.process?.leave();
    await this.work(() => others.every(({ process }) => process === undefined) && this.isSettled());
    this.look();
    await this.mustBeTidy();
  }

  private look(): void {
    for (const { name, process } of this.nodes) {
      for (let partition = 0; partition < this.job.topology.count(VIEW_STAGE); partition++) {
        const { processor } = process!.host.actor(VIEW_STAGE, partition)!;
        this.views.set(`${name} ${partition}`, { partition, rows: viewOf(processor) });
      }
    }
  }

  private async mustBeTidy(): Promise<void> {
    for (const { name } of this.shards) {
      const { manifest } = await readManifest({ manifests: this.tables.manifests, objects: this.objects }, name);
      const named = new Set(manifest?.parts.map((part) => part.name));
      const stored = await this.objects.names(`${name}/`);
      const garbage = stored.filter((one) => !named.has(one));
      for (const one of named)
        if (!stored.includes(one)) throw new Violation(`the manifest of ${name} names ${one}, which is not there`);
      if (garbage.length > GARBAGE_MAX)
        throw new Violation(`${garbage.length} objects of ${name} stayed behind: ${garbage.join(', ')}`);
    }
  }

  /** CLUSTER-WORLD-1. */
  private watched(table: MemoryKeyValue): MemoryKeyValue {
    const put = table.put.bind(table);
    return Object.assign(table, {
      put: async (shard: string, value: Uint8Array, revision?: number): Promise<number> => {
        const stored = await put(shard, value, revision);
        const [before, after] = [includedIn(this.manifests.get(shard)), JSON.parse(textOf(value)) as Manifest];
        for (const [stage, sequence] of Object.entries(before)) {
          if ((includedIn(after)[stage] ?? 0) < sequence)
            this.failure ??= new Violation(`the manifest of ${shard} fell behind ${sequence} of ${stage}`);
        }
        this.manifests.set(shard, after);
        return stored;
      },
    });
  }

  /** CLUSTER-WORLD-2. */
  private guarded(log: Log): Log {
    const { topology } = this.job;
    return Object.assign(Object.create(log) as Log, {
      purge: (stream: string, subject: string, below: number): Promise<void> => {
        const stage = topology.stages.find(({ id }) => streamOf(id) === stream);
        const partition = subject.startsWith('rivulet.events.') ? 0 : Number(subject.split('.')[2]);
        const shard = this.shards.find((one) => one.partition === partition && one.stages.includes(stage?.id ?? ''));
        if (shard !== undefined && below > this.included(shard.name, stage!.id) + 1)
          this.failure ??= new Violation(
            `${subject} is trimmed below ${below}, but the copy includes ${this.included(shard.name, stage!.id)}`,
          );
        return log.purge(stream, subject, below);
      },
    });
  }
}
