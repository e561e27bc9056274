/** The shards of one thread. */
import type { Actor } from '../actor/actor.js';
import { Deadline } from '../supervision/deadline.js';
import { fatal, hasCode, transient } from '../contract/errors.js';
import { type Child, type SupervisedStatus, Supervisor } from '../supervision/supervisor.js';
import { SHARD_STRATEGY } from '../supervision/strategy.js';
import { type HostOptions, type Restart, Shard } from './shard.js';
import type { ShardSpec } from './shard-spec.js';
import type { ActorStatus } from '../telemetry/status.js';

/** What a node does with shards; resolves when it is so. Shards of one name take turns. */
export interface ShardHost {
  /** Opens the store and looks whether it fits the log, before anything is started: Fatal LOG_BEHIND. */
  check(shard: string): Promise<void>;
  follow(shard: string): Promise<void>;
  own(shard: string): Promise<void>;
  close(shard: string, options: { readonly copy: boolean }): Promise<void>;
}

type Role = 'follow' | 'own';

export class Host implements ShardHost {
  private readonly open = new Map<string, Shard>();
  /** The instances of shards between two lives: a node that serves must not look ready without them. */
  private readonly restarting = new Map<string, readonly ActorStatus[]>();
  private readonly children = new Map<string, Child>();
  /** What a shard is to do, also after a restart. */
  private readonly roles = new Map<string, Role>();
  private readonly supervisor: Supervisor;
  private readonly turns = new Map<string, Promise<void>>();
  /** Shards by stage, then partition: views are looked up once per call. */
  private readonly names = new Map<string, string[]>();

  /** `onEscalated` is called with what no restart of a shard has mended. */
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

  /** A host that owns all of its shards from the start, without leases. Stops what it has started when one cannot be opened. */
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

  /** Ticks end, actors take in no more and write a last snapshot, stores close: what the deadline allows of it. */
  async stop(deadline = new Deadline(Infinity, this.options.clock)): Promise<void> {
    for (const name of [...this.children.keys()]) this.forget(name);
    const all = [...this.open.values()];
    // Also when one of them has a turn that hangs.
    await Promise.all(all.map((hosted) => hosted.close({ copy: false, deadline })));
  }

  /** The running actor of an instance; absent while it restarts, and when it is not here. */
  actor(stage: string, partition: number): Actor | undefined {
    return this.hosted(stage, partition)?.actor(stage);
  }

  /** Some keys of a cell of an instance that are stored; none when it is not here. */
  async storedKeys(stage: string, partition: number, cell: string): Promise<readonly string[]> {
    return this.hosted(stage, partition)?.storedKeys(stage, cell) ?? [];
  }

  /** Of all instances, as of now. */
  get statuses(): ActorStatus[] {
    return this.shards.flatMap(({ name }) => {
      const running = this.open.get(name)?.statuses ?? [];
      return running.length > 0 ? running : (this.restarting.get(name) ?? []);
    });
  }

  /** How its shards are. */
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

  /** What goes wrong when it is opened first is for who asked for it. */
  private supervise(name: string, opened: Shard): void {
    let first: Shard | undefined = opened;
    let restart: Restart = { statuses: opened.statusesOfAll };
    const start = async (signal: AbortSignal): Promise<Shard> => {
      const shard = first ?? (await this.restarted(name, restart, signal));
      first = undefined;
      // It has gone on past the gap: what fails from now on is something else.
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

  /** The next life of a shard: its store is opened anew, and it does what it did. */
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

  /** It is not restarted any more. */
  private forget(name: string): void {
    const child = this.children.get(name);
    if (child !== undefined) this.supervisor.abandon(child);
    this.children.delete(name);
    this.roles.delete(name);
    this.restarting.delete(name);
  }

  private inTurn(shard: string, work: () => Promise<void>): Promise<void> {
    // Whoever has begun the turn before gets its error; this one does not.
    const turn = (this.turns.get(shard) ?? Promise.resolve()).catch(() => undefined).then(work);
    this.turns.set(shard, turn);
    return turn;
  }
}
