/** The shards of one thread. */
import type { Actor } from '../actor/actor.js';
import { Deadline } from '../supervision/deadline.js';
import { fatal, hasCode, transient } from '../contract/errors.js';
import { type Child, type SupervisedStatus, Supervisor } from '../supervision/supervisor.js';
import { SHARD_STRATEGY } from '../supervision/strategy.js';
import { type HostOptions, type Restart, Shard } from './shard.js';
import type { ShardSpec } from './shard-spec.js';
import type { ActorStatus } from '../telemetry/status.js';

/** Operations of a node on shards; each resolves when complete. Operations on one shard are serialized. */
export interface ShardHost {
  /** Opens the store and checks that it fits the log, before anything is started: Fatal LOG_BEHIND. */
  check(shard: string): Promise<void>;
  follow(shard: string): Promise<void>;
  own(shard: string): Promise<void>;
  close(shard: string, options: { readonly copy: boolean }): Promise<void>;
}

type Role = 'follow' | 'own';

export class Host implements ShardHost {
  private readonly open = new Map<string, Shard>();
  /** The instances of shards that restart: a node must not look ready without them. */
  private readonly restarting = new Map<string, readonly ActorStatus[]>();
  private readonly children = new Map<string, Child>();
  /** The role of each shard, also after a restart. */
  private readonly roles = new Map<string, Role>();
  private readonly supervisor: Supervisor;
  private readonly turns = new Map<string, Promise<void>>();
  /** Shards by stage, then partition: a lookup per call must be fast. */
  private readonly names = new Map<string, string[]>();

  /** `onEscalated` is called with errors that no restart of a shard has fixed. */
  constructor(
    private readonly shards: readonly ShardSpec[],
    private readonly options: HostOptions,
    onEscalated: (error: Error) => void,
  ) {
    const { clock, loggerOf } = options;
    this.supervisor = new Supervisor({ clock, logger: loggerOf('host', 0), onEscalated });
    for (const { name, stages, partition } of shards) {
      for (const stage of stages) {
        if (!this.names.has(stage)) this.names.set(stage, []);
        this.names.get(stage)![partition] = name;
      }
    }
  }

  /** A host that owns all of its shards from the start, without leases. If one cannot be opened, it stops those that it has started. */
  static async start(
    shards: readonly ShardSpec[],
    options: HostOptions,
    onEscalated: (error: Error) => void,
  ): Promise<Host> {
    const host = new Host(shards, options, onEscalated);
    try {
      for (const { name } of shards) await host.check(name);
      for (const { name } of shards) await host.own(name);
    } catch (error) {
      await host.stop();
      throw error;
    }
    return host;
  }

  check(shard: string): Promise<void> {
    return this.inTurn(shard, async () => (await this.opened(shard)).check());
  }

  follow(shard: string): Promise<void> {
    return this.become(shard, 'follow');
  }

  own(shard: string): Promise<void> {
    return this.become(shard, 'own');
  }

  close(shard: string, options: { readonly copy: boolean; readonly deadline?: Deadline }): Promise<void> {
    return this.inTurn(shard, async () => {
      const { copy, deadline = new Deadline(Infinity, this.options.clock) } = options;
      this.forget(shard);
      await this.open.get(shard)?.close({ copy, deadline });
      this.open.delete(shard);
      if (options.deadline === undefined && deadline.unfinished.length > 0) {
        throw transient('SHARD_UNFINISHED', deadline.unfinished.join('; '));
      }
    });
  }

  /** Ticks end, actors write a last snapshot, stores close, as far as the deadline allows. */
  async stop(deadline = new Deadline(Infinity, this.options.clock)): Promise<void> {
    for (const name of [...this.children.keys()]) this.forget(name);
    const all = [...this.open.values()];
    // Also if an operation on one of them hangs.
    await Promise.all(all.map((hosted) => hosted.close({ copy: false, deadline })));
  }

  /** The running actor of an instance; absent while it restarts, and if it is not on this node. */
  actor(stage: string, partition: number): Actor | undefined {
    return this.hosted(stage, partition)?.actor(stage);
  }

  /** Some stored keys of an instance's state; empty if it is not on this node. */
  async storedKeys(stage: string, partition: number, cell: string): Promise<readonly string[]> {
    return this.hosted(stage, partition)?.storedKeys(stage, cell) ?? [];
  }

  /** Of all instances, current values. */
  get statuses(): ActorStatus[] {
    return this.shards.flatMap(({ name }) => {
      const running = this.open.get(name)?.statuses ?? [];
      return running.length > 0 ? running : (this.restarting.get(name) ?? []);
    });
  }

  /** The status of its shards. */
  get shardStatuses(): readonly SupervisedStatus[] {
    return this.supervisor.statuses;
  }

  private become(shard: string, role: Role): Promise<void> {
    return this.inTurn(shard, async () => {
      this.roles.set(shard, role);
      await (await this.opened(shard))[role]();
    });
  }

  private hosted(stage: string, partition: number): Shard | undefined {
    const name = this.names.get(stage)?.[partition];
    return name === undefined ? undefined : this.open.get(name);
  }

  private async opened(name: string): Promise<Shard> {
    const open = this.open.get(name);
    if (open !== undefined) return open;
    const shard = await Shard.open(this.specOf(name), this.options);
    this.open.set(name, shard);
    if (!this.children.has(name)) this.supervise(name, shard);
    return shard;
  }

  private specOf(name: string): ShardSpec {
    const shard = this.shards.find((one) => one.name === name);
    if (shard === undefined) throw fatal('TOPOLOGY_SHARD', `no shard ${name} in this topology`);
    return shard;
  }

  /** An error of the first opening goes to the caller. */
  private supervise(name: string, opened: Shard): void {
    let first: Shard | undefined = opened;
    let restart: Restart = { statuses: opened.statusesOfAll };
    const start = async (signal: AbortSignal): Promise<Shard> => {
      const shard = first ?? (await this.restarted(name, restart, signal));
      first = undefined;
      // It has passed the gap: a later failure has another cause.
      restart = { statuses: opened.statusesOfAll };
      return shard;
    };
    const mend = (error: Error): Promise<'gone' | undefined> => {
      const isGap = this.options.replication !== undefined && hasCode(error, 'LOG_GAP') && error !== restart.gap?.error;
      if (isGap) restart = { ...restart, gap: { error, sequences: undefined } };
      return Promise.resolve(isGap ? 'gone' : undefined);
    };
    this.children.set(name, this.supervisor.start({ level: 'shard', name, strategy: SHARD_STRATEGY, start, mend }));
  }

  /** Restarts a shard: reopens its store and resumes its role. */
  private restarted(name: string, restart: Restart, signal: AbortSignal): Promise<Shard> {
    let opened: Shard | undefined;
    return this.inTurn(name, async () => {
      const failed = this.open.get(name);
      if (failed !== undefined) this.restarting.set(name, failed.statuses);
      await failed?.stop();
      this.open.delete(name);
      signal.throwIfAborted();
      opened = await Shard.open(this.specOf(name), this.options, restart);
      this.open.set(name, opened);
      const role = this.roles.get(name);
      if (role !== undefined) await opened[role]();
      this.restarting.delete(name);
    }).then(() => opened!);
  }

  /** Ends its supervision: no more restarts. */
  private forget(name: string): void {
    const child = this.children.get(name);
    if (child !== undefined) this.supervisor.abandon(child);
    this.children.delete(name);
    this.roles.delete(name);
    this.restarting.delete(name);
  }

  private inTurn(shard: string, work: () => Promise<void>): Promise<void> {
    // The caller of the previous operation gets its error; this one does not.
    const turn = (this.turns.get(shard) ?? Promise.resolve()).catch(() => undefined).then(work);
    this.turns.set(shard, turn);
    return turn;
  }
}
