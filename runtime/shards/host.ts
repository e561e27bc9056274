/** The units of one thread. */
import type { Actor } from '../actor/actor.js';
import { Deadline } from '../supervision/deadline.js';
import { fatal, transient } from '../contract/errors.js';
import type { HostOptions, Unit } from '../host-options.js';
import { HostedUnit } from './shard.js';
import type { ActorStatus } from '../telemetry/status.js';

export type { HostOptions, Unit } from '../host-options.js';

/** What a node does with units; resolves when it is so. Units of one name take turns. */
export interface UnitHost {
  /** Opens the store and looks whether it fits the log, before anything is started: Fatal LOG_BEHIND. */
  check(unit: string): Promise<void>;
  follow(unit: string): Promise<void>;
  own(unit: string): Promise<void>;
  close(unit: string, options: { readonly copy: boolean }): Promise<void>;
}

export class Host implements UnitHost {
  private readonly open = new Map<string, HostedUnit>();
  private readonly turns = new Map<string, Promise<void>>();
  /** Units by stage, then partition: views are looked up once per call. */
  private readonly names = new Map<string, string[]>();

  /** `onFatal` hears what escalates. */
  constructor(
    private readonly units: readonly Unit[],
    private readonly options: HostOptions,
    private readonly onFatal: (error: Error) => void,
  ) {
    for (const { name, stages, partition } of units) {
      for (const stage of stages) {
        if (!this.names.has(stage)) this.names.set(stage, []);
        this.names.get(stage)![partition] = name;
      }
    }
  }

  /** A host that owns all of its units from the start, without leases. Stops what it has started when one cannot be opened. */
  static async start(units: readonly Unit[], options: HostOptions, onFatal: (error: Error) => void): Promise<Host> {
    const host = new Host(units, options, onFatal);
    try {
      for (const { name } of units) await host.check(name);
      for (const { name } of units) await host.own(name);
    } catch (error) {
      await host.stop();
      throw error;
    }
    return host;
  }

  check(unit: string): Promise<void> {
    return this.inTurn(unit, async () => (await this.opened(unit)).check());
  }

  follow(unit: string): Promise<void> {
    return this.inTurn(unit, async () => (await this.opened(unit)).follow());
  }

  own(unit: string): Promise<void> {
    return this.inTurn(unit, async () => (await this.opened(unit)).own());
  }

  close(unit: string, options: { readonly copy: boolean; readonly deadline?: Deadline }): Promise<void> {
    return this.inTurn(unit, async () => {
      const { copy, deadline = new Deadline(Infinity, this.options.clock) } = options;
      await this.open.get(unit)?.close({ copy, deadline });
      this.open.delete(unit);
      if (options.deadline === undefined && deadline.unfinished.length > 0) {
        throw transient('UNIT_UNFINISHED', deadline.unfinished.join('; '));
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

  private hosted(stage: string, partition: number): HostedUnit | undefined {
    const name = this.names.get(stage)?.[partition];
    return name === undefined ? undefined : this.open.get(name);
  }

  private async opened(name: string): Promise<HostedUnit> {
    let hosted = this.open.get(name);
    if (hosted === undefined) {
      const unit = this.units.find((one) => one.name === name);
      if (unit === undefined) throw fatal('TOPOLOGY_UNIT', `no unit ${name} in this topology`);
      hosted = await HostedUnit.open(unit, this.options, this.onFatal);
      this.open.set(name, hosted);
    }
    return hosted;
  }

  private inTurn(unit: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.turns.get(unit) ?? Promise.resolve()).catch(() => undefined).then(work);
    this.turns.set(unit, turn);
    return turn;
  }
}
