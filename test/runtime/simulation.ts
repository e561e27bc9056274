/**
 * A whole topology of real actors on one machine that lies: operations go in an order drawn from a seed, acks and requests
 * get lost, writes fail, processes are killed, processes that were given up live on (zombies), snapshots are restored from
 * old copies. A seed replays exactly.
 *
 * A process is one instance with its supervisor, its connection to the log and its store. The log and the time are shared.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { SnapshotHeadSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import type { ActorKnobs } from '../../runtime/actor.js';
import { RivuletError } from '../../runtime/errors.js';
import { streamOf, type Topology } from '../../runtime/graph.js';
import { headKey } from '../../runtime/keyspace.js';
import type { Clock, Log, Logger } from '../../runtime/ports.js';
import { type ActorStatus, newStatus } from '../../runtime/status.js';
import { filtersOf, streamsOf } from '../../runtime/streams.js';
import { Supervisor } from '../../runtime/supervisor.js';
import { FailingStore } from '../../state/failing-store.js';
import { MemoryStore, type StoreContents } from '../../state/memory-store.js';
import { drawn, FailingLog, type FateRates } from '../support/failing-log.js';
import { seededRandom } from '../../runtime/cli/demo-catalogue.js';
import { matches, MemoryLog } from '../support/memory-log.js';
import { settled, VirtualClock } from './virtual-clock.js';

export const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export const KNOBS: ActorKnobs = {
  snapshotEveryMs: 100,
  snapshotEveryBytes: 1e9,
  inFlightMessages: 3,
  inFlightBytes: 1e9,
  frameMessages: 4,
  frameEveryMs: 0,
  frameBytes: 1e6,
};

/** Chances per step of the schedule. */
export interface Rates {
  readonly kill: number;
  readonly zombie: number;
  readonly oldCopy: number;
  readonly log: FateRates;
  readonly refusedWrite: number;
  readonly unsaidWrite: number;
}

export const QUIET: Rates = { kill: 0, zombie: 0, oldCopy: 0, log: {}, refusedWrite: 0, unsaidWrite: 0 };
export const ROUGH: Rates = {
  ...{ kill: 0.02, zombie: 0.008, oldCopy: 0.4, refusedWrite: 0.03, unsaidWrite: 0.03 },
  log: { 'ack-lost': 0.04, 'request-lost': 0.04, away: 0.02 },
};

export interface SimulationOptions {
  readonly topology: Topology;
  readonly seed: number;
  readonly rates: Rates;
  readonly knobs?: Partial<ActorKnobs>;
  /** Steps with faults; after them the world is sound and everything must end. */
  readonly steps: number;
  /** Writes the inputs; resolves when they are stored. Runs beside the actors, on a connection with the same faults. */
  readonly feed: (simulation: Simulation, log: Log) => Promise<void>;
  /** What is put between each process and the log, to break a rule on purpose. */
  readonly wrap?: (log: Log) => Log;
  /** Bytes that the mailbox of each stage holds; not bounded when absent. */
  readonly bytesMax?: number;
  /** Lets each owner trim behind its own snapshots, though older ones may still be restored. */
  readonly trimsFreely?: boolean;
}

interface Process {
  readonly key: string;
  readonly id: string;
  readonly partition: number;
  readonly log: FailingLog;
  readonly store: FailingStore;
  readonly disk: MemoryStore;
  readonly status: ActorStatus;
  gone: boolean;
  failure: Error | undefined;
}

/** Far more than any sound run takes. */
const STEPS_MAX = 60_000;
const ZOMBIES_MAX = 4;

export class Simulation {
  readonly clock = new VirtualClock();
  readonly log = new MemoryLog({ nowMs: () => this.clock.nowMs() });
  readonly random: () => number;
  readonly events = { kills: 0, zombies: 0, oldCopies: 0 };
  private readonly processes = new Map<string, Process>();
  private zombies: Process[] = [];
  /** Older snapshots of each instance, as the Object Store would keep them. */
  private readonly copies = new Map<string, StoreContents>();
  private turns: (() => void)[] = [];
  private calm = false;

  private constructor(private readonly options: SimulationOptions) {
    this.random = seededRandom(options.seed);
  }

  /** Runs everything to its end; throws when it does not get there. */
  static async run(options: SimulationOptions): Promise<Simulation> {
    const simulation = new Simulation(options);
    const { topology, bytesMax = 1e9 } = options;
    for (const spec of streamsOf(topology, { bytesMax: 1e9, replicas: 1 })) {
      const isMailbox = topology.stages.some(({ id }) => streamOf(id) === spec.name);
      await simulation.log.ensureStream(isMailbox ? { ...spec, bytesMax } : spec);
    }
    for (const { id } of options.topology.stages) {
      for (let p = 0; p < options.topology.count(id); p++) simulation.start(id, p, new Map());
    }
    await simulation.work();
    return simulation;
  }

  counters(id: string): readonly ActorStatus['counters'][] {
    return [...this.processes.values()].filter((process) => process.id === id).map(({ status }) => status.counters);
  }

  private async work(): Promise<void> {
    const { steps, feed, rates } = this.options;
    let fed = false;
    let failure: unknown;
    feed(this, new FailingLog(this.log, this.faults(rates.log))).then(
      () => (fed = true),
      (error: unknown) => (failure = error),
    );
    for (let step = 0; ; step++) {
      await settled();
      if (failure !== undefined) throw failure as Error;
      if (step === steps) this.becomeCalm();
      if (this.calm && fed && this.turns.length === 0 && this.isDone()) return;
      if (step > STEPS_MAX) throw new Error(`no end after ${STEPS_MAX} steps: ${this.description()}`);
      this.revive();
      if (!this.calm) this.injectFault();
      this.goOn();
    }
  }

  /** One operation goes on, or time passes. */
  private goOn(): void {
    if (this.turns.length === 0 || this.random() < 0.05) {
      if (this.clock.wakeNext()) return;
    }
    const [turn] = this.turns.splice(Math.floor(this.random() * this.turns.length), 1);
    turn?.();
  }

  private injectFault(): void {
    const { kill, zombie } = this.options.rates;
    const draw = this.random();
    if (draw >= kill + zombie) return;
    const processes = [...this.processes.values()];
    const process = processes[Math.floor(this.random() * processes.length)]!;
    const contents = this.contentsFor(process);
    if (draw < kill) {
      this.events.kills++;
      this.cut(process);
    } else {
      this.events.zombies++;
      this.zombies.push(process);
      if (this.zombies.length > ZOMBIES_MAX) this.cut(this.zombies.shift()!);
    }
    this.start(process.id, process.partition, contents);
  }

  /** What the next owner finds: the disk as it is, or the older copy of it. Sometimes a new copy is made. */
  private contentsFor(process: Process): StoreContents {
    const { key, disk } = process;
    const now = disk.contents();
    const copy = this.copies.get(key);
    const old = copy !== undefined && this.random() < this.options.rates.oldCopy;
    if (this.options.rates.oldCopy > 0 && (copy === undefined || this.random() < 0.3)) this.copies.set(key, now);
    if (old) this.events.oldCopies++;
    return old ? copy : now;
  }

  private cut(process: Process): void {
    process.gone = true;
    process.log.cut(() => this.random() < 0.5);
    process.store.cut();
  }

  /** A process that ended by itself is started again, as an orchestrator would. */
  private revive(): void {
    for (const process of [...this.processes.values(), ...this.zombies]) {
      const { failure } = process;
      if (failure === undefined) continue;
      if (!(failure instanceof RivuletError) || failure.code !== 'STATE_WRITE') throw failure;
      this.cut(process);
      if (this.zombies.includes(process)) this.zombies = this.zombies.filter((one) => one !== process);
      else this.start(process.id, process.partition, process.disk.contents());
    }
  }

  private becomeCalm(): void {
    this.calm = true;
    for (const zombie of this.zombies.splice(0)) this.cut(zombie);
  }

  private start(id: string, partition: number, contents: StoreContents): void {
    const { topology, rates, knobs, wrap = (log: Log) => log } = this.options;
    const key = `${id}/${partition}`;
    const disk = new MemoryStore(contents);
    const log = new FailingLog(wrap(this.retaining()), this.faults(rates.log));
    const store = new FailingStore(disk, {
      turn: () => this.turn(),
      fate: () => {
        const draw = this.calm ? 1 : this.random();
        if (draw < rates.refusedWrite) return 'refused';
        return draw < rates.refusedWrite + rates.unsaidWrite ? 'unsaid' : 'done';
      },
    });
    const status = newStatus(id, partition);
    const process: Process = { key, id, partition, log, store, disk, status, gone: false, failure: undefined };
    const supervisor = new Supervisor({
      ...{ topology, stage: topology.stage(id), partition, log, store, logger: SILENT, status },
      clock: this.clockOf(process),
      knobs: {
        ...KNOBS,
        frameMessages: 1 + Math.floor(this.random() * 6),
        frameEveryMs: this.random() < 0.3 ? 20 : 0,
        ...knobs,
      },
    });
    supervisor.run().catch((error: unknown) => (process.failure = error as Error));
    this.processes.set(key, process);
  }

  /** The log, trimmed no further than the oldest snapshot that can still be restored (design rule 4). */
  private retaining(): Log {
    if (this.options.trimsFreely === true) return this.log;
    const retained = Object.create(this.log) as MemoryLog;
    retained.purge = (stream, subject, below) => {
      const owners = [...this.processes.values(), ...this.zombies].filter(
        ({ id, partition }) =>
          streamOf(id) === stream &&
          filtersOf(this.options.topology, id, partition).some((one) => matches(one, subject)),
      );
      const kept = owners.flatMap(({ key, disk, id, partition }) =>
        [disk.contents(), this.copies.get(key) ?? disk.contents()].map((contents) =>
          sequenceOf(contents, id, partition),
        ),
      );
      return this.log.purge(stream, subject, Math.min(below, ...kept.map((sequence) => sequence + 1)));
    };
    return retained;
  }

  private faults(rates: FateRates): ConstructorParameters<typeof FailingLog>[1] {
    const fate = drawn(this.random, rates);
    return {
      fate: (operation) => (this.calm ? 'done' : fate(operation)),
      turn: () => this.turn(),
      slice: (max) => 1 + Math.floor(this.random() * Math.min(max, 4)),
    };
  }

  /** Time stands still for a process that is gone. */
  private clockOf(process: Process): Clock {
    return {
      nowMs: () => this.clock.nowMs(),
      sleep: (ms, signal) =>
        process.gone && signal?.aborted !== true ? new Promise(() => undefined) : this.clock.sleep(ms, signal),
    };
  }

  private turn(): Promise<void> {
    return new Promise((resolve) => this.turns.push(resolve));
  }

  /** Has everybody taken in all of its mailbox, and is all that was said acknowledged? */
  private isDone(): boolean {
    return [...this.processes.values()].every(({ id, partition, status }) => {
      const filters = filtersOf(this.options.topology, id, partition);
      const last = this.log
        .messages(streamOf(id))
        .findLast(({ subject }) => filters.some((one) => matches(one, subject)));
      return status.state === 'running' && status.unacknowledged === 0 && status.sequence >= (last?.sequence ?? 0);
    });
  }

  private description(): string {
    return [...this.processes.values()]
      .map(({ key, status }) => `${key} ${status.state} at ${status.sequence}: ${status.lastError ?? 'no error'}`)
      .join('; ');
  }
}

function sequenceOf(contents: StoreContents, id: string, partition: number): number {
  const head = contents.get(headKey(id, partition));
  return head === undefined ? 0 : fromBinary(SnapshotHeadSchema, head).sequence;
}
