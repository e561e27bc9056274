/**
 * The log server of a simulated world: stores, restarts, lies. It keeps all that was ever accepted, trimmed or not, and checks each message
 * as it is accepted.
 *
 * Invariants that it checks
 *   L1  On a writer's subject tags rise: one accepted writer, nothing twice (design rules 2 and 5).
 *   L2  A writer's watermark never goes back.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { type Envelope, EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { streamOf, type Topology, writerOf } from '../../runtime/contract/graph.js';
import type { LogMessage } from '../../runtime/contract/ports.js';
import { streamsOf } from '../../runtime/contract/streams.js';
import { MemoryLog } from '../support/memory-log.js';
import type { Schedule } from './schedule.js';

interface Said {
  readonly sequence: number;
  readonly part: number;
  readonly watermarkMs: number;
}

export interface Accepted {
  readonly message: LogMessage;
  /** Absent: a publisher's message, which is nobody's record. */
  readonly envelope: Envelope | undefined;
}

export class LogServer {
  readonly log: MemoryLog;
  restarts = 0;
  /** What is wrong with what was accepted. */
  failure: Error | undefined;
  /** Its wall clock, against the world's. */
  offsetMs = 0;
  private readonly accepted = new Map<string, Accepted[]>();
  private readonly said = new Map<string, Said>();
  private readonly synced = new Map<string, number>();

  constructor(
    private readonly topology: Topology,
    private readonly schedule: Schedule,
    private readonly mailboxBytesMax: number,
  ) {
    this.log = new MemoryLog({
      nowMs: () => schedule.clock.nowMs() + this.offsetMs,
      onStored: (stream, message) => {
        this.take(stream, message);
      },
    });
  }

  async ensureStreams(): Promise<void> {
    for (const spec of streamsOf(this.topology, { bytesMax: 1e9, replicas: 1 })) {
      const isMailbox = this.topology.stages.some(({ id }) => streamOf(id) === spec.name);
      await this.log.ensureStream(isMailbox ? { ...spec, bytesMax: this.mailboxBytesMax } : spec);
    }
  }

  /** All that a stream has accepted, trimmed or not. */
  history(stream: string): readonly Accepted[] {
    return this.accepted.get(stream) ?? [];
  }

  /** Killed and started again: what was stored is there, answers under way are not. */
  restart(): void {
    this.restarts++;
    this.log.restart();
  }

  /** What is stored now survives a loss of power. */
  sync(): void {
    for (const stream of this.log.streamNames()) this.synced.set(stream, this.ends(stream));
  }

  losePower(): void {
    this.restarts++;
    for (const stream of this.log.streamNames()) {
      const [synced, end] = [this.synced.get(stream) ?? 0, this.ends(stream)];
      this.cutBack(stream, synced + this.schedule.below(end - synced + 1));
    }
  }

  /** A stream is put back to an earlier state. */
  rollBack(): void {
    this.restarts++;
    const stream = this.schedule.pick(this.log.streamNames());
    this.cutBack(stream, this.schedule.below(this.ends(stream) + 1));
  }

  /** A stream is deleted, and made anew empty. */
  async deleteOne(): Promise<void> {
    this.restarts++;
    const stream = this.schedule.pick(this.log.streamNames());
    this.schedule.note(() => `${stream} is deleted`);
    this.log.deleteStream(stream);
    this.forget(stream, 0);
    await this.ensureStreams();
  }

  private ends(stream: string): number {
    return this.history(stream).at(-1)?.message.sequence ?? 0;
  }

  private cutBack(stream: string, lastSequence: number): void {
    this.schedule.note(() => `${stream} ends at ${lastSequence} again, not at ${this.ends(stream)}`);
    this.log.rollBack(stream, lastSequence);
    this.forget(stream, lastSequence);
  }

  private forget(stream: string, lastSequence: number): void {
    const kept = this.history(stream).filter(({ message }) => message.sequence <= lastSequence);
    for (const { message } of this.history(stream)) this.said.delete(message.subject);
    this.accepted.set(stream, kept);
    for (const { message, envelope } of kept) this.check(message, envelope);
  }

  private take(stream: string, message: LogMessage): void {
    const { id } = writerOf(message.subject);
    const isOurs = id !== 'events' && !/^rivulet\.(events|poison)\./.test(message.subject);
    const envelope = isOurs ? fromBinary(EnvelopeSchema, message.data) : undefined;
    const history = this.accepted.get(stream);
    if (history === undefined) this.accepted.set(stream, [{ message, envelope }]);
    else history.push({ message, envelope });
    this.check(message, envelope);
  }

  private check({ subject }: LogMessage, envelope: Envelope | undefined): void {
    // Ticks carry no tag, and claims that of what was said before: they answer nothing.
    if (envelope === undefined || envelope.sequence === 0 || envelope.claim) return;
    const { sequence, part, watermarkMs = -Infinity } = envelope;
    const before = this.said.get(subject) ?? { sequence: 0, part: 0, watermarkMs: -Infinity };
    if (sequence < before.sequence || (sequence === before.sequence && part <= before.part)) {
      this.failure ??= new Error(
        `${subject}: input ${sequence} part ${part} was answered after ${before.sequence} part ${before.part}`,
      );
    }
    if (envelope.watermarkMs !== undefined && watermarkMs < before.watermarkMs) {
      this.failure ??= new Error(`${subject}: the watermark went back from ${before.watermarkMs} to ${watermarkMs}`);
    }
    this.said.set(subject, { sequence, part, watermarkMs: Math.max(watermarkMs, before.watermarkMs) });
  }
}
