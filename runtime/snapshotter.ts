/**
 * Snapshots of one instance.
 *
 * Invariants
 *   P1  A snapshot is cut between two inputs and written only when every output of the inputs before the cut is acknowledged.
 *   P2  It is one atomic batch: what changed, and the sequence that it includes.
 *   P3  The stream is trimmed only behind a written snapshot and its copy, and each subject's last message stays.
 */
import { mailboxRecord, noteTrim } from './buried.js';
import { fatal } from './errors.js';
import type { MailboxFold } from './fold.js';
import type { Heard } from './heard.js';
import { streamOf, type Topology } from './graph.js';
import type { StateChange } from './instance.js';
import { changedRecord, encodeHead, headKey, instancePrefix, readHead, SNAPSHOT_FORMAT } from './keyspace.js';
import type { Line, Outbox } from './outbox.js';
import type { Clock, Log, Logger, LogMessage, Store, StoreChange, StreamInfo } from './ports.js';
import type { AnyStage } from './stage.js';
import type { ActorStatus } from './status.js';
import { mailboxSubjects } from './streams.js';
import type { Turn } from './turns.js';

/** An instance, with what it lives on. */
export interface Instance {
  readonly topology: Topology;
  readonly stage: AnyStage;
  readonly partition: number;
  readonly log: Log;
  readonly store: Store;
}

export interface SnapshotterOptions extends Instance {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly knobs: { readonly trimEveryMs: number };
  readonly status: ActorStatus;
  /** The sequence that the copy of the snapshot includes: what is behind it may still be needed. Absent: no copies are made. */
  readonly copied?: () => number;
  /** Asked after each key whether to let other work go first; absent: never. */
  readonly turn?: Turn;
}

/** What the last snapshot includes (0 and nothing without one), and of which stream. */
export interface Restored {
  readonly sequence: number;
  /** When the log stored the message of that sequence; 0: not known. */
  readonly storedAtMs: number;
  readonly identity: string;
  readonly origins: NonNullable<StreamInfo['origins']>;
  /** Where that stream ended when it was asked. */
  readonly lastSequence: number;
  /** Per subject the sequence of the last message that had been said, and taken in. */
  readonly said: Readonly<Record<string, number>>;
  readonly heard: Readonly<Record<string, number>>;
}

const HINT =
  'the NATS store was rolled back, deleted or is another server: restore it, or see what can be done with `rivulet repair`';

/** The last snapshot, checked against its mailbox (design rule 8). */
export async function restoredSnapshot(options: Instance): Promise<Restored> {
  const { topology, stage, partition, log, store } = options;
  const stream = streamOf(stage.id);
  const head = readHead(store, stage, partition, topology.count(stage.id));
  const { lastSequence, identity, origins = [] } = await log.info(stream);
  if (head === undefined) return { sequence: 0, storedAtMs: 0, identity, origins, lastSequence, said: {}, heard: {} };
  const { sequence, storedAtMs, said, heard } = head;
  // Of a stream that this one was restored from counts what is in both.
  const upTo = head.stream === identity ? lastSequence : origins.find((one) => one.identity === head.stream)?.upTo;
  if (upTo !== undefined && upTo >= sequence)
    return { sequence, storedAtMs, identity, origins, lastSequence, said, heard };
  const found =
    upTo === undefined
      ? 'is another one than it was taken from'
      : head.stream === identity
        ? `ends at ${lastSequence}`
        : `was restored from a backup that ends at ${upTo}`;
  throw fatal(
    'LOG_BEHIND',
    `the snapshot of ${stage.id}.${partition} includes message ${sequence} of ${stream}, but that stream ${found}`,
    { hint: HINT },
  );
}

/**
 * The message that the snapshot ends with, read again. A log that was cut back and filled up by publishers ends behind the snapshot as before; but
 * another message has that number, stored at another time.
 */
export function mustBeIncluded(
  { stage, partition }: Pick<Instance, 'stage' | 'partition'>,
  { sequence, storedAtMs }: Pick<Restored, 'sequence' | 'storedAtMs'>,
  message: Pick<LogMessage, 'storedAtMs'>,
): void {
  if (storedAtMs === 0 || message.storedAtMs === storedAtMs) return;
  const [then, now] = [storedAtMs, message.storedAtMs].map((ms) => new Date(ms).toISOString());
  throw fatal(
    'LOG_BEHIND',
    `the snapshot of ${stage.id}.${partition} includes message ${sequence} of ${streamOf(stage.id)} of ${then}, but that message is of ${now}: the stream was cut back and filled anew`,
    { hint: HINT },
  );
}

/**
 * The other half of rule 8. What was said before the snapshot is not said again, so it must be there; and what is there cannot answer inputs
 * that are not.
 */
export async function mustHoldWhatWasSaid(
  options: Omit<Instance, 'store'>,
  { said, lastSequence: known }: Restored,
  lines: ReadonlyMap<string, Pick<Line, 'said' | 'lastSequence'>>,
): Promise<void> {
  const { topology, stage, partition, log } = options;
  const name = `${stage.id}.${partition}`;
  for (const [subject, line] of lines) {
    const sequence = said[subject] ?? 0;
    if (line.lastSequence >= sequence) continue;
    // A full ledger drops its oldest, which may be the last of a subject; where it ends it says still. Whoever opens without that tag says again
    // what no snapshot includes: all of it is dropped, since it is older than the last, so that the ledger holds nothing twice.
    const ledger = topology.topics.find(({ id, ledger: drops }) => drops && subject.startsWith(`rivulet.${id}.`));
    if (ledger !== undefined && (await log.info(streamOf(ledger.id))).lastSequence >= sequence) continue;
    throw fatal(
      'LOG_BEHIND',
      `${name} has said message ${sequence} on ${subject}, whose last message is ${line.lastSequence}`,
      { hint: HINT },
    );
  }
  const answered = Math.max(0, ...[...lines.values()].map((line) => line.said.sequence));
  if (answered <= known) return;
  // Another owner may have gone on since.
  const { lastSequence } = await log.info(streamOf(stage.id));
  if (answered <= lastSequence) return;
  throw fatal(
    'LOG_BEHIND',
    `${name} has answered message ${answered} of ${streamOf(stage.id)}, but that stream ends at ${lastSequence}`,
    { hint: HINT },
  );
}

/** Fatal LOG_GAP when messages behind `sequence` may be missing, since another owner has trimmed the mailbox. */
export function mustBeWhole(
  { stage, partition }: Pick<Instance, 'stage' | 'partition'>,
  sequence: number,
  trimmed: number,
): void {
  if (trimmed <= sequence + 1) return;
  throw fatal(
    'LOG_GAP',
    `${stage.id}.${partition} knows its mailbox up to message ${sequence}, which was trimmed below message ${trimmed}`,
    { hint: 'the state is older than what the log was trimmed to: see what can be done with `rivulet repair`' },
  );
}

/** Earlier than `trimEveryMs` after so many bytes of input. */
const TRIM_EVERY_BYTES = 64 * 1024 * 1024;

export class Snapshotter {
  private running: Promise<void> | undefined;
  /** The last message taken in of each subject, and below which one it was trimmed. */
  private readonly seen = new Map<string, number>();
  private readonly trimmed = new Map<string, number>();
  /** Subjects of which an earlier incarnation may have left more than it need. */
  private readonly left: string[] = [];
  private sequence: number;
  private storedAtMs: number;
  private written: number;
  private trimmedAtMs = -Infinity;
  private bytesSinceTrim = 0;
  bytesSince = 0;

  constructor(
    private readonly options: SnapshotterOptions,
    private readonly fold: MailboxFold,
    private readonly outbox: Outbox,
    private readonly heard: Heard,
    private readonly restored: Restored,
  ) {
    const { sequence, storedAtMs } = restored;
    this.sequence = sequence;
    this.storedAtMs = storedAtMs;
    this.written = sequence;
    if (sequence === 0) return;
    const { writers, publishers } = mailboxSubjects(options.topology, options.stage.id, options.partition);
    this.left.push(...writers);
    for (const subject of publishers) this.seen.set(subject, sequence);
  }

  /** An input was taken in. `subject`: which subject may be trimmed below it. */
  took({ sequence, storedAtMs }: Pick<LogMessage, 'sequence' | 'storedAtMs'>, subject: string, bytes: number): void {
    this.sequence = sequence;
    this.storedAtMs = storedAtMs;
    this.bytesSince += bytes;
    this.bytesSinceTrim += bytes;
    this.seen.set(subject, sequence);
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
    const { stage, partition, topology, store, status, copied } = this.options;
    const startedAt = performance.now();
    // What belongs to the cut: encoding it takes a while, and inputs go on.
    const { sequence, storedAtMs } = this;
    const heard = this.heard.all;
    this.bytesSince = 0;
    const prefix = instancePrefix(stage.id, partition);
    // The outputs of what was taken in so far, and no more than those (P1).
    const [writes] = await Promise.all([this.encoded(this.fold.cut(), prefix), this.outbox.settled()]);
    if (copied !== undefined) writes.push(changedRecord(stage.id, partition, sequence, writes));
    const head = {
      format: SNAPSHOT_FORMAT,
      stage: stage.id,
      stageVersion: stage.version,
      partition,
      partitions: topology.count(stage.id),
      ...{ sequence, storedAtMs },
      stream: this.restored.identity,
      heard,
    };
    const said = Object.fromEntries([...this.outbox.lines].map(([subject, line]) => [subject, line.lastSequence]));
    writes.push({ key: headKey(stage.id, partition), value: encodeHead({ ...head, said }) });
    if (copied !== undefined)
      mustBeWhole(this.options, this.written, (await mailboxRecord(this.options, this.restored)).trimmed);
    await store.write(writes);
    this.fold.written();
    this.written = sequence;
    status.snapshots++;
    status.snapshotSequence = sequence;
    status.snapshotMs = performance.now() - startedAt;
    status.snapshotBytes = writes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    await this.trim();
  }

  /** Encoded piece by piece: inputs go on in between, and change nothing of it (C3). */
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
    const { copied, clock, knobs } = this.options;
    // A clock that was put back must not hold it up.
    const isEarly =
      Math.abs(clock.nowMs() - this.trimmedAtMs) < knobs.trimEveryMs && this.bytesSinceTrim < TRIM_EVERY_BYTES;
    if (copied !== undefined && isEarly) return [];
    const bound = Math.min(this.written, copied?.() ?? Infinity) + 1;
    return [...this.seen]
      .map(([subject, last]): [string, number] => [subject, Math.min(last, bound)])
      .filter(([subject, below]) => below > (this.trimmed.get(subject) ?? 1));
  }

  private async trim(): Promise<void> {
    const { log, stage, logger, copied, clock } = this.options;
    const stream = streamOf(stage.id);
    try {
      for (let subject = this.left.at(-1); subject !== undefined; subject = this.left.at(-1)) {
        const last = await log.last(stream, subject);
        if (last !== undefined && !this.seen.has(subject)) this.seen.set(subject, last.sequence);
        this.left.pop();
      }
      const droppable = this.droppable();
      if (droppable.length === 0) return;
      if (copied !== undefined) {
        await noteTrim(this.options, Math.max(...droppable.map(([, below]) => below)));
        // Another owner that has not seen the note has opened its lines before, and is refused on all of them from now on.
        await this.outbox.claim();
      }
      this.trimmedAtMs = clock.nowMs();
      this.bytesSinceTrim = 0;
      // A writer's last message is its record, and stays (P3).
      for (const [subject, below] of droppable) {
        await log.purge(stream, subject, below);
        this.trimmed.set(subject, below);
      }
    } catch (error) {
      // The stream only stays longer than it need; it is tried again.
      logger.warn({ err: error }, 'cannot trim the stream now');
    }
  }
}
