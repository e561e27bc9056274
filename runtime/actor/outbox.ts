/**
 * The outbox of an instance: one output lane per destination subject.
 *
 * Invariants
 *   OUTBOX-1  A lane publishes each output once, in input order: what the subject's last message covers already is dropped (rule 5).
 *   OUTBOX-2  One publish per subject is in flight, each fenced by the sequence of the one before (rule 6).
 *   OUTBOX-3  An unknown outcome is resolved by reading the subject's last message from the leader, never by guessing.
 *   OUTBOX-4  `settled()` resolves when all that was enqueued before it is acknowledged: a snapshot waits for it (rule 7).
 *   OUTBOX-5  A message is this instance's only when it bears the owner's mark: one of another owner with the same output position may rest on
 *             other state. An instance that is rejected because of one opens anew. `claim()` publishes an empty message on lanes, so that every
 *             owner that opened them before is rejected from then on.
 *   OUTBOX-6  Messages of strangers on a subject are skipped: the output position is that of the last message of ours, and the next one goes
 *             behind the stranger's.
 */
import { randomUUID } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { asError, explain, RivuletError, transient } from '../contract/errors.js';
import { Final, retry } from '../supervision/retry.js';
import { destinationsOf, streamOf, type Topology } from '../contract/graph.js';
import { FOREIGN, lastOwnMessage, readOutputPosition } from '../log-integrity/last-message.js';
import type { Clock, Log, Logger, LogMessage } from '../contract/ports.js';
import type { ActorStatus } from '../telemetry/status.js';
import { isSamePosition, type OutputPosition, outputPositionOf } from './output-position.js';

interface OutboundMessage {
  readonly tag: OutputPosition;
  readonly data: Uint8Array;
}

/** The header that names the incarnation of an owner that wrote a message. */
const OWNER = 'Rivulet-Owner';
const ownerOf = ({ headers }: LogMessage): string | undefined => headers[OWNER.toLowerCase()];

export interface OutputLaneOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stream: string;
  readonly subject: string;
  readonly signal: AbortSignal;
  /** A message of ours before which there is no later one; absent: none is known. */
  readonly from?: number;
  readonly onHanded?: (bytes: number) => void;
  readonly onAcked: () => void;
  readonly onFailed: (error: Error) => void;
}

/** The messages to one subject, in order. */
export class OutputLane {
  private queue: OutboundMessage[] = [];
  /** After a failure nothing is published any more: what comes behind a message that was not published would leave a gap. */
  private failed = false;
  private sending = false;
  private readonly headers = { [OWNER]: randomUUID() };
  /** What the last message in the queue covers. */
  private latest: OutputPosition;
  /** The input that the subject's last message of ours answers, as far as this lane knows; 0 for none. */
  answered: number;
  handed = 0;
  acked = 0;
  bytes = 0;

  private constructor(
    private readonly options: OutputLaneOptions,
    /** What the subject's last message covers. */
    readonly published: OutputPosition,
    private sequence: number,
    /** Of the last message of all. */
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

  /** Stream sequence of the last message of ours on the subject, as far as this line knows; 0 for none. */
  get lastSequence(): number {
    return this.sequence;
  }

  /** Says that we are here, and nothing else (OUTBOX-5). */
  claim(): void {
    const tag = this.latest;
    this.enqueue(tag, toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...tag, claim: true })));
  }

  enqueue(tag: OutputPosition, data: Uint8Array): void {
    this.latest = tag;
    this.handed++;
    this.bytes += data.length;
    this.options.onHanded?.(data.length);
    this.queue.push({ tag, data });
    if (!this.sending && !this.failed) void this.send();
  }

  private async send(): Promise<void> {
    this.sending = true;
    try {
      for (let letter = this.queue.shift(); letter !== undefined; letter = this.queue.shift()) {
        await this.publish(letter);
        this.answered = letter.tag.sequence;
        this.acked++;
        this.bytes -= letter.data.length;
        this.options.onAcked();
      }
    } catch (error) {
      this.failed = true;
      this.options.onFailed(asError(error));
    } finally {
      this.sending = false;
    }
  }

  private async publish(letter: OutboundMessage): Promise<void> {
    const { log, subject, clock, logger, signal } = this.options;
    const onRetry = (error: unknown, attempt: number, pauseMs: number): void => {
      // Loud at each doubling: a log that is away for an hour, or full, is not worth a line per second and subject.
      if (attempt > 3 && Number.isInteger(Math.log2(attempt)))
        logger.warn({ subject, attempt, pauseMs, reason: explain(error) }, 'publish waits for the log');
    };
    await retry(
      async () => {
        signal.throwIfAborted();
        try {
          this.fence = await log.publish(subject, letter.data, { expected: this.fence, headers: this.headers });
          this.sequence = this.fence;
        } catch (error) {
          const code = error instanceof RivuletError && error.reaction === 'transient' ? error.code : undefined;
          if (code !== 'FENCED' && code !== 'LOG_UNKNOWN') throw error;
          // An error of this look is final: somebody else may own the subject.
          const wasPublished = await this.wasPublished(letter, code).catch((final: unknown) => {
            throw new Final(final);
          });
          if (!wasPublished) throw error;
        }
      },
      { clock, signal, onRetry },
    );
  }

  /** After a rejection or a timeout: is the message there? Throws FENCED when another owner has published something else. */
  private async wasPublished(letter: OutboundMessage, code: string): Promise<boolean> {
    const { log, stream, subject, logger } = this.options;
    const from = Math.max(1, this.sequence);
    const last = await lastOwnMessage(log, stream, subject, { from }).catch((error: unknown) => {
      if (error instanceof RivuletError && error.reaction === 'transient' && code === 'LOG_UNKNOWN') return null;
      throw error;
    });
    if (last === null || last.fence === this.fence) return false;
    const { message, fence } = last;
    const isSame = (message?.sequence ?? 0) === this.sequence;
    const isOurs = message !== undefined && ownerOf(message) === this.headers[OWNER];
    const isSaid =
      !isSame && isOurs && isSamePosition(outputPositionOf(fromBinary(EnvelopeSchema, message.data)), letter.tag);
    // Where all of it is gone it is another log.
    if ((isSame && fence > this.fence) || isSaid) {
      if (fence !== message?.sequence) logger.warn({ stream, subject, sequence: fence }, FOREIGN);
      if (isSaid) this.sequence = message!.sequence;
      this.fence = fence;
      return isSaid;
    }
    throw transient('FENCED', `${subject} was written by another owner of this partition`);
  }
}

/** All lines of an instance. */
export class Outbox {
  private waiters: (() => void)[] = [];
  private failure: Error | undefined;
  /** Told once, when the first line fails. */
  onFailed: (error: Error) => void = () => undefined;

  constructor(readonly lanes: ReadonlyMap<string, OutputLane>) {}

  /** Called by the lines. */
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

  /** Resolves when no line has more than `letters` unacknowledged and all together hold at most `bytes`. */
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

  /** Resolves when something was said on these lines after this call: who opened them before is refused from now on. */
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

/** With a line to each destination of an instance, opened side by side. */
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
      onHanded: (bytes) => {
        status.messagesOut++;
        status.bytesOut += bytes;
      },
      onAcked: () => {
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
