/**
 * Snapshots of one instance.
 *
 * Invariants
 *   SNAPSHOTTER-1  A snapshot is cut between two inputs and written only when every output of the inputs before the cut is acknowledged.
 *   SNAPSHOTTER-2  It is one atomic batch: what changed, and the sequence that it includes.
 *   SNAPSHOTTER-3  The stream is trimmed only behind a written snapshot and its copy, and the last message of each writer's subject stays. What strangers have
 *                  written goes as a whole.
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
  /** The sequence that the copy of the snapshot includes: what is behind it may still be needed. Absent: no copies are made. */
  readonly copied?: () => number;
  /** Hears that a copy is wanted now: the mailbox has grown, and it alone keeps it from being trimmed. */
  readonly onCopyWanted?: () => void;
  /** Asked after each key whether to let other work go first; absent: never. */
  readonly turn?: Scheduler;
}

/** Snapshots that are told apart by how much input they include; it is less exact when as many wait for a copy. */
const UNTRIMMED_MAX = 64;
/** Subjects of strangers that are remembered at once: they may make up as many as there are messages. What is on others stays in the stream. */
const STRANGERS_MAX = 1_000;

export class Snapshotter {
  private running: Promise<void> | undefined;
  /** The last message taken in of each subject, and below which one it was trimmed. */
  private readonly seen = new Map<string, number>();
  /** The same of subjects that nobody of ours writes to; forgotten when it is trimmed. */
  private readonly strangers = new Map<string, number>();
  private readonly writers: ReadonlySet<string>;
  /** With those that are written to in a repartition. */
  private readonly known: ReadonlySet<string>;
  private readonly trimmed = new Map<string, number>();
  /** Subjects of which an earlier incarnation may have left more than it need. */
  private readonly left: string[] = [];
  private sequence: number;
  private storedAtMs: number;
  private written: number;
  private trimmedAtMs = -Infinity;
  /** Bytes taken in: so far, with each of the snapshots behind the last trim, and up to there. */
  private bytes = 0;
  private readonly bytesAt: { readonly sequence: number; readonly bytes: number }[] = [];
  private bytesTrimmed = 0;
  bytesSince = 0;

  constructor(
    private readonly options: SnapshotterOptions,
    private readonly fold: MailboxProcessor,
    private readonly outbox: Outbox,
    private readonly lastRead: Predecessors,
    private readonly answered: InputDigest,
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

  /** An input was taken in. `subject`: which subject may be trimmed below it. */
  took(message: Pick<LogMessage, 'sequence' | 'storedAtMs' | 'expected'>, subject: string, bytes: number): void {
    const { sequence, storedAtMs, expected } = message;
    const isRecord = expected !== undefined && !this.fold.buried.has(sequence);
    this.sequence = sequence;
    this.storedAtMs = storedAtMs;
    this.bytesSince += bytes;
    this.bytes += bytes;
    if (!this.known.has(subject)) {
      if (this.strangers.size < STRANGERS_MAX || this.strangers.has(subject)) this.strangers.set(subject, sequence);
      return;
    }
    // What a stranger has written on a line is nobody's record: the one that must stay is below it (SNAPSHOTTER-3).
    if (isRecord || !this.writers.has(subject)) this.seen.set(subject, sequence);
  }

  /** Writes what changed since the last one, where input came, and trims. One at a time. */
  async snapshot(): Promise<void> {
    while (this.running !== undefined) await this.running;
    const isNew = this.sequence !== this.written;
    // A full stream brings no input and so no next snapshot: what could not be trimmed is tried again.
    if (!isNew && this.left.length === 0 && this.droppable().length === 0) return;
    this.running = (isNew ? this.write() : this.trim()).finally(() => (this.running = undefined));
    await this.running;
  }

  private async write(): Promise<void> {
    const { stage, partition, topology, store, status, copied, clock } = this.options;
    const startedAt = performance.now();
    const cutAtMs = clock.nowMs();
    // What belongs to the cut: encoding it takes a while, and inputs go on.
    const { sequence, storedAtMs, bytes } = this;
    const lastRead = this.lastRead.all;
    const inputsDigest = this.answered.digest;
    this.bytesSince = 0;
    const prefix = instancePrefix(stage.id, partition);
    // The outputs of what was taken in so far, and no more than those (SNAPSHOTTER-1).
    const [writes] = await Promise.all([this.encoded(this.fold.cut(), prefix), this.outbox.settled()]);
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
    this.fold.written();
    this.written = sequence;
    if (this.bytesAt.length < UNTRIMMED_MAX) this.bytesAt.push({ sequence, bytes });
    status.snapshotSequence = sequence;
    status.unsavedSinceMs = this.sequence === sequence ? undefined : cutAtMs;
    const size = writes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    recordSnapshot(status, performance.now() - startedAt, size);
    await this.trim();
  }

  /** NATS may be away for a moment: that is no reason to begin anew. */
  private record(): Promise<MailboxRecord> {
    const { clock, logger } = this.options;
    const patiently = retryThroughFailover(clock, (error) => logger.debug({ err: error }, 'a snapshot waits for NATS'));
    return patiently(() => mailboxRecord(this.options, this.restored));
  }

  /** Encoded piece by piece: inputs go on in between, and change nothing of it (STATE-3). */
  private async encoded(cut: Iterable<StateChange>, prefix: string): Promise<StoreChange[]> {
    const writes: StoreChange[] = [];
    for (const { cell, key, value } of cut) {
      writes.push({ key: `${prefix}${cell}/${key}`, value });
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
    const strangers = [...this.strangers].map(([subject, last]): [string, number] => [subject, last + 1]);
    // The message that the snapshot ends with stays, whoever wrote it: the stream must never seem to end before it.
    return [...ours, ...strangers.filter(([, below]) => below < bound)];
  }

  /** By this instance's share, since it was trimmed? */
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
      // Without copies nobody begins from an older snapshot, but a repair may begin from none. Of frames either sees the gap itself.
      if (copied !== undefined || readsPublishers) {
        await recordTrim(this.options, Math.max(...droppable.map(([, below]) => below)));
      }
      // Another owner that has not seen the record has opened its lanes before, and is refused on them from now on: it may have read on behind
      // publishers' messages that are gone.
      if (copied !== undefined && readsPublishers) {
        await this.outbox.claim((subject) => browsableLogOf(topology, subject) === undefined);
      }
      this.trimmedAtMs = clock.monotonicMs();
      const bound = copied?.() ?? Infinity;
      while (this.bytesAt.length > 0 && this.bytesAt[0]!.sequence <= bound)
        this.bytesTrimmed = this.bytesAt.shift()!.bytes;
      // A writer's last message is its record, and stays (SNAPSHOTTER-3).
      for (const [subject, below] of droppable) {
        await log.purge(stream, subject, below);
        if (!this.strangers.has(subject)) this.trimmed.set(subject, below);
        else if (this.strangers.get(subject)! < below) this.strangers.delete(subject);
      }
    } catch (error) {
      // The stream only stays longer than it need; it is tried again.
      logger.warn({ err: error }, 'cannot trim the stream now');
    }
  }
}
