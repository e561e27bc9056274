/**
 * What the nodes have stored, but not processed: an import publishes only while this is little. Live events would wait behind the rest, and a full stream
 * would refuse them.
 *
 *   parse         the messages of this import behind the input that its last output covers (it passes on each tick of the clock, so that input advances even
 *                 where all events are duplicates)
 *   other stages  frames that the server has not sent to their readers, which take in at most some ten frames in advance
 *
 * Both are read from NATS, so that it does not matter which nodes have which partitions.
 */
import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import { processOfReader } from '../../../connectors/nats/log/reader-name.js';
import { explained } from '../../../connectors/nats/log/stream-manager.js';
import { fatal, reactionOf } from '../../contract/errors.js';
import { CLOCK, streamOf, subjectOf, type Topology } from '../../contract/graph.js';
import type { Clock, Log } from '../../contract/ports.js';
import { readOutputPosition } from '../../log-integrity/last-message.js';

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
/** Users of the past are ranked at a tick after one since which no event of theirs came; some stages report at the next. */
const TICKS = 3;
/** From watermark to the view. */
const STAGES_IN_A_ROW = 6;
/** Longer than a node takes to restart, or another to take over. */
const STALLED_MS = 120_000;

const PARSE = 'parse';
const FIRST = 'watermark';

export class Backlog {
  /** By source partition: sequences of this import's messages that parse has not processed, ascending. */
  private readonly unprocessed: number[][];
  private readonly lastStored: number[];
  /** Of the stages behind parse. */
  private readers: readonly ConsumerInfo[] = [];
  private movedAtMs: number;

  constructor(private readonly options: BacklogOptions) {
    const partitions = options.topology.count(PARSE);
    this.unprocessed = Array.from({ length: partitions }, () => []);
    this.lastStored = Array.from({ length: partitions }, () => 0);
    this.movedAtMs = options.clock.monotonicMs();
  }

  /** Behind parse. */
  private get stages(): string[] {
    return this.options.topology.stages.map(({ id }) => id).filter((id) => id !== PARSE);
  }

  /** A message of this import has this sequence. */
  stored(partition: number, sequence: number): void {
    this.unprocessed[partition]!.push(sequence);
    this.lastStored[partition] = Math.max(sequence, this.lastStored[partition]!);
  }

  /** Resolves when a further message may be published. Fatal IMPORT_STALLED when nothing is processed for long. */
  async room(): Promise<void> {
    await this.until(() => this.messages < MESSAGES_MAX && this.frames <= FRAMES_MAX);
  }

  /** Resolves when every stage has processed what was published so far, and users of the past have their lists. */
  async processed(): Promise<void> {
    await this.until(() => this.messages === 0);
    const after = [...this.lastStored];
    for (let ticks = 0; ticks < TICKS; ticks++) {
      for (const [partition, last] of after.entries()) after[partition] = await this.tick(partition, last);
    }
    // What one stage has processed is then in the mailbox of the next.
    for (let stage = 0; stage < STAGES_IN_A_ROW; stage++) await this.delivered();
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

  /** Resolves when parse has passed on a tick that is stored after a message; returns its sequence. */
  private async tick(partition: number, after: number): Promise<number> {
    const clock = subjectOf(PARSE, partition, CLOCK, partition);
    let tick = 0;
    await this.until(async () => {
      if (tick <= after) tick = (await this.options.log.last(streamOf(PARSE), clock))?.sequence ?? 0;
      return tick > after && (await this.position(partition)) >= tick;
    });
    return tick;
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
    this.readers = await this.liveReaders();
    if (this.messages < before[0]! || this.frames < before[1]!) this.movedAtMs = clock.monotonicMs();
  }

  /** The last input that parse's output covers. */
  private async position(partition: number): Promise<number> {
    const subject = subjectOf(FIRST, partition, PARSE, partition);
    const { published } = await readOutputPosition(this.options.log, streamOf(FIRST), subject);
    return published.sequence;
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
