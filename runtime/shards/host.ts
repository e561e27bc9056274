/** The shards of one thread. */
import type { Actor } from '../actor/actor.js';
import { Deadline } from '../supervision/deadline.js';
import { fatal, transient } from '../contract/errors.js';
import { type HostOptions, Shard } from './shard.js';
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

export class Host implements ShardHost {
  private readonly open = new Map<string, Shard>();
  private readonly turns = new Map<string, Promise<void>>();
  /** Shards by stage, then partition: views are looked up once per call. */
  private readonly names = new Map<string, string[]>();

  /** `onFatal` hears what escalates. */
  constructor(
    private readonly shards: readonly ShardSpec[],
    private readonly options: HostOptions,
    private readonly onFatal: (error: Error) => void,
  ) {
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
    onFatal: (error: Error) => void,
  ): Promise<Host> {
    const host = new Host(shards, options, onFatal);
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
    return this.inTurn(shard, async () => (await this.opened(shard)).follow());
  }

  own(shard: string): Promise<void> {
    return this.inTurn(shard, async () => (await this.opened(shard)).own());
  }

  close(shard: string, options: { readonly copy: boolean; readonly deadline?: Deadline }): Promise<void> {
    return this.inTurn(shard, async () => {
      const { copy, deadline = new Deadline(Infinity, this.options.clock) } = options;
      await this.open.get(shard)?.close({ copy, deadline });
      this.open.delete(shard);
      if (options.deadline === undefined && deadline.unfinished.length > 0) {
        throw transient('SHARD_UNFINISHED', deadline.unfinished.join('; '));
      }
    });
  }

  /** Ticks end, actors take in no more and write a last snapshot, stores close: what the deadline allows of it. */
  async stop(deadline = new Deadline(Infinity, this.options.clock)): Promise<void> {
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
    return [...this.open.values()].flatMap(({ statuses }) => statuses);
  }

  private hosted(stage: string, partition: number): Shard | undefined {
    const name = this.names.get(stage)?.[partition];
    return name === undefined ? undefined : this.open.get(name);
  }

  private async opened(name: string): Promise<Shard> {
    let hosted = this.open.get(name);
    if (hosted === undefined) {
      const shard = this.shards.find((one) => one.name === name);
      if (shard === undefined) throw fatal('TOPOLOGY_SHARD', `no shard ${name} in this topology`);
      hosted = await Shard.open(shard, this.options, this.onFatal);
      this.open.set(name, hosted);
    }
    return hosted;
  }

  private inTurn(shard: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.turns.get(shard) ?? Promise.resolve()).catch(() => undefined).then(work);
    this.turns.set(shard, turn);
    return turn;
  }
}
