/**
 * An actor: one instance of a stage with its mailbox, its outbox and its state on disk. A failure ends it, and the supervisor opens a new one.
 *
 * Invariants
 *   ACTOR-1  State is a function of the mailbox in stream order: a restart processes what follows the snapshot's sequence. It reads from that sequence
 *            on, to check that the message there is still the one that was processed.
 *   ACTOR-2  One input is one step: it is processed and its output handed to the outbox without an await in between, so that a snapshot is always cut
 *            between two inputs.
 *   ACTOR-3  Memory is bounded: prefetch by the reader, unacknowledged outputs by `room`.
 */
import type { ActorOptions } from './options.js';
import { InputDigest } from './input-digest.js';
import { mailboxRecord } from './quarantine.js';
import { fnv1a, utf8 } from '../frames/bytes.js';
import { asError } from '../contract/errors.js';
import { MailboxProcessor, residentStates, StepError } from './processor.js';
import { streamOf } from '../contract/graph.js';
import { Predecessors } from '../log-integrity/predecessors.js';
import { storedStates, instancePrefix } from '../state/keyspace.js';
import { FOREIGN } from '../log-integrity/last-message.js';
import { openOutbox, type Outbox, ownerOf } from './outbox.js';
import { Pace } from './pace.js';
import type { LogMessage, Reader, Waiting } from '../contract/ports.js';
import { judgeLastRead, judgeTrim, mustFit } from '../log-integrity/verdict.js';
import { judgeOutputs, type RecoveredSnapshot, recoverSnapshot } from './recovery.js';
import { Snapshotter } from './snapshotter.js';
import { recordForeign, recordStep } from '../telemetry/status.js';
import { filtersOf, mailboxEnd, publishersSubject, readsAll, writersOf } from '../contract/streams.js';
import { Gaps } from '../log-integrity/gaps.js';

export class Actor {
  private stopping = false;
  private failure: Error | undefined;
  /** Of a stage that makes watermarks itself. */
  private reportedWatermarkMs: number | null = null;
  private readonly writers: ReadonlySet<string>;
  private readonly pace: Pace;
  private constructor(
    private readonly options: ActorOptions,
    readonly processor: MailboxProcessor,
    private readonly outbox: Outbox,
    private readonly reader: Reader,
    private readonly snapshotter: Snapshotter,
    private readonly abort: AbortController,
    private readonly lastRead: Predecessors,
    private readonly restored: RecoveredSnapshot,
    private readonly inputs: InputDigest,
    /** Only of a stage that reads publishers' messages: shows which are missing. */
    private readonly gaps: Gaps | undefined,
  ) {
    this.pace = new Pace(options.clock, options.tuning.frameEveryMs);
    this.writers = writersOf(options.topology, options.stage.id, options.partition);
  }

  /** Recovers the last snapshot, and reads which outputs are published already. */
  static async open(options: ActorOptions): Promise<Actor> {
    const { topology, stage, partition, log, store } = options;
    const restored = await recoverSnapshot(options);
    const { sequence } = restored;
    const abort = new AbortController();
    // The lanes first: an owner records a trim before it claims every lane. Whoever opened the lanes before the claim and saw no record is fenced by it.
    const outbox = await openOutbox(options, abort.signal, restored.published);
    mustFit(await judgeOutputs(options, restored, outbox.lanes));
    const name = `${stage.id}.${partition}`;
    const stream = streamOf(stage.id);
    const { quarantined, rows, failedIn, trimmed, gone } = await mailboxRecord(options, restored);
    mustFit(judgeTrim(name, stream, sequence, trimmed));
    const stored = await storedStates(store, stage, partition, residentStates(stage), options.turn);
    const { first, sequence: last } = options.suspects ?? {};
    const suspect = first === last ? last : undefined;
    const refused = [quarantined, rows, suspect, failedIn] as const;
    const processor = new MailboxProcessor(topology, stage, partition, stored, ...refused);
    const gaps = readsAll(topology, stage.id) ? new Gaps(name, stream, sequence, gone) : undefined;
    const inputs = new InputDigest(name, stream, restored, outbox.lanes, gone);
    const lastRead = new Predecessors(name, sequence, restored.lastRead, gone, gaps !== undefined);
    const filters = filtersOf(topology, stage.id, partition);
    const reader = await log.read(stream, { filters, from: sequence });
    const snapshotter = new Snapshotter(options, processor, outbox, lastRead, inputs, restored);
    options.status.sequence = sequence;
    // What is missing at the end of a stream shows only with the next message, which the clock writes.
    options.status.replayTo =
      gaps === undefined ? await mailboxEnd(log, stream, filters) : Math.max(sequence, restored.lastSequence);
    options.status.snapshotSequence = sequence;
    options.status.unsavedSinceMs = undefined;
    options.status.lastStoredAtMs ||= restored.storedAtMs;
    const actor = new Actor(options, processor, outbox, reader, snapshotter, abort, lastRead, restored, inputs, gaps);
    outbox.onFailed = (error) => {
      actor.fail(error);
    };
    actor.report();
    return actor;
  }

  /** Works until `stop`, or throws what went wrong. */
  async run(): Promise<void> {
    const snapshots = this.snapshotRegularly();
    let rest: readonly LogMessage[] = [];
    try {
      for (;;) {
        if (this.pace.waitMs > 0) await this.options.clock.sleep(this.pace.waitMs, this.abort.signal);
        // `stop` and `fail` close the reader, so this wait always ends.
        const messages = await this.reader.take(this.options.tuning.frameMessages);
        if (this.failure !== undefined) throw this.failure;
        if (messages.length === 0) break;
        const news = this.behindSnapshot(messages);
        if (this.gaps !== undefined) mustFit(this.gaps.check(news));
        rest = await this.takeAll(rest.length === 0 ? news : [...rest, ...news]);
      }
      if (this.stopping) await this.snapshotter.snapshot();
    } finally {
      this.abort.abort();
      await this.reader.close();
      await snapshots;
      this.processor.instance.stop();
    }
  }

  /** Without the message that the snapshot ends with, which is the first one unless it was trimmed. */
  private behindSnapshot(messages: readonly LogMessage[]): readonly LogMessage[] {
    const first = messages[0]!;
    if (first.sequence !== this.restored.sequence) return messages;
    const { stage, partition } = this.options;
    mustFit(judgeLastRead(`${stage.id}.${partition}`, streamOf(stage.id), this.restored, first));
    return messages.slice(1);
  }

  /** Reads no more; `run` then writes a last snapshot and ends. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.reader.close();
  }

  /** Messages in its mailbox that it has not processed yet, as far as that is known. */
  get waiting(): Waiting | undefined {
    return this.reader.waiting?.(this.options.status.sequence);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    void this.reader.close();
  }

  /** Returns the messages that must wait for those that follow them. */
  private async takeAll(messages: readonly LogMessage[]): Promise<readonly LogMessage[]> {
    const { inFlightMessages, inFlightBytes, snapshotEveryBytes } = this.options.tuning;
    for (let at = 0; at < messages.length && !this.stopping;) {
      const raw = this.processor.isRaw(messages[at]!);
      // A batch of publishers' messages is what arrived while the one before was processed and published; everything else is pipelined.
      await this.outbox.room(raw ? 0 : inFlightMessages, inFlightBytes);
      const end = raw ? this.batchEnd(messages, at) : at + 1;
      // Foreign subjects are not remembered: there may be as many as messages.
      if (!raw && this.writers.has(messages[at]!.subject)) mustFit(this.lastRead.check(messages[at]!));
      if (end === 0) return messages.slice(at).map((message) => ({ ...message, data: Uint8Array.from(message.data) }));
      this.step(messages.slice(at, end), raw);
      if (raw) this.pace.began();
      at = end;
      const turn = this.options.turn?.();
      if (turn !== undefined) await turn;
      if (this.snapshotter.bytesSince > snapshotEveryBytes) await this.snapshotter.snapshot();
    }
    return [];
  }

  /** One input, from start to end, synchronously (ACTOR-2). */
  private step(messages: readonly LogMessage[], raw: boolean): void {
    const { status, onAnswered, logger, stage } = this.options;
    const first = messages[0]!;
    const last = messages.at(-1)!;
    const isForeign = !raw && (last.expected === undefined || !this.writers.has(last.subject));
    // One with an owner was written by a stage that the topology of the version before had.
    if (isForeign && ownerOf(last) === undefined && recordForeign(status, last))
      logger.warn({ stream: streamOf(stage.id), ...status.foreign!.last }, FOREIGN);
    const startedAt = performance.now();
    const rowsBefore = this.processor.rowsIn;
    let rowsOut = 0;
    // A foreign message changes no state, so a replay may find it missing.
    if (!isForeign) for (const message of messages) mustFit(this.inputs.take(message));
    try {
      const { answer, ingestedAtMs } = raw
        ? { answer: this.processor.takeRaw(messages), ingestedAtMs: first.storedAtMs }
        : this.processor.take(last, isForeign);
      const head = { first: first.sequence, sequence: last.sequence, inputsDigest: this.inputs.digest, ingestedAtMs };
      rowsOut = answer.enqueueTo({ ...head, ...this.processor.head }, this.outbox.lanes);
      this.reportedWatermarkMs = answer.reportedWatermarkMs ?? this.reportedWatermarkMs;
      if (ingestedAtMs !== undefined) onAnswered?.(ingestedAtMs);
    } catch (error) {
      this.processor.traces.end(asError(error));
      throw error instanceof StepError ? error : new StepError(first.sequence, last.sequence, asError(error));
    }
    let bytes = 0;
    for (const { subject, data } of messages) {
      this.snapshotter.took(last, raw ? publishersSubject(subject) : subject, data.length);
      bytes += data.length;
    }
    const rows = this.processor.rowsIn - rowsBefore;
    const step = { messages: messages.length, rows, bytes, rowsOut, ms: performance.now() - startedAt };
    recordStep(status, step, this.processor.instance.tallies);
    status.unsavedSinceMs ??= this.options.clock.nowMs();
    status.sequence = last.sequence;
    status.lastStoredAtMs = last.storedAtMs;
    this.report();
  }

  /**
   * The end of the batch that starts at `at`: bounded, and cut where an earlier incarnation cut. When some parts of a batch's
   * output are published already, the batch must be the same again, whatever the bounds, since its parts are counted: 0 when the rest of it has not
   * been read yet.
   */
  private batchEnd(messages: readonly LogMessage[], at: number): number {
    const { frameMessages, frameBytes } = this.options.tuning;
    const { suspects } = this.options;
    const { quarantinedInputs } = this.processor;
    const { sequence } = messages[at]!;
    const cuts: number[] = [];
    for (const { published: published } of this.outbox.lanes.values()) {
      if (!published.lastPart && published.first <= sequence && sequence <= published.sequence) {
        const last = messages.findIndex((message) => message.sequence >= published.sequence);
        // It may be lost.
        return last < 0 || messages[last]!.sequence === published.sequence ? last + 1 : last;
      }
      cuts.push(published.sequence, published.first - 1);
    }
    if (suspects !== undefined && suspects.first <= sequence && sequence <= suspects.sequence) return at + 1;
    let bytes = messages[at]!.data.length;
    let end = at + 1;
    for (; end < messages.length && end - at < frameMessages && bytes < frameBytes; end++) {
      const message = messages[end]!;
      const before = messages[end - 1]!.sequence;
      if (!this.processor.isRaw(message) || quarantinedInputs.has(before) || quarantinedInputs.has(message.sequence))
        break;
      if (cuts.some((cut) => before <= cut && cut < message.sequence)) break;
      bytes += message.data.length;
    }
    return end;
  }

  private async snapshotRegularly(): Promise<void> {
    const { clock, tuning, stage } = this.options;
    const { signal } = this.abort;
    const everyMs = tuning.snapshotEveryMs * (stage.snapshotEvery ?? 1);
    // Instances start together; their snapshots must not coincide.
    const share = fnv1a(utf8(instancePrefix(this.options.stage.id, this.options.partition))) / 2 ** 32;
    // The first one soon, however far apart they are: until then nothing of it is stored or copied.
    for (let waitMs = tuning.snapshotEveryMs * share; ; waitMs = everyMs) {
      await clock.sleep(waitMs, signal);
      if (signal.aborted) return;
      try {
        await this.snapshotter.snapshot();
      } catch (error) {
        this.fail(asError(error));
        return;
      }
    }
  }

  /** After each step: only what costs nothing to know. */
  private report(): void {
    const { status } = this.options;
    const { epoch, watermarkMs, asOfMs, finished } = this.processor.alignment.state;
    status.epoch = epoch;
    status.watermarkMs = this.reportedWatermarkMs ?? watermarkMs;
    status.asOfMs = asOfMs;
    status.finished = finished;
    status.counters = this.processor.instance.counts();
    status.bufferedMessages = this.processor.buffer.count;
    status.bufferedBytes = this.processor.buffer.bytes;
    status.quarantined = this.processor.quarantined;
    status.unacknowledged = this.outbox.waiting;
  }
}
