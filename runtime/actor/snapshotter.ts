/**
 * Snapshots of one instance.
 *
 * Invariants
 *   SNAPSHOTTER-1  A snapshot is cut between two inputs and written only when every output of the inputs before the cut is acknowledged.
 *   SNAPSHOTTER-2  It is one atomic batch: what changed, and the sequence that it includes.
 *   SNAPSHOTTER-3  The stream is trimmed only up to a written snapshot and its copy, and the last message of each writer's subject stays. Foreign messages
 *                  are all removed.
 */
import type { InputDigest } from './input-digest.js';
import { type MailboxRecord, mailboxRecord, recordTrim } from './quarantine.js';
import type { MailboxProcessor } from './processor.js';
import type { Predecessors } from '../log-integrity/predecessors.js';
import { streamOf } from '../contract/graph.js';
import type { StateChange } from './instance.js';
import { changedRecord, encodeHead, headIdentity, headKey, instancePrefix } from '../state/keyspace.js';
import { retryThroughFailover } from '../supervision/retry.js';
import { isForeign } from '../log-integrity/last-message.js';
import { type Outbox } from './outbox.js';
import { judgeTrim, mustFit } from '../log-integrity/verdict.js';
import type { InstanceParts, RecoveredSnapshot } from './recovery.js';
import type { Clock, Logger, LogMessage, StoreChange } from '../contract/ports.js';
import { type ActorStatus, recordSnapshot } from '../telemetry/status.js';
import { hasPublishers, browsableLogOf, mailboxSubjects, writersOf } from '../contract/streams.js';
import type { Scheduler } from '../shards/scheduler.js';

export interface SnapshotterOptions extends InstanceParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tuning: { readonly trimEveryMs: number; readonly snapshotEveryBytes: number };
  readonly status: ActorStatus;
  /** The sequence that the copy of the snapshot includes: what follows it may still be needed. Absent: no copies are made. */
  readonly copied?: () => number;
  /** Called when a copy is needed now: the mailbox has grown, and only the missing copy prevents a trim. */
  readonly onCopyWanted?: () => void;
  /** Called after each key, to let other work go first; absent: never. */
  readonly turn?: Scheduler;
}

/** Snapshots whose size of input is recorded until the trim; less exact when more wait for a copy. */
const UNTRIMMED_MAX = 64;
/** Foreign subjects that are remembered at once: there may be as many as messages. Messages on others stay in the stream. */
const FOREIGN_SUBJECTS_MAX = 1_000;

export class Snapshotter {
  private running: Promise<void> | undefined;
  /** The last message processed of each subject; `trimmed`: below which one it was trimmed. */
  private readonly seen = new Map<string, number>();
  /** The same for foreign subjects; forgotten when they are trimmed. */
  private readonly foreign = new Map<string, number>();
  private readonly writers: ReadonlySet<string>;
  /** The writers, and those of a repartition. */
  private readonly known: ReadonlySet<string>;
  private readonly trimmed = new Map<string, number>();
  /** Subjects that an earlier incarnation may have left untrimmed. */
  private readonly left: string[] = [];
  private sequence: number;
  private storedAtMs: number;
  private written: number;
  private trimmedAtMs = -Infinity;
  /** Bytes processed: so far, up to each snapshot since the last trim, and up to the last trim. */
  private bytes = 0;
  private readonly bytesAt: { readonly sequence: number; readonly bytes: number }[] = [];
  private bytesTrimmed = 0;
  bytesSince = 0;

  constructor(
    private readonly options: SnapshotterOptions,
    private readonly processor: MailboxProcessor,
    private readonly outbox: Outbox,
    private readonly lastRead: Predecessors,
    private readonly inputs: InputDigest,
    private readonly restored: RecoveredSnapshot,
  ) {
    const { sequence, storedAtMs } = restored;
    this.sequence = sequence;
    this.storedAtMs = storedAtMs;
    this.written = sequence;
    const { writers, publishers } = mailboxSubjects(options.topology, options.stage.id, options.partition);
    this.writers = new Set(writers);
    this.known = new Set([...writersOf(options.topology, options.stage.id, options.partition), ...publishers]);
    if (sequence === 0) return;
    this.left.push(...writers);
    for (const subject of publishers) this.seen.set(subject, sequence);
  }

  /** An input was processed. `subject`: the subject that may be trimmed below it. */
  took(message: Pick<LogMessage, 'sequence' | 'storedAtMs' | 'expected'>, subject: string, bytes: number): void {
    const { sequence, storedAtMs, expected } = message;
    const isRecord = expected !== undefined && !this.processor.quarantinedInputs.has(sequence);
    this.sequence = sequence;
    this.storedAtMs = storedAtMs;
    this.bytesSince += bytes;
    this.bytes += bytes;
    if (!this.known.has(subject)) {
      if (this.foreign.size < FOREIGN_SUBJECTS_MAX || this.foreign.has(subject)) this.foreign.set(subject, sequence);
      return;
    }
    // A foreign message on a lane is not the writer's last: that one is below it and must stay (SNAPSHOTTER-3).
    if (isRecord || !this.writers.has(subject)) this.seen.set(subject, sequence);
  }

  /** Writes what changed since the last one, if there was input, and trims. One at a time. */
  async snapshot(): Promise<void> {
    while (this.running !== undefined) await this.running;
    const isNew = this.sequence !== this.written;
    // A full stream accepts no input, so there would be no next snapshot: a trim that failed is tried again.
    if (!isNew && this.left.length === 0 && this.droppable().length === 0) return;
    this.running = (isNew ? this.write() : this.trim()).finally(() => (this.running = undefined));
    await this.running;
  }

  private async write(): Promise<void> {
    const { stage, partition, topology, store, status, copied, clock } = this.options;
    const startedAt = performance.now();
    const cutAtMs = clock.nowMs();
    // Read at the cut: encoding takes a while, and inputs go on.
    const { sequence, storedAtMs, bytes } = this;
    const lastRead = this.lastRead.all;
    const inputsDigest = this.inputs.digest;
    this.bytesSince = 0;
    const prefix = instancePrefix(stage.id, partition);
    // Waits for the outputs of the inputs processed so far, and only for those (SNAPSHOTTER-1).
    const [writes] = await Promise.all([this.encoded(this.processor.cut(), prefix), this.outbox.settled()]);
    if (copied !== undefined) writes.push(changedRecord(stage.id, partition, sequence, writes));
    const head = {
      ...headIdentity(stage, topology.count(stage.id)),
      ...{ sequence, storedAtMs, inputsDigest },
      stream: this.restored.identity,
      lastRead,
    };
    const lanes = [...this.outbox.lanes];
    const published = Object.fromEntries(lanes.map(([subject, lane]) => [subject, lane.lastSequence]));
    const answered = Object.fromEntries(lanes.map(([subject, lane]) => [subject, lane.answered]));
    writes.push({ key: headKey(stage.id, partition), value: encodeHead({ ...head, published, answered }) });
    // Frames name the one before them (log-integrity/predecessors.ts); a gap among publishers' messages shows nowhere else.
    if (copied !== undefined && hasPublishers(topology, stage.id)) {
      const { trimmed } = await this.record();
      mustFit(judgeTrim(`${stage.id}.${partition}`, streamOf(stage.id), this.written, trimmed));
    }
    await store.write(writes);
    this.processor.written();
    this.written = sequence;
    if (this.bytesAt.length < UNTRIMMED_MAX) this.bytesAt.push({ sequence, bytes });
    status.snapshotSequence = sequence;
    status.unsavedSinceMs = this.sequence === sequence ? undefined : cutAtMs;
    const size = writes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    recordSnapshot(status, performance.now() - startedAt, size);
    await this.trim();
  }

  /** A short outage of NATS is no reason to restart the actor. */
  private record(): Promise<MailboxRecord> {
    const { clock, logger } = this.options;
    const withRetry = retryThroughFailover(clock, (error) => logger.debug({ err: error }, 'a snapshot waits for NATS'));
    return withRetry(() => mailboxRecord(this.options, this.restored));
  }

  /** Encoded piece by piece: inputs that are processed in between do not change it (STATE-3). */
  private async encoded(cut: Iterable<StateChange>, prefix: string): Promise<StoreChange[]> {
    const writes: StoreChange[] = [];
    for (const { state, key, value } of cut) {
      writes.push({ key: `${prefix}${state}/${key}`, value });
      const turn = this.options.turn?.();
      if (turn !== undefined) await turn;
    }
    return writes;
  }

  /** Subjects that can be trimmed, and below what: nobody will start from a snapshot that needs more. */
  private droppable(): [subject: string, below: number][] {
    const { copied, clock, tuning } = this.options;
    const isEarly = clock.monotonicMs() - this.trimmedAtMs < tuning.trimEveryMs && !this.hasGrown();
    if (copied !== undefined && isEarly) return [];
    const bound = Math.min(this.written, copied?.() ?? Infinity) + 1;
    const ours = [...this.seen]
      .map(([subject, last]): [string, number] => [subject, Math.min(last, bound)])
      .filter(([subject, below]) => below > (this.trimmed.get(subject) ?? 1));
    const foreign = [...this.foreign].map(([subject, last]): [string, number] => [subject, last + 1]);
    // The message that the snapshot ends with stays, whoever wrote it: otherwise the stream might seem to end before it.
    return [...ours, ...foreign.filter(([, below]) => below < bound)];
  }

  /** Has it grown by this instance's share since the last trim? */
  private hasGrown(): boolean {
    const { topology, stage, tuning } = this.options;
    return (this.bytes - this.bytesTrimmed) * topology.count(stage.id) >= tuning.snapshotEveryBytes;
  }

  private async trim(): Promise<void> {
    const { log, topology, stage, logger, copied, onCopyWanted, clock } = this.options;
    const stream = streamOf(stage.id);
    if (copied !== undefined && copied() < this.written && this.hasGrown()) onCopyWanted?.();
    try {
      for (let subject = this.left.at(-1); subject !== undefined; subject = this.left.at(-1)) {
        const last = await log.last(stream, subject);
        if (last !== undefined && !isForeign(last) && !this.seen.has(subject)) this.seen.set(subject, last.sequence);
        this.left.pop();
      }
      const droppable = this.droppable();
      if (droppable.length === 0) return;
      const readsPublishers = hasPublishers(topology, stage.id);
      // Without copies nobody starts from an older snapshot, but a repair may start from none. In frames a gap shows by itself.
      if (copied !== undefined || readsPublishers) {
        await recordTrim(this.options, Math.max(...droppable.map(([, below]) => below)));
      }
      // An owner that has not seen the record opened its lanes before it, and is fenced from now on: it may have read past publishers' messages that
      // are gone.
      if (copied !== undefined && readsPublishers) {
        await this.outbox.claim((subject) => browsableLogOf(topology, subject) === undefined);
      }
      this.trimmedAtMs = clock.monotonicMs();
      const bound = copied?.() ?? Infinity;
      while (this.bytesAt.length > 0 && this.bytesAt[0]!.sequence <= bound)
        this.bytesTrimmed = this.bytesAt.shift()!.bytes;
      // A writer's last message holds its output position, and stays (SNAPSHOTTER-3).
      for (const [subject, below] of droppable) {
        await log.purge(stream, subject, below);
        if (!this.foreign.has(subject)) this.trimmed.set(subject, below);
        else if (this.foreign.get(subject)! < below) this.foreign.delete(subject);
      }
    } catch (error) {
      // The stream is only longer than necessary, and the trim is tried again.
      logger.warn({ err: error }, 'cannot trim the stream now');
    }
  }
}
