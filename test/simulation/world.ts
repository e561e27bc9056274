/**
 * A whole topology of real actors on machines that lie: operations go in an order drawn from a seed, acks and requests get lost, writes fail,
 * instances, nodes and the log server die, owners that were replaced live on, snapshots are restored from old copies, clocks jump. A seed
 * replays exactly.
 *
 * A node groups shards; a shard has a disk and runs instances, each with its own supervisor and connection. Log and time are shared.
 */
import type { ActorTuning } from '../../runtime/actor/options.js';
import { seededRandom } from '../../actors/maths/random.js';
import { CLOCK, destinationsOf, streamOf, subjectOf } from '../../runtime/contract/graph.js';
import type { Log, Store } from '../../runtime/contract/ports.js';
import { filtersOf } from '../../runtime/contract/streams.js';
import { shardsOf } from '../../runtime/node/shards.js';
import type { RivuletError } from '../../runtime/contract/errors.js';
import { MemoryStore, type StoreContents } from '../../state/memory-store.js';
import { drawn, FailingLog, type LogFaults } from '../support/failing-log.js';
import { matches } from '../support/memory-log.js';
import { settled } from '../runtime/virtual-clock.js';
import { Feeding } from './feeding.js';
import { FaultInjector } from './fault-injector.js';
import { drawnFaults, type Faults, type Lie, NO_FAULTS } from './faults.js';
import type { Job } from './job.js';
import { startLife } from './life.js';
import { LogServer } from './log-server.js';
import { type Party, Schedule } from './schedule.js';
import { SimulatedSink } from './simulated-sink.js';
import { type Life, type SimulatedNode, SimulatedShard, sequenceIn } from './shard.js';
import { Violation } from './violation.js';

export interface WorldOptions {
  readonly seed: number;
  /** Absent: drawn from the seed. */
  readonly faults?: Faults;
  /** What the log lies about, or nothing. Absent: drawn. */
  readonly lie?: Lie | 'none';
  readonly tuning?: Partial<ActorTuning>;
  /** Mailboxes hold this many bytes. Absent: drawn. */
  readonly mailboxBytesMax?: number;
  /** What is put between each instance and the log, or its disk, to break a rule on purpose. */
  readonly wrapLog?: (log: Log) => Log;
  readonly wrapStore?: (store: Store, pause: () => Promise<void>) => Store;
  /** The copy's sequence as owners are told, to break a rule on purpose. */
  readonly wrapCopied?: (copied: () => number) => () => number;
  readonly trace?: (line: string) => void;
}

/** The log does not fit the state: what a lying log must end in, where it cannot end in equal rows. */
export class Refused extends Error {
  constructor(readonly reason: RivuletError) {
    super(`refused: ${reason.code}: ${reason.message}`, { cause: reason });
  }
}

/** Far more than any sound run takes after its faults. */
const CALM_STEPS_MAX = 40_000;
const CALM_MS_MAX = 20 * 60_000;
const NODES_MAX = 3;
const LOOKS_EVERY_STEPS = 64;
const TIGHT_BYTES = 48 * 1024;
/** Sent to one destination at most beyond the knob: parts of the answer that went past it. */
const PARTS_BEYOND = 24;

export class World {
  readonly schedule: Schedule;
  readonly server: LogServer;
  readonly faults: Faults;
  readonly nodes: SimulatedNode[];
  readonly counts = new Map<string, number>();
  calm = false;
  /** All is fed and no fault is to come: clocks tick no more, so that there is an end. */
  drains = false;
  readonly shards: SimulatedShard[] = [];
  readonly zombies: SimulatedShard[] = [];
  /** The copy of each shard's snapshots, where takeovers can happen: trimming waits for it. */
  readonly copies = new Map<string, StoreContents>();
  readonly sink: SimulatedSink | undefined;
  readonly feeding: Feeding;
  private readonly injector: FaultInjector;
  private living: Life[] | undefined;
  private calmSinceStep = 0;
  private calmSinceMs = 0;
  /** When all inputs were stored, by calm, by the log's clock. */
  private fedAtMs: number | undefined;

  private constructor(
    readonly job: Job,
    readonly options: WorldOptions,
  ) {
    const random = seededRandom(options.seed);
    this.schedule = new Schedule(random, options.trace);
    this.faults = options.faults ?? drawnFaults(random, options.lie);
    this.nodes = Array.from({ length: 1 + this.schedule.below(NODES_MAX) }, (_, i) => ({
      ...{ name: `node-${i}`, offsetMs: 0 },
    }));
    const tight = this.schedule.chance(0.3) ? TIGHT_BYTES : 1e9;
    this.server = new LogServer(job.topology, this.schedule, options.mailboxBytesMax ?? tight);
    this.feeding = new Feeding(this);
    this.injector = new FaultInjector(this);
    if (job.sinkTopics.length > 0) this.sink = new SimulatedSink(this);
  }

  /** Runs everything to its end; throws when it does not get there, `Refused` when the runtime says that the log lies. */
  static async run(job: Job, options: WorldOptions): Promise<World> {
    const world = new World(job, options);
    await world.server.ensureStreams();
    const { pipeline, view } = shardsOf(job.topology);
    for (const shard of [...pipeline, ...view]) {
      const node = world.schedule.pick(world.nodes);
      world.shards.push(new SimulatedShard(shard, node, new MemoryStore(), 0));
    }
    world.startAll();
    world.feeding.begin();
    await world.work();
    return world;
  }

  /** No faults at all: the reference run. */
  static faultless(job: Job, options: Partial<WorldOptions> = {}): Promise<World> {
    return World.run(job, { seed: 0, faults: NO_FAULTS, mailboxBytesMax: 1e9, ...options });
  }

  /** Of the present owners. */
  get lives(): readonly Life[] {
    return (this.living ??= this.shards.flatMap(({ lives }) => [...lives.values()]));
  }

  count(fault: string): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
  }

  startAll(): void {
    [this.drains, this.fedAtMs] = [false, undefined];
    for (const shard of this.shards) this.startShard(shard);
    this.sink?.start();
  }

  startShard(shard: SimulatedShard): void {
    for (const id of shard.shard.stages) this.startInstance(shard, id);
  }

  startInstance(shard: SimulatedShard, id: string): void {
    shard.lives.set(id, startLife(this, shard, id));
    this.living = undefined;
  }

  /** The sequence that the copy includes; absent where no copies are made. */
  copiedOf({ shard }: SimulatedShard, id: string): (() => number) | undefined {
    if (this.faults.untrimmed) return () => 0;
    if (this.faults.step.takeover === 0) return undefined;
    const copied = (): number => sequenceIn(this.copies.get(shard.name) ?? new Map(), id, shard.partition);
    return this.options.wrapCopied?.(copied) ?? copied;
  }

  connection(name: string, party?: Party, log: Log = this.server.log): FailingLog {
    const { random } = this.schedule;
    const fate = drawn(random, this.faults.operation);
    const faults: LogFaults = {
      fate: (operation) => (this.calm ? 'done' : fate(operation)),
      turn: ({ kind, on }) => this.schedule.turn(`${name} ${kind} ${on}`, party),
      slice: (max) => 1 + Math.floor(random() * Math.min(max, 4)),
      restarts: () => this.server.restarts,
    };
    return new FailingLog(log, faults);
  }

  /** Every instance has opened its mailbox. */
  get isOpen(): boolean {
    return this.lives.every(({ status }) => status.state === 'running');
  }

  private async work(): Promise<void> {
    for (;;) {
      await settled();
      this.mustBeSound();
      if (!this.calm && (this.schedule.step >= this.job.steps || this.isEarly())) this.becomeCalm();
      if (this.calm && this.rests()) {
        if (this.injector.mayBeUnnoticed && !(await this.isRight())) await this.injector.startAnew();
        else if (this.isDone()) return;
      }
      if (this.calm) this.mustEnd();
      await this.injector.step();
      this.schedule.goOn();
    }
  }

  private mustBeSound(): void {
    if (this.server.failure !== undefined) throw this.server.failure;
    if (this.feeding.failure !== undefined) throw this.feeding.failure;
    for (const { name, stage, status } of this.lives) {
      const lines = destinationsOf(this.job.topology, stage, status.partition).length;
      const bound = lines * ((this.options.tuning?.inFlightMessages ?? 3) + PARTS_BEYOND);
      if (status.unacknowledged > bound)
        throw new Violation(`${name} holds ${status.unacknowledged} unacknowledged answers`);
    }
  }

  /** Nothing is left to do, and no lie is to come: faults would only meet those who rest. */
  private isEarly(): boolean {
    if (!this.feeding.done || this.schedule.step % LOOKS_EVERY_STEPS !== 0 || this.injector.liesLater) return false;
    return this.lives.every((life) => this.isThrough(life));
  }

  private becomeCalm(): void {
    this.schedule.note(() => '— no more faults —');
    this.calm = true;
    [this.calmSinceStep, this.calmSinceMs] = [this.schedule.step, this.schedule.clock.nowMs()];
    for (const zombie of this.zombies.splice(0)) zombie.cut(() => false);
  }

  private mustEnd(): void {
    const { step, clock } = this.schedule;
    if (step - this.calmSinceStep > CALM_STEPS_MAX)
      throw new Error(`no end in ${CALM_STEPS_MAX} steps: ${this.hanging()}`);
    if (clock.nowMs() - this.calmSinceMs > CALM_MS_MAX) {
      throw new Error(`no end in ${CALM_MS_MAX / 60_000} min: ${this.hanging()}`);
    }
  }

  /** All is fed, and nobody does anything any more. */
  private rests(): boolean {
    if (!this.feeding.done || !this.hasTickedOn()) return false;
    if (!this.drains) for (const { ticker } of this.lives) ticker?.stop();
    this.drains = true;
    return this.schedule.idle && this.injector.done && this.isOpen;
  }

  /** All is taken in, and all that was said is acknowledged. */
  private isDone(): boolean {
    return this.lives.every((life) => this.isThrough(life)) && this.sink?.done !== false;
  }

  private async isRight(): Promise<boolean> {
    const expected = await this.job.reference();
    try {
      if (!this.isDone()) return false;
      this.job.check(this, expected);
      return true;
    } catch {
      return false;
    }
  }

  /** Each source has had ticks for that long: one that starts late has them late. */
  private hasTickedOn(): boolean {
    const { ticksOnMs } = this.job;
    if (ticksOnMs === undefined) return true;
    this.fedAtMs ??= this.schedule.clock.nowMs() + this.server.offsetMs;
    const untilMs = this.fedAtMs + ticksOnMs;
    return this.lives.every(({ ticker, stage, status: { partition } }) => {
      if (ticker === undefined) return true;
      const subject = subjectOf(stage, partition, CLOCK, partition);
      const tick = this.server.history(streamOf(stage)).findLast(({ message }) => message.subject === subject);
      return tick !== undefined && tick.message.storedAtMs >= untilMs;
    });
  }

  private isThrough({ stage, status }: Life): boolean {
    const filters = filtersOf(this.job.topology, stage, status.partition);
    const last = this.server
      .history(streamOf(stage))
      .findLast(({ message }) => filters.some((one) => matches(one, message.subject)));
    return (
      status.state === 'running' && status.unacknowledged === 0 && status.sequence >= (last?.message.sequence ?? 0)
    );
  }

  private hanging(): string {
    const who = this.lives
      .filter((life) => !this.isThrough(life))
      .map(({ name, status }) => `${name} ${status.state} at ${status.sequence}: ${status.lastError ?? 'no error'}`);
    if (!this.feeding.done) who.unshift('inputs are not all stored');
    if (this.sink?.done === false) who.push('the sink has not ended');
    return who.join('; ');
  }
}
