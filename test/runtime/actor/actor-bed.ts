/** A memory log, a clock in hand and supervised instances of a topology, for tests that look at one thing at a time. */
import type { Envelope } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import type { ActorTuning } from '../../../runtime/actor/options.js';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { deadLetters } from '../../../runtime/dead-letters/frame.js';
import { rowsOf } from '../../../runtime/frames/frame.js';
import { decodeFrame } from '../../../runtime/frames/codec.js';
import { partsIn } from '../../../runtime/frames/joined.js';
import { streamOf, type Topology, writerOf } from '../../../runtime/contract/graph.js';
import type { Log, LogMessage, Store } from '../../../runtime/contract/ports.js';
import { type ActorStatus, newStatus } from '../../../runtime/telemetry/status.js';
import { ensureStreams, filtersOf, type StreamLimits, streamsOf } from '../../../runtime/contract/streams.js';
import { SupervisedInstance } from '../../../runtime/shards/supervised-instance.js';
import { STAGE_STRATEGY, type StageStrategy } from '../../../runtime/supervision/strategy.js';
import { Supervisor } from '../../../runtime/supervision/supervisor.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { matches, MemoryLog, type MemoryLogOptions } from '../../support/memory-log.js';
import type { PlainRow } from '../../support/topology-driver.js';
import { TUNING, SILENT } from '../tuning.js';
import { settled, until, VirtualClock } from '../virtual-clock.js';

export interface Running {
  readonly status: ActorStatus;
  readonly supervisor: SupervisedInstance;
  /** What escalated. */
  failure(): Error | undefined;
  ended(): boolean;
}

export interface StartOptions {
  readonly log?: Log;
  readonly store?: Store;
  readonly topology?: Topology;
  readonly tuning?: Partial<ActorTuning>;
  readonly strategy?: StageStrategy;
  readonly copied?: () => number;
}

/** A part of a message, read. */
export interface ReadMessage {
  readonly sequence: number;
  readonly envelope: Envelope;
  readonly rows: readonly PlainRow[];
}

export class ActorBed {
  readonly clock = new VirtualClock();
  readonly log: MemoryLog;
  private readonly running: Running[] = [];

  private constructor(
    readonly topology: Topology,
    options: MemoryLogOptions,
  ) {
    this.log = new MemoryLog({ nowMs: () => this.clock.nowMs(), ...options });
  }

  static async make(topology: Topology, limits: Partial<StreamLimits> & MemoryLogOptions = {}): Promise<ActorBed> {
    const bed = new ActorBed(topology, limits);
    await ensureStreams(bed.log, topology, { bytesMax: 1e9, replicas: 1, ...limits });
    // Nobody reads the results here, so that nobody trims them.
    for (const spec of streamsOf(topology, { bytesMax: 1e9, replicas: 1 })) {
      if (topology.topics.some(({ id, browsable }) => streamOf(id) === spec.name && !browsable))
        await bed.log.ensureStream(spec);
    }
    return bed;
  }

  start(id: string, partition = 0, options: StartOptions = {}): Running {
    const running = this.startApart(id, partition, options);
    this.running.push(running);
    return running;
  }

  /** One that `quiet` does not wait for. */
  startApart(id: string, partition = 0, options: StartOptions = {}): Running {
    const { log = this.log, store = new MemoryStore(), topology = this.topology, tuning, copied } = options;
    const status = newStatus(id, partition);
    let failure: Error | undefined;
    let ended = false;
    const onEscalated = (error: Error): void => void (failure = error);
    const supervisor = new SupervisedInstance(new Supervisor({ clock: this.clock, logger: SILENT, onEscalated }), {
      ...{ topology, stage: topology.stage(id), partition, log, store, clock: this.clock, logger: SILENT, status },
      ...{ tuning: { ...TUNING, ...tuning }, strategy: options.strategy ?? STAGE_STRATEGY },
      ...(copied === undefined ? {} : { copied }),
    });
    void supervisor.ended.catch(() => undefined).finally(() => (ended = true));
    return { status, supervisor, failure: () => failure, ended: () => ended };
  }

  startAll(): void {
    for (const { id } of this.topology.stages) {
      for (let p = 0; p < this.topology.count(id); p++) this.start(id, p);
    }
  }

  /** Publishers' lines for `read`, all on partition 0 when there is one. */
  async publish(...lines: readonly string[]): Promise<void> {
    for (const line of lines) await this.log.publish(`rivulet.events.word.${line.split(' ')[1] ?? 'none'}`, utf8(line));
  }

  until(condition: () => boolean): Promise<void> {
    return until(this.clock, condition);
  }

  /** Until every running instance has taken in all that its stream holds, and all is acknowledged. */
  async quiet(): Promise<void> {
    await this.until(() => this.running.every((one) => one.ended() || this.isIdle(one)));
    await settled();
  }

  /** Which stream the mailboxes of a stage are in. */
  async identity(id: string): Promise<string> {
    return (await this.log.info(streamOf(id))).identity;
  }

  /** Rows of all messages of a mailbox or topic, in stream order. */
  rows(id: string): PlainRow[] {
    return this.messages(id).flatMap(({ rows }) => rows);
  }

  /** The parts of the messages that instances of stages wrote to a mailbox or topic. */
  messages(id: string, from?: string): ReadMessage[] {
    const written = this.log.messages(streamOf(id)).filter(({ subject, expected }) => {
      const writer = writerOf(subject).id;
      return (
        expected !== undefined &&
        (from === undefined || writer === from) &&
        this.topology.stages.some((stage) => stage.id === writer)
      );
    });
    return written.flatMap(({ sequence, subject, data }) =>
      partsIn(data).map((envelope) => {
        const { body, output } = envelope;
        if (body.case !== 'frame') return { sequence, envelope, rows: [] };
        const type = output === '$poison' ? deadLetters : this.topology.stage(writerOf(subject).id).outputs[output]!;
        return { sequence, envelope, rows: rowsOf(decodeFrame(body.value, type)) };
      }),
    );
  }

  private isIdle({ status }: Running): boolean {
    const filters = filtersOf(this.topology, status.stage, status.partition);
    const own = ({ subject }: LogMessage): boolean => filters.some((filter) => matches(filter, subject));
    const last = this.log.messages(streamOf(status.stage)).findLast(own)?.sequence ?? 0;
    return status.state === 'running' && status.unacknowledged === 0 && status.sequence >= last;
  }
}

/** Lines of one user on one item: `id user item n`. */
export const line = (id: number, n: number | string = id, user = 'u'): string => `${id} ${user} ${user}.a ${n}`;

export const ONE = { source: 1, user: 1, item: 1 };
