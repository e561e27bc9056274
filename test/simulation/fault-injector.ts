/** What happens to a world at each step: faults by their rates, repairs, copies of snapshots. */
import { RivuletError } from '../../runtime/contract/errors.js';
import type { Store } from '../../runtime/contract/ports.js';
import { preflight } from '../../runtime/log-integrity/preflight.js';
import { MemoryStore, type StoreContents } from '../../state/memory-store.js';
import { cutLife, type Life, SimulatedUnit } from './shard.js';
import { Refused, type World } from './world.js';

const ZOMBIES_MAX = 4;
const SLEEP_STEPS_MAX = 400;
const COPIED = 0.04;
const SYNCED = 0.02;
const JUMP_MAX_MS = 2 * 3_600_000;
/** What an instance may end with when the log is not what it was. */
const REFUSALS = new Set(['LOG_BEHIND', 'LOG_GAP']);

export class FaultInjector {
  /** A lie is told once, somewhere in the first part of the run. */
  private readonly lieAtStep: number;
  private lied = false;

  constructor(private readonly world: World) {
    this.lieAtStep = Math.floor(world.job.steps * (0.1 + 0.8 * world.schedule.random()));
  }

  /** No repair is under way that would start something new. */
  get done(): boolean {
    return this.world.lives.every(({ failure }) => failure === undefined);
  }

  get liesLater(): boolean {
    return this.world.faults.lie !== undefined && !this.lied;
  }

  async step(): Promise<void> {
    const { world } = this;
    const { schedule } = world;
    this.revive();
    if (schedule.chance(COPIED)) this.copy(schedule.pick(world.units));
    if (world.calm) return;
    if (schedule.chance(SYNCED)) world.server.sync();
    if (schedule.step === this.lieAtStep) await this.lie();
    const { step } = world.faults;
    if (schedule.chance(step.instanceCrash)) this.crashInstance();
    if (schedule.chance(step.nodeCrash)) this.crashNode();
    if (schedule.chance(step.takeover)) this.takeOver(schedule.pick(world.units));
    if (schedule.chance(step.serverRestart)) this.restartServer();
    if (schedule.chance(step.clockJump)) this.jump();
  }

  private readonly arrives = (): boolean => this.world.schedule.chance(0.5);

  private crashInstance(): void {
    const { world } = this;
    world.count('instanceCrash');
    if (world.sink?.running === true && world.schedule.chance(0.1)) {
      world.sink.crash();
      return;
    }
    const unit = world.schedule.pick(world.units);
    const life = world.schedule.pick([...unit.lives.values()]);
    world.schedule.note(() => `${life.name} dies`);
    cutLife(life, this.arrives);
    world.startInstance(unit, life.stage);
  }

  private crashNode(): void {
    const { world } = this;
    world.count('nodeCrash');
    const node = world.schedule.pick(world.nodes);
    world.schedule.note(() => `${node.name} dies`);
    const units = world.units.filter((unit) => unit.node === node);
    for (const unit of units) unit.cut(this.arrives);
    for (const unit of units) world.startUnit(unit);
  }

  /** The unit gets another owner; the former one lives on, on a disk of its own, and may sleep first. */
  private takeOver(unit: SimulatedUnit): void {
    const { world } = this;
    const { schedule } = world;
    world.count('takeover');
    const contents = this.contentsFor(unit);
    const owner = new SimulatedUnit(
      unit.unit,
      schedule.pick(world.nodes),
      new MemoryStore(contents),
      unit.generation + 1,
    );
    schedule.note(() => `${unit.name} is taken over, with ${contents.size} keys`);
    world.units[world.units.indexOf(unit)] = owner;
    world.zombies.push(unit);
    if (schedule.chance(0.6)) unit.sleepUntil(schedule.step + schedule.below(SLEEP_STEPS_MAX));
    if (world.zombies.length > ZOMBIES_MAX) world.zombies.shift()!.cut(this.arrives);
    world.startUnit(owner);
  }

  private contentsFor({ unit, disk }: SimulatedUnit): StoreContents {
    const { world } = this;
    const copy = world.copies.get(unit.name);
    if (!world.schedule.chance(world.faults.fromCopy)) return disk.contents();
    world.count('fromCopy');
    return copy ?? new Map();
  }

  /** The copy of a unit's snapshots, as the present owner makes it; what it needs no longer of its own notes for that goes. */
  private copy({ unit, disk }: SimulatedUnit): void {
    const { world } = this;
    if (world.faults.step.takeover === 0) return;
    const notes = [...disk.contents().keys()].filter((key) => key.includes('/$changed/'));
    void disk.write(notes.map((key) => ({ key, value: undefined })));
    world.copies.set(unit.name, disk.contents());
  }

  private restartServer(): void {
    this.world.count('serverRestart');
    this.world.schedule.note(() => 'the log server restarts');
    this.world.server.restart();
  }

  private jump(): void {
    const { schedule, nodes, server, job } = this.world;
    this.world.count('clockJump');
    // An interval is as long as the log's clock says: where that goes back by an hour, it takes an hour more.
    const target = schedule.pick(job.ticksOnMs === undefined ? [...nodes, server] : nodes);
    target.offsetMs = (schedule.random() * 2 - 1) * JUMP_MAX_MS;
    schedule.note(() => `a clock jumps to ${target.offsetMs} ms`);
  }

  private async lie(): Promise<void> {
    const { world } = this;
    const { server, faults } = world;
    if (faults.lie === undefined) return;
    this.lied = true;
    world.count(faults.lie);
    world.schedule.note(() => `all go down: ${faults.lie!}`);
    for (const unit of [...world.units, ...world.zombies.splice(0)]) unit.cut(() => false);
    world.sink?.cut();
    if (faults.lie === 'powerLoss') server.losePower();
    else if (faults.lie === 'rollback') server.rollBack();
    else await server.deleteOne();
    await this.preflight();
    world.startAll();
    world.feeding.begin();
  }

  /** As a node does before it starts anything. */
  private async preflight(): Promise<void> {
    const { units, job, server, options } = this.world;
    const log = options.wrapLog?.(server.log) ?? server.log;
    const disks = new Map(units.map(({ unit, disk }) => [unit.name, disk]));
    const openStore = (name: string): Promise<Store> => {
      const disk = new MemoryStore(disks.get(name)!.contents());
      return Promise.resolve(options.wrapStore?.(disk, () => Promise.resolve()) ?? disk);
    };
    try {
      await preflight({ topology: job.topology, units: units.map(({ unit }) => unit), log, openStore });
      await this.world.sink?.check(log);
    } catch (error) {
      this.onFailure(error as Error);
    }
  }

  /** What ended by itself is started again, as an orchestrator would; what refuses the log may do so only when that has lied. */
  private revive(): void {
    const { world } = this;
    if (world.sink?.failure !== undefined) this.onSinkFailure(world.sink.failure);
    if (this.done && world.zombies.length === 0) return;
    for (const unit of world.units) {
      for (const life of unit.lives.values()) {
        if (life.failure === undefined) continue;
        if (!this.isStateWrite(life)) this.onFailure(life.failure);
        cutLife(life, () => false);
        world.startInstance(unit, life.stage);
      }
    }
    for (const zombie of [...world.zombies]) {
      const failure = [...zombie.lives.values()].find((life) => life.failure !== undefined)?.failure;
      if (failure === undefined) continue;
      // One that was replaced may find the log trimmed behind another's snapshot.
      const isRefusal =
        failure instanceof RivuletError && (REFUSALS.has(failure.code) || failure.code === 'STATE_WRITE');
      if (!isRefusal) throw failure;
      zombie.cut(() => false);
      world.zombies.splice(world.zombies.indexOf(zombie), 1);
    }
  }

  private isStateWrite({ failure }: Life): boolean {
    return failure instanceof RivuletError && failure.code === 'STATE_WRITE';
  }

  private onFailure(failure: Error): never {
    if (this.lied && failure instanceof RivuletError && REFUSALS.has(failure.code)) throw new Refused(failure);
    throw failure;
  }

  private onSinkFailure(failure: Error): void {
    if (!(failure instanceof RivuletError) || failure.reaction !== 'transient') this.onFailure(failure);
    this.world.sink!.restart();
  }
}
