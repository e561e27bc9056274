/**
 * The log server of a simulated world: stores, restarts, lies. It keeps all that was ever accepted, trimmed or not, and checks each message
 * as it is accepted.
 *
 * Invariants that it checks
 *   LOG-SERVER-1  On a writer's subject output positions rise: one accepted writer, nothing twice.
 *   LOG-SERVER-2  A writer's watermark never goes back.
 */
import type { Envelope } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { PUBLISHERS, streamOf, type Topology, writerOf } from '../../runtime/contract/graph.js';
import type { LogMessage } from '../../runtime/contract/ports.js';
import { partsIn } from '../../runtime/frames/joined.js';
import { hasPublishers, streamsOf } from '../../runtime/contract/streams.js';
import { MemoryLog, type SavedStream } from '../support/memory-log.js';
import type { Schedule } from './schedule.js';
import { Violation } from './violation.js';

interface Said {
  readonly sequence: number;
  readonly part: number;
  readonly watermarkMs: number;
}

/** A part of a message. */
export interface Accepted {
  readonly message: LogMessage;
  /** Absent: a publisher's message, which is nobody's record. */
  readonly envelope: Envelope | undefined;
  /** The log holds it no more, and not because it was trimmed: its writer may say it again. */
  lost?: boolean;
}

const isLostClaim = ({ lost, envelope }: Accepted): boolean => lost === true && envelope?.claim === true;

export class LogServer {
  readonly log: MemoryLog;
  restarts = 0;
  /** What is wrong with what was accepted. */
  failure: Violation | undefined;
  /** Its wall clock, against the world's. */
  offsetMs = 0;
  private readonly accepted = new Map<string, Accepted[]>();
  private readonly said = new Map<string, Said>();
  private readonly synced = new Map<string, number>();
  private saved: readonly SavedStream[] = [];
  /** Subjects that have lost their last message, and whose writer has not spoken since: nobody need have noticed. */
  private readonly silent = new Set<string>();
  /** Streams that ended at an earlier message again. */
  private readonly cut = new Set<string>();

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

  /** Has the end of a subject gone, and its writer said nothing since? */
  get hasSilent(): boolean {
    return this.silent.size > 0;
  }

  /** All that a stream has accepted, trimmed or not, part by part. */
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
    this.saved = this.log.streamNames().map((stream) => this.log.saved(stream));
  }

  /** Under nodes that run on, no browsable logs: those are for people, who may delete of them what they want. */
  private streams(underLife: boolean): string[] {
    return underLife ? this.topology.stages.map(({ id }) => streamOf(id)) : this.log.streamNames();
  }

  /** Publishers would send what of theirs is lost again, in another order: only the end of their streams is ever lost here (rollBack). */
  private innerStreams(): string[] {
    return this.topology.stages.filter(({ id }) => !hasPublishers(this.topology, id)).map(({ id }) => streamOf(id));
  }

  /** All is as it was when it was synced last. */
  putBack(): void {
    this.restarts++;
    for (const saved of this.saved) {
      this.log.putBack(saved);
      this.cutOff(saved.spec.name, saved.lastSequence);
    }
  }

  /** The messages of a stream are gone, and it goes on counting. */
  purge(): void {
    const stream = this.schedule.pick(this.innerStreams());
    this.lose(stream, () => true);
  }

  /** The last messages of a subject are gone. */
  shorten(): void {
    const stream = this.schedule.pick(this.innerStreams());
    const messages = this.log.messages(stream);
    if (messages.length === 0) return;
    const { sequence, subject } = this.schedule.pick(messages);
    this.lose(stream, (message) => message.subject === subject && message.sequence >= sequence);
  }

  loseOne(): void {
    const stream = this.schedule.pick(this.innerStreams());
    const messages = this.log.messages(stream);
    if (messages.length === 0) return;
    const { sequence } = this.schedule.pick(messages);
    this.lose(stream, (message) => message.sequence === sequence);
  }

  /** These were given up: nobody has read them, nor will. */
  giveUp(stream: string, isGone: (sequence: number) => boolean): void {
    this.forget(stream, ({ message }) => !isGone(message.sequence));
  }

  /** All nodes start again. A claim is not made again as answers are: who had read one that is gone is refused, to all others it was never there. */
  forgetLostClaims(): void {
    for (const stream of this.accepted.keys()) {
      this.forget(stream, (one) => !isLostClaim(one) || !this.silent.has(one.message.subject));
    }
  }

  private lose(stream: string, isLost: (message: LogMessage) => boolean): void {
    const lost = new Set(
      this.log
        .messages(stream)
        .filter(isLost)
        .map(({ sequence }) => sequence),
    );
    this.schedule.note(() => `${stream} loses ${[...lost].join()}`);
    for (const sequence of lost) this.log.lose(stream, sequence);
    const ends = new Map<string, Accepted>();
    for (const accepted of this.history(stream)) {
      if (lost.has(accepted.message.sequence)) accepted.lost = true;
      ends.set(accepted.message.subject, accepted);
    }
    for (const [subject, end] of ends) if (end.lost === true) this.silent.add(subject);
  }

  losePower(): void {
    this.restarts++;
    for (const stream of this.log.streamNames()) {
      const [synced, end] = [this.synced.get(stream) ?? 0, this.ends(stream)];
      this.cutBack(stream, synced + this.schedule.below(end - synced + 1));
    }
  }

  /** A stream is put back to an earlier state. */
  rollBack(underLife: boolean): void {
    this.restarts++;
    const stream = this.schedule.pick(this.streams(underLife));
    this.cutBack(stream, this.schedule.below(this.ends(stream) + 1));
  }

  /** A stream is deleted, and made anew empty. */
  async deleteOne(): Promise<void> {
    this.restarts++;
    const stream = this.schedule.pick(this.log.streamNames());
    this.schedule.note(() => `${stream} is deleted`);
    this.log.deleteStream(stream);
    this.forget(stream, () => false);
    await this.ensureStreams();
  }

  private ends(stream: string): number {
    return this.history(stream).at(-1)?.message.sequence ?? 0;
  }

  private cutBack(stream: string, lastSequence: number): void {
    this.schedule.note(() => `${stream} ends at ${lastSequence} again, not at ${this.ends(stream)}`);
    this.log.rollBack(stream, lastSequence);
    this.cutOff(stream, lastSequence);
  }

  private cutOff(stream: string, lastSequence: number): void {
    this.cut.add(stream);
    for (const { message } of this.history(stream)) {
      if (message.sequence > lastSequence) this.silent.add(message.subject);
    }
    this.forget(stream, ({ message }) => message.sequence <= lastSequence);
  }

  private forget(stream: string, stays: (accepted: Accepted) => boolean): void {
    const kept = this.history(stream).filter(stays);
    for (const { message } of this.history(stream)) this.said.delete(message.subject);
    this.accepted.set(stream, kept);
    for (const { message, envelope } of kept) this.check(message, envelope);
  }

  private take(stream: string, message: LogMessage): void {
    const { id } = writerOf(message.subject);
    const isOurs = !PUBLISHERS.has(id) && !/^rivulet\.(events|items|quarantine)\./.test(message.subject);
    for (const envelope of isOurs ? partsIn(message.data) : [undefined]) {
      if (envelope !== undefined) this.forgetWhatIsSaidAgain(stream, message, envelope);
      this.silent.delete(message.subject);
      const history = this.accepted.get(stream);
      if (history === undefined) this.accepted.set(stream, [{ message, envelope }]);
      else history.push({ message, envelope });
      this.check(message, envelope);
    }
  }

  /** Of a subject that has lost messages, what is said again counts once. */
  private forgetWhatIsSaidAgain(stream: string, { subject, expected = 0 }: LogMessage, envelope: Envelope): void {
    const { first, sequence, part, claim } = envelope;
    const own = this.history(stream).filter(({ message }) => message.subject === subject);
    const hasLost = own.some(({ lost }) => lost === true);
    // Where the end was cut off, what stood before it may have been trimmed, or was then by somebody who did not know: then there is no record either.
    if (!hasLost && !(expected === 0 && this.cut.has(stream))) return;
    const isAgain = ({ envelope: before }: Accepted): boolean =>
      before !== undefined && before.sequence >= first && !(before.sequence === sequence && before.part < part);
    const answers = !claim && sequence > 0;
    const again = new Set(
      // The writer has opened its line anew: it does not know of a claim behind the message that it names.
      own.filter((one) => (answers && isAgain(one)) || (isLostClaim(one) && one.message.sequence > expected)),
    );
    if (again.size > 0) this.forget(stream, (one) => !again.has(one));
  }

  private check({ subject }: LogMessage, envelope: Envelope | undefined): void {
    // Ticks carry no tag, and claims that of what was said before: they answer nothing.
    if (envelope === undefined || envelope.sequence === 0 || envelope.claim) return;
    const { sequence, part, watermarkMs = -Infinity } = envelope;
    const before = this.said.get(subject) ?? { sequence: 0, part: 0, watermarkMs: -Infinity };
    if (sequence < before.sequence || (sequence === before.sequence && part <= before.part)) {
      this.failure ??= new Violation(
        `${subject}: input ${sequence} part ${part} was answered after ${before.sequence} part ${before.part}`,
      );
    }
    if (envelope.watermarkMs !== undefined && watermarkMs < before.watermarkMs) {
      this.failure ??= new Violation(
        `${subject}: the watermark went back from ${before.watermarkMs} to ${watermarkMs}`,
      );
    }
    this.said.set(subject, { sequence, part, watermarkMs: Math.max(watermarkMs, before.watermarkMs) });
  }
}
