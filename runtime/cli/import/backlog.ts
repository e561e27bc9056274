/**
 * What the nodes have stored, but not processed: an import publishes only while this is little. Live events would wait behind the rest, and a full stream
 * would refuse them.
 *
 *   parse         the messages of this import behind the input that its last output covers (it passes on each tick of the clock, so that input advances even
 *                 where all events are duplicates)
 *   other stages  frames that the server has not sent to their readers, which take in at most some ten frames in advance; and how full their streams are,
 *                 which are trimmed behind snapshots
 *
 * Both are read from NATS, so that it does not matter which nodes have which partitions.
 */
import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import { processOfReader } from '../../../connectors/nats/log/reader-name.js';
import { explained } from '../../../connectors/nats/log/stream-manager.js';
import { fatal, reactionOf } from '../../contract/errors.js';
import { type Destination, destinationsOf, streamOf, subjectOf, type Topology } from '../../contract/graph.js';
import type { Clock, Log } from '../../contract/ports.js';
import { type ReadPosition, readOutputPosition } from '../../log-integrity/last-message.js';

export interface BacklogOptions {
  readonly log: Log;
  readonly manager: JetStreamManager;
  readonly topology: Topology;
  /** Of the live nodes. */
  readonly processes: () => Promise<ReadonlySet<string>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Some 64,000 events: less than a second of a node's work. */
const MESSAGES_MAX = 64;
const FRAMES_MAX = 16;
const LOOK_EVERY_MS = 200;
/** The part of a stream's limit that may be used: what is under way comes on top. */
const FULL_MAX = 0.7;
/** From events to lists: each passes ticks on to the next, so that its output covers all input within a second. The view behind them has no output. */
const WAY = ['watermark', 'window', 'interest-ranking'];
/** Longer than a node takes to restart, or another to take over. */
const STALLED_MS = 120_000;

const PARSE = 'parse';
const FIRST = WAY[0]!;
const VIEW = 'recommendations';

export class Backlog {
  /** By source partition: sequences of this import's messages that parse has not processed, ascending. */
  private readonly unprocessed: number[][];
  /** Of the stages behind parse. */
  private readers: readonly ConsumerInfo[] = [];
  /** Of the fullest stream behind parse, the part of its limit that is used. */
  private full = 0;
  private movedAtMs: number;

  constructor(private readonly options: BacklogOptions) {
    const partitions = options.topology.count(PARSE);
    this.unprocessed = Array.from({ length: partitions }, () => []);
    this.movedAtMs = options.clock.monotonicMs();
  }

  /** Behind parse. */
  private get stages(): string[] {
    return this.options.topology.stages.map(({ id }) => id).filter((id) => id !== PARSE);
  }

  /** A message of this import has this sequence. */
  stored(partition: number, sequence: number): void {
    this.unprocessed[partition]!.push(sequence);
  }

  /** Resolves when a further message may be published. Fatal IMPORT_STALLED when nothing is processed for long. */
  async room(): Promise<void> {
    await this.until(() => this.messages < MESSAGES_MAX && this.frames <= FRAMES_MAX && this.full <= FULL_MAX);
  }

  /** Resolves when every stage has processed what was published so far, and no user of the past waits for a list. */
  async processed(): Promise<void> {
    await this.until(() => this.messages === 0);
    // A chain has the id of its first stage.
    const way = WAY.filter((id) => this.options.topology.stages.some((stage) => stage.id === id));
    for (const [at, stage] of way.entries()) await this.passedOn(way[at - 1] ?? PARSE, stage, way[at + 1] ?? VIEW);
    await this.delivered();
  }

  /** Resolves when what a stage has published covers all that the stage before has published by now, and it holds nothing back. */
  private async passedOn(before: string, stage: string, next: string): Promise<void> {
    const { topology } = this.options;
    const partitions = [...Array(topology.count(stage)).keys()];
    let ends: readonly number[] | undefined;
    await this.until(async () => {
      ends ??= await Promise.all(partitions.map((partition) => this.lastOf(before, stage, partition)));
      const isPassed = await Promise.all(
        partitions.map((partition) => this.covers(stage, partition, next, ends![partition]!)),
      );
      return isPassed.every(Boolean);
    });
  }

  /** The stream sequence of the latest of the messages from one stage to an instance of another; 0 for none. */
  private async lastOf(from: string, to: string, partition: number): Promise<number> {
    const read = this.lanes(from, (lane) => lane.to === to && lane.q === partition);
    return Math.max(0, ...(await Promise.all(read)).map(({ lastSequence }) => lastSequence));
  }

  /** Whether what an instance has published covers this input, and it holds nothing back. */
  private async covers(stage: string, partition: number, next: string, input: number): Promise<boolean> {
    const read = this.lanes(stage, (lane) => lane.to === next, partition);
    return (await Promise.all(read)).every(
      ({ published, holdsBack }) => published.sequence >= input && published.lastPart && holdsBack === false,
    );
  }

  private lanes(stage: string, isWanted: (lane: Destination) => boolean, partition?: number): Promise<ReadPosition>[] {
    const { topology, log } = this.options;
    const from = partition === undefined ? [...Array(topology.count(stage)).keys()] : [partition];
    return from
      .flatMap((one) => destinationsOf(topology, stage, one))
      .filter(isWanted)
      .map(({ to, subject }) => readOutputPosition(log, streamOf(to), subject));
  }

  /** Resolves when the messages that the mailboxes have now were sent to their readers; live events may go on to come. */
  private async delivered(): Promise<void> {
    await this.pause();
    const { log, topology } = this.options;
    let ends: ReadonlyMap<string, number> | undefined;
    await this.until(async () => {
      ends ??= new Map(
        await Promise.all(
          this.stages.map(async (id) => [streamOf(id), (await log.info(streamOf(id))).lastSequence] as const),
        ),
      );
      // A mailbox has no reader while another node takes it over, or the client recreates it.
      const mailboxes = this.stages.reduce((sum, id) => sum + topology.count(id), 0);
      return (
        this.readers.length >= mailboxes &&
        this.readers.every(
          ({ stream_name: stream, delivered, num_pending: left }) =>
            left === 0 || delivered.stream_seq >= ends!.get(stream)!,
        )
      );
    });
  }

  private get frames(): number {
    return Math.max(0, ...this.readers.map(({ num_pending: left }) => left));
  }

  private get messages(): number {
    return this.unprocessed.reduce((sum, { length }) => sum + length, 0);
  }

  /** While NATS does not answer nothing has moved. */
  private async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const { clock } = this.options;
    for (let hasLooked = false; ; hasLooked = true) {
      let failure: unknown;
      try {
        if (hasLooked) await this.look();
        if (await condition()) {
          this.movedAtMs = clock.monotonicMs();
          return;
        }
      } catch (error) {
        if (reactionOf(error) !== 'transient') throw error;
        failure = error;
      }
      if (clock.monotonicMs() - this.movedAtMs > STALLED_MS) {
        throw failure === undefined
          ? stalled(`the nodes have processed nothing for ${STALLED_MS / 1000} s`)
          : stalled(`NATS has not answered for ${STALLED_MS / 1000} s`, failure);
      }
      if (hasLooked) await this.pause();
    }
  }

  private async pause(): Promise<void> {
    const { clock, signal } = this.options;
    await clock.sleep(LOOK_EVERY_MS, signal);
    signal.throwIfAborted();
  }

  private async look(): Promise<void> {
    const { clock } = this.options;
    const before = [this.messages, this.frames];
    await Promise.all(
      this.unprocessed.map(async (sequences, partition) => {
        if (sequences.length === 0) return;
        const position = await this.position(partition);
        const next = sequences.findIndex((sequence) => sequence > position);
        sequences.splice(0, next < 0 ? sequences.length : next);
      }),
    );
    [this.readers, this.full] = await Promise.all([this.liveReaders(), this.fullest()]);
    if (this.messages < before[0]! || this.frames < before[1]!) this.movedAtMs = clock.monotonicMs();
  }

  /** The last input that parse's output covers. */
  private async position(partition: number): Promise<number> {
    const subject = subjectOf(FIRST, partition, PARSE, partition);
    const { published } = await readOutputPosition(this.options.log, streamOf(FIRST), subject);
    return published.sequence;
  }

  private async fullest(): Promise<number> {
    const { manager, topology } = this.options;
    const streams = await Promise.all(
      topology.stages.map(({ id }) =>
        manager.streams.info(streamOf(id)).catch((error: unknown) => {
          throw explained(error, streamOf(id));
        }),
      ),
    );
    return Math.max(...streams.map(({ state, config }) => (config.max_bytes > 0 ? state.bytes / config.max_bytes : 0)));
  }

  private async liveReaders(): Promise<ConsumerInfo[]> {
    const { manager, processes } = this.options;
    const live = await processes();
    const readers = await Promise.all(
      this.stages.map(async (id) => {
        // A reader that was lost may have left its consumer: of several for one mailbox the latest counts.
        const latest = new Map<string, ConsumerInfo>();
        try {
          for await (const consumer of manager.consumers.list(streamOf(id))) {
            if (!live.has(processOfReader(consumer.name) ?? '')) continue;
            const mailbox = String(consumer.config.filter_subjects ?? consumer.config.filter_subject);
            const known = latest.get(mailbox);
            if (known === undefined || known.created < consumer.created) latest.set(mailbox, consumer);
          }
        } catch (error) {
          throw explained(error, streamOf(id));
        }
        return [...latest.values()];
      }),
    );
    return readers.flat();
  }
}

export const GOES_ON = 'the same command goes on where this one stopped';

export const stalled = (what: string, cause?: unknown): Error =>
  fatal('IMPORT_STALLED', what, { cause, hint: `see what holds the nodes up: rivulet doctor. Then ${GOES_ON}` });
