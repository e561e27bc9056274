/** What happens to a world at each step: faults by their rates, repairs, copies of snapshots. */
import { RivuletError } from '../../runtime/contract/errors.js';
import type { Store } from '../../runtime/contract/ports.js';
import { preflight } from '../../runtime/log-integrity/preflight.js';
import { MemoryStore, type StoreContents } from '../../state/memory-store.js';
import { carryOut, caughtUp, plansOf } from './repairs.js';
import { cutLife, type Life, SimulatedShard } from './shard.js';
import { Refused, type World } from './world.js';
import { isRefusal, Violation } from './violation.js';

const ZOMBIES_MAX = 4;
const SLEEP_STEPS_MAX = 400;
const COPIED = 0.04;
const SYNCED = 0.02;
const JUMP_MAX_MS = 2 * 3_600_000;

export class FaultInjector {
  /** A lie is told once, somewhere in the first part of the run. */
  private readonly lieAtStep: number;
  private lied = false;
  private repaired = false;
  /** The log has lied under nodes that have run on since. */
  private ranOn = false;
  /** Disks and copies as they were when the log was synced last. */
  private earlier:
    | { readonly copies: ReadonlyMap<string, StoreContents>; readonly disks: ReadonlyMap<string, StoreContents> }
    | undefined;

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

  /** What went under nodes that run on shows when its writer speaks next, or somebody opens its lines: writers that rest do neither. */
  get mayBeUnnoticed(): boolean {
    return this.ranOn && this.world.server.hasSilent;
  }

  /** All nodes stop and start: what nobody has noticed is now. */
  async startAnew(): Promise<void> {
    this.world.schedule.note(() => 'all go down, and start again');
    this.stopAll();
    await this.startAgain();
  }

  async step(): Promise<void> {
    const { world } = this;
    const { schedule } = world;
    await this.revive();
    if (schedule.chance(COPIED)) this.copy(schedule.pick(world.shards));
    if (world.calm) return;
    if (schedule.chance(SYNCED)) this.sync();
    if (schedule.step === this.lieAtStep) await this.lie();
    const { step } = world.faults;
    if (schedule.chance(step.instanceCrash)) this.crashInstance();
    if (schedule.chance(step.nodeCrash)) this.crashNode();
    if (schedule.chance(step.takeover)) this.takeOver(schedule.pick(world.shards));
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
    const shard = world.schedule.pick(world.shards);
    const life = world.schedule.pick([...shard.lives.values()]);
    world.schedule.note(() => `${life.name} dies`);
    cutLife(life, this.arrives);
    world.startInstance(shard, life.stage);
  }

  private crashNode(): void {
    const { world } = this;
    world.count('nodeCrash');
    const node = world.schedule.pick(world.nodes);
    world.schedule.note(() => `${node.name} dies`);
    const shards = world.shards.filter((shard) => shard.node === node);
    for (const shard of shards) shard.cut(this.arrives);
    for (const shard of shards) world.startShard(shard);
  }

  /** The shard gets another owner; the former one lives on, on a disk of its own, and may sleep first. */
  private takeOver(shard: SimulatedShard): void {
    const { world } = this;
    const { schedule } = world;
    world.count('takeover');
    const contents = this.contentsFor(shard);
    const owner = new SimulatedShard(
      shard.shard,
      schedule.pick(world.nodes),
      new MemoryStore(contents),
      shard.generation + 1,
    );
    schedule.note(() => `${shard.name} is taken over, with ${contents.size} keys`);
    world.shards[world.shards.indexOf(shard)] = owner;
    world.zombies.push(shard);
    if (schedule.chance(0.6)) shard.sleepUntil(schedule.step + schedule.below(SLEEP_STEPS_MAX));
    if (world.zombies.length > ZOMBIES_MAX) world.zombies.shift()!.cut(this.arrives);
    world.startShard(owner);
  }

  private contentsFor({ shard, disk }: SimulatedShard): StoreContents {
    const { world } = this;
    const copy = world.copies.get(shard.name);
    if (!world.schedule.chance(world.faults.fromCopy)) return disk.contents();
    world.count('fromCopy');
    return copy ?? new Map();
  }

  /** The copy of a shard's snapshots, as the present owner makes it; what it needs no longer of its own notes for that goes. */
  private copy({ shard, disk }: SimulatedShard): void {
    const { world } = this;
    if (world.faults.step.takeover === 0 || world.faults.untrimmed) return;
    const notes = [...disk.contents().keys()].filter((key) => key.includes('/$changed/'));
    void disk.write(notes.map((key) => ({ key, value: undefined })));
    world.copies.set(shard.name, disk.contents());
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

  private sync(): void {
    const { server, copies, shards } = this.world;
    server.sync();
    this.earlier = {
      copies: new Map(copies),
      disks: new Map(shards.map(({ shard, disk }) => [shard.name, disk.contents()])),
    };
  }

  private async lie(): Promise<void> {
    const { world } = this;
    const { server, faults, schedule } = world;
    const { lie } = faults;
    if (lie === undefined) return;
    this.lied = true;
    world.count(lie);
    // What happens to the log alone may happen under nodes that run on.
    const isUnderLife = ['rollback', 'earlier', 'purge', 'shortened', 'loss'].includes(lie) && schedule.chance(0.3);
    schedule.note(() => (isUnderLife ? lie : `all go down: ${lie}`));
    if (!isUnderLife) this.stopAll();
    if (lie === 'powerLoss') server.losePower();
    else if (lie === 'rollback') server.rollBack(isUnderLife);
    else if (lie === 'deletion') await server.deleteOne();
    else if (lie === 'earlier') this.putBack();
    else if (lie === 'purge') server.purge();
    else if (lie === 'shortened') server.shorten();
    else if (lie === 'loss') server.loseOne();
    else this.changeDisk(lie);
    this.ranOn = isUnderLife;
    if (isUnderLife) world.feeding.begin();
    else await this.startAgain();
  }

  private stopAll(): void {
    const { world } = this;
    this.ranOn = false;
    for (const shard of [...world.shards, ...world.zombies.splice(0)]) shard.cut(() => false);
    world.sink?.cut();
  }

  private async startAgain(): Promise<void> {
    try {
      await this.preflight();
    } catch (error) {
      await this.onFailure(error as Error);
      return;
    }
    this.world.server.forgetLostClaims();
    this.world.startAll();
    this.world.feeding.begin();
  }

  private putBack(): void {
    const { world, earlier } = this;
    if (earlier === undefined) return;
    world.server.putBack();
    world.copies.clear();
    for (const [name, contents] of earlier.copies) world.copies.set(name, contents);
  }

  /** Of a shard that is stopped. What it needs from its copy it takes, as a node that starts does. */
  private changeDisk(lie: 'diskLost' | 'diskEarlier'): void {
    const { shards, schedule, copies } = this.world;
    const at = schedule.below(shards.length);
    const { shard, node, generation } = shards[at]!;
    const contents =
      (lie === 'diskEarlier' ? this.earlier?.disks.get(shard.name) : undefined) ?? new Map<string, Uint8Array>();
    schedule.note(() => `the disk of ${shard.name} has ${contents.size} keys`);
    shards[at] = new SimulatedShard(
      shard,
      node,
      new MemoryStore(caughtUp(copies.get(shard.name), shard, contents)),
      generation + 1,
    );
  }

  /** As a node does before it starts anything. */
  private async preflight(): Promise<void> {
    const { shards, job, server, options } = this.world;
    const log = options.wrapLog?.(server.log) ?? server.log;
    const disks = new Map(shards.map(({ shard, disk }) => [shard.name, disk]));
    const openStore = (name: string): Promise<Store> => {
      const disk = new MemoryStore(disks.get(name)!.contents());
      return Promise.resolve(options.wrapStore?.(disk, () => Promise.resolve()) ?? disk);
    };
    await preflight({ topology: job.topology, shards: shards.map(({ shard }) => shard), log, openStore });
    await this.world.sink?.check(log).catch((error: unknown) => {
      this.onSinkFailure(error as Error);
    });
  }

  /** What ended by itself is started again, as an orchestrator would; what refuses the log may do so only when that has lied. */
  private async revive(): Promise<void> {
    const { world } = this;
    if (world.sink?.failure !== undefined) this.onSinkFailure(world.sink.failure);
    if (this.done && world.zombies.length === 0) return;
    for (const shard of world.shards) {
      for (const life of shard.lives.values()) {
        if (life.failure === undefined) continue;
        if (!this.isStateWrite(life)) {
          await this.onFailure(life.failure);
          return;
        }
        cutLife(life, () => false);
        world.startInstance(shard, life.stage);
      }
    }
    for (const zombie of [...world.zombies]) {
      const failure = [...zombie.lives.values()].find((life) => life.failure !== undefined)?.failure;
      if (failure === undefined) continue;
      // One that was replaced may find the log trimmed behind another's snapshot.
      if (!isRefusal(failure) && !(failure instanceof RivuletError && failure.code === 'STATE_WRITE')) throw failure;
      zombie.cut(() => false);
      world.zombies.splice(world.zombies.indexOf(zombie), 1);
    }
  }

  private isStateWrite({ failure }: Life): boolean {
    return failure instanceof RivuletError && failure.code === 'STATE_WRITE';
  }

  /** What is refused because the log has lied is repaired, once; what cannot be ends the run. */
  private async onFailure(failure: Error): Promise<void> {
    const { world } = this;
    if (!isRefusal(failure) || !this.lied) throw failure;
    if (this.repaired) throw new Violation(`refused after a repair: ${failure.message}`, { cause: failure });
    world.schedule.note(() => `refused: ${failure.message}`);
    this.stopAll();
    // Who repairs finds everything at rest: what was under way has arrived by now, or never does.
    world.server.restart();
    const plans = await plansOf(world);
    for (const { store, remedy, problems } of plans) {
      if (remedy !== 'nothing') world.schedule.note(() => `${store}: ${remedy} (${problems.join('; ')})`);
    }
    if (plans.some(({ remedy }) => remedy === 'lost')) throw new Refused(failure);
    this.repaired = true;
    world.count('repair');
    await carryOut(world, plans);
    await this.startAgain();
  }

  private onSinkFailure(failure: Error): void {
    // What a sink has written cannot be taken back: there is no repair.
    if (isRefusal(failure) && this.lied) throw new Refused(failure);
    if (!(failure instanceof RivuletError) || failure.reaction !== 'transient') throw failure;
    this.world.sink!.restart();
  }
}
