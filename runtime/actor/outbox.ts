/**
 * The outbox of an instance: one output lane per destination subject.
 *
 * Invariants
 *   OUTBOX-1  A lane publishes each output once, in input order: what the subject's last message covers is dropped.
 *   OUTBOX-2  One publish per subject is in flight, each fenced by the sequence of the one before. To a stage, all that waits meanwhile goes in the next
 *             one (frames/joined.ts).
 *   OUTBOX-3  An unknown outcome is resolved by reading the subject's last message from the leader, never by guessing.
 *   OUTBOX-4  `settled()` resolves when all that was enqueued before it is acknowledged: a snapshot waits for it.
 *   OUTBOX-5  A message is this instance's only when it has its owner header: a message of another owner with the same output position may be computed
 *             from other state, and an instance that is rejected because of one opens anew. `claim()` publishes an empty message on lanes, so that
 *             every owner that opened them before is rejected from then on.
 *   OUTBOX-6  Foreign messages on a subject are skipped: the output position is that of the stage's last message, and the next one goes after the
 *             foreign ones.
 */
import { randomUUID } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { asError, explain, RivuletError, transient } from '../contract/errors.js';
import { Final, retry } from '../supervision/retry.js';
import { destinationsOf, streamOf, type Topology } from '../contract/graph.js';
import { FOREIGN, lastOwnMessage, readOutputPosition, wasDropped } from '../log-integrity/last-message.js';
import type { Clock, Log, Logger, LogMessage } from '../contract/ports.js';
import { browsableLogOf } from '../contract/streams.js';
import type { ActorStatus } from '../telemetry/status.js';
import { joined } from '../frames/joined.js';
import { isSamePosition, type OutputPosition, outputPositionOf } from './output-position.js';

interface Part {
  readonly position: OutputPosition;
  readonly data: Uint8Array;
  /** Whether parts may come before it, and after it, in its message. */
  readonly joins: Joins;
}

type Joins = 'both' | 'before' | 'neither';

interface OutboundMessage {
  /** What it covers. */
  readonly position: OutputPosition;
  readonly data: Uint8Array;
  readonly parts: number;
  /** Of its parts. */
  readonly bytes: number;
}

/** A message of several parts has at most this many bytes. */
const JOINED_BYTES_MAX = 512 * 1024;

/** The header that names the incarnation of an owner that wrote a message. */
const OWNER = 'Rivulet-Owner';
export const ownerOf = ({ headers }: LogMessage): string | undefined => headers[OWNER.toLowerCase()];

export interface OutputLaneOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stream: string;
  readonly subject: string;
  readonly signal: AbortSignal;
  /** The stage's last message on the subject is not before this sequence; absent: not known. */
  readonly from?: number;
  /** Whether the stream drops its oldest messages, also the last of a subject. */
  readonly dropsOldest?: boolean;
  /** Whether its reader takes messages of several parts. */
  readonly joins?: boolean;
  readonly onAcked: (bytes: number) => void;
  readonly onFailed: (error: Error) => void;
}

/** The messages to one subject, in order. */
export class OutputLane {
  private queue: Part[] = [];
  /** After a failure nothing more is published: the next message would leave a gap. */
  private failed = false;
  private sending = false;
  private readonly headers = { [OWNER]: randomUUID() };
  /** What the last part in the queue covers. */
  private latest: OutputPosition;
  /** The last input that the stage's last message on the subject covers, as far as this lane knows; 0 for none. */
  answered: number;
  /** Parts, and the bytes of those that are not acknowledged. */
  handed = 0;
  acked = 0;
  bytes = 0;

  private constructor(
    private readonly options: OutputLaneOptions,
    /** What the subject's last message covers. */
    readonly published: OutputPosition,
    private sequence: number,
    /** Sequence of the last message on the subject, whoever wrote it. */
    private fence: number,
  ) {
    this.latest = published;
    this.answered = published.sequence;
  }

  static async open(options: OutputLaneOptions): Promise<OutputLane> {
    const { log, stream, subject, from } = options;
    const { published, lastSequence, fence } = await readOutputPosition(log, stream, subject, from);
    return new OutputLane(options, published, lastSequence, fence);
  }

  get waiting(): number {
    return this.handed - this.acked;
  }

  /** Stream sequence of the stage's last message on the subject, as far as this lane knows; 0 for none. */
  get lastSequence(): number {
    return this.sequence;
  }

  /** Publishes a message without content, to fence earlier owners (OUTBOX-5). */
  claim(): void {
    const position = this.latest;
    this.enqueue(position, toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...position, claim: true })), 'neither');
  }

  enqueue(position: OutputPosition, data: Uint8Array, joins: Joins = 'both'): void {
    this.latest = position;
    this.handed++;
    this.bytes += data.length;
    this.queue.push({ position, data, joins });
    if (!this.sending && !this.failed) void this.send();
  }

  private async send(): Promise<void> {
    this.sending = true;
    try {
      // A step hands its parts over at once: they go together.
      await Promise.resolve();
      for (let message = this.next(); message !== undefined; message = this.next()) {
        await this.publish(message);
        this.answered = message.position.sequence;
        this.acked += message.parts;
        this.bytes -= message.bytes;
        this.options.onAcked(message.data.length);
      }
    } catch (error) {
      this.failed = true;
      this.options.onFailed(asError(error));
    } finally {
      this.sending = false;
    }
  }

  /** All that waits, as far as it may share a message. */
  private next(): OutboundMessage | undefined {
    const { queue } = this;
    if (queue.length === 0) return undefined;
    let count = 1;
    let bytes = queue[0]!.data.length;
    for (; this.options.joins === true && count < queue.length; count++) {
      const { joins, data } = queue[count]!;
      if (queue[count - 1]!.joins !== 'both' || joins === 'neither' || bytes + data.length > JOINED_BYTES_MAX) break;
      bytes += data.length;
    }
    const parts = queue.splice(0, count);
    return { position: parts.at(-1)!.position, data: joined(parts.map(({ data }) => data)), parts: count, bytes };
  }

  private async publish(message: OutboundMessage): Promise<void> {
    const { log, subject, clock, logger, signal } = this.options;
    const onRetry = (error: unknown, attempt: number, pauseMs: number): void => {
      // Logged at each doubling: an outage of an hour, or a full log, should not fill the log file.
      if (attempt > 3 && Number.isInteger(Math.log2(attempt)))
        logger.warn({ subject, attempt, pauseMs, reason: explain(error) }, 'publish waits for the log');
    };
    await retry(
      async () => {
        signal.throwIfAborted();
        try {
          this.fence = await log.publish(subject, message.data, { expected: this.fence, headers: this.headers });
          this.sequence = this.fence;
        } catch (error) {
          const code = error instanceof RivuletError && error.reaction === 'transient' ? error.code : undefined;
          if (code !== 'FENCED' && code !== 'LOG_UNKNOWN') throw error;
          // An error of this check is final: another owner may have the subject.
          const wasPublished = await this.wasPublished(message, code).catch((final: unknown) => {
            throw new Final(final);
          });
          if (!wasPublished) throw error;
        }
      },
      { clock, signal, onRetry },
    );
  }

  /** After a rejection or a timeout: is the message there? Throws FENCED when another owner has published something else. */
  private async wasPublished({ position }: OutboundMessage, code: string): Promise<boolean> {
    const { log, stream, subject, logger, dropsOldest = false } = this.options;
    const from = Math.max(1, this.sequence);
    const last = await lastOwnMessage(log, stream, subject, { from }).catch((error: unknown) => {
      if (error instanceof RivuletError && error.reaction === 'transient' && code === 'LOG_UNKNOWN') return null;
      throw error;
    });
    if (last === null || last.fence === this.fence) return false;
    const { message, fence } = last;
    const isSame = (message?.sequence ?? 0) === this.sequence;
    const isOurs = message !== undefined && ownerOf(message) === this.headers[OWNER];
    const isPublished =
      !isSame && isOurs && isSamePosition(outputPositionOf(fromBinary(EnvelopeSchema, message.data)), position);
    // The stage's last message is gone: dropped for its age or its size?
    if (message === undefined && dropsOldest && (await wasDropped(log, stream, subject, this.fence))) {
      this.fence = fence;
      return false;
    }
    // No message and a lower fence: this is another log.
    if ((isSame && fence > this.fence) || isPublished) {
      if (fence !== message?.sequence) logger.warn({ stream, subject, sequence: fence }, FOREIGN);
      if (isPublished) this.sequence = message!.sequence;
      this.fence = fence;
      return isPublished;
    }
    throw transient('FENCED', `${subject} was written by another owner of this partition`);
  }
}

/** All lanes of an instance. */
export class Outbox {
  private waiters: (() => void)[] = [];
  private failure: Error | undefined;
  /** Called once, when the first lane fails. */
  onFailed: (error: Error) => void = () => undefined;

  constructor(readonly lanes: ReadonlyMap<string, OutputLane>) {}

  /** Called by the lanes. */
  wake(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.wake();
    this.onFailed(error);
  }

  get waiting(): number {
    let waiting = 0;
    for (const lane of this.lanes.values()) waiting += lane.waiting;
    return waiting;
  }

  /** Resolves when no lane has more than `messages` unacknowledged, and all together at most `bytes`. */
  async room(messages: number, bytes: number): Promise<void> {
    await this.until(() => {
      let total = 0;
      for (const lane of this.lanes.values()) {
        if (lane.waiting > messages) return false;
        total += lane.bytes;
      }
      return total <= bytes;
    });
  }

  /** Resolves when each of these lanes has published since this call: owners that opened them before are fenced. */
  async claim(isWanted: (subject: string) => boolean): Promise<void> {
    for (const [subject, lane] of this.lanes) if (isWanted(subject)) lane.claim();
    await this.settled();
  }

  /** Resolves when all that was handed over up to now is acknowledged. */
  async settled(): Promise<void> {
    const goals = [...this.lanes.values()].map((lane) => [lane, lane.handed] as const);
    await this.until(() => goals.every(([lane, handed]) => lane.acked >= handed));
  }

  private async until(reached: () => boolean): Promise<void> {
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      if (reached()) return;
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }
}

export interface OutboxOptions extends Pick<OutputLaneOptions, 'log' | 'clock' | 'logger'> {
  readonly topology: Topology;
  readonly stage: { readonly id: string };
  readonly partition: number;
  readonly status: Pick<ActorStatus, 'unacknowledged' | 'messagesOut' | 'bytesOut'>;
}

/** An outbox with a lane to each destination of an instance, opened in parallel. */
export async function openOutbox(
  options: OutboxOptions,
  signal: AbortSignal,
  published: Readonly<Record<string, number>> = {},
): Promise<Outbox> {
  const { topology, stage, partition, log, clock, logger, status } = options;
  const lanes = new Map<string, OutputLane>();
  const outbox = new Outbox(lanes);
  const open = destinationsOf(topology, stage.id, partition).map(async ({ to, subject }) => {
    const lane = await OutputLane.open({
      ...{ log, clock, logger, stream: streamOf(to), subject, signal, from: Math.max(1, published[subject] ?? 1) },
      dropsOldest: browsableLogOf(topology, subject) !== undefined,
      joins: topology.stages.some(({ id }) => id === to),
      onAcked: (bytes) => {
        status.messagesOut++;
        status.bytesOut += bytes;
        status.unacknowledged = outbox.waiting;
        outbox.wake();
      },
      onFailed: (error) => {
        outbox.fail(error);
      },
    });
    lanes.set(subject, lane);
  });
  await Promise.all(open);
  return outbox;
}
