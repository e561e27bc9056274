/**
 * Snapshots of one instance.
 *
 * Invariants
 *   P1  A snapshot is cut between two inputs and written only when every output of the inputs before the cut is acknowledged.
 *   P2  It is one atomic batch: what changed, and the sequence that it includes.
 *   P3  The stream is trimmed only behind a written snapshot, and each subject's last message stays.
 */
import { fatal } from './errors.js';
import type { MailboxFold } from './fold.js';
import { streamOf, type Topology } from './graph.js';
import { encodeHead, headKey, instancePrefix, readHead, SNAPSHOT_FORMAT } from './keyspace.js';
import type { Outbox } from './outbox.js';
import type { Log, Logger, Store, StoreChange } from './ports.js';
import type { AnyStage } from './stage.js';
import type { ActorStatus } from './status.js';

export interface SnapshotterOptions {
  readonly topology: Topology;
  readonly stage: AnyStage;
  readonly partition: number;
  readonly log: Log;
  readonly store: Store;
  readonly logger: Logger;
  readonly status: ActorStatus;
}

/** The sequence of the last snapshot (0 without one), checked against the log (design rule 8). */
export async function snapshotSequence(options: SnapshotterOptions): Promise<{ sequence: number; identity: string }> {
  const { topology, stage, partition, log, store } = options;
  const stream = streamOf(stage.id);
  const head = readHead(store, stage, partition, topology.count(stage.id));
  const { lastSequence, identity } = await log.info(stream);
  if (head === undefined) return { sequence: 0, identity };
  if (head.stream === identity && lastSequence >= head.sequence) return { sequence: head.sequence, identity };
  const found = head.stream === identity ? `ends at ${lastSequence}` : 'is another one than it was taken from';
  throw fatal(
    'LOG_BEHIND',
    `the snapshot of ${stage.id}.${partition} includes message ${head.sequence} of ${stream}, but that stream ${found}`,
    {
      hint: 'the NATS store was rolled back, deleted or is another server: restore it, or use an empty data directory',
    },
  );
}

export class Snapshotter {
  private running: Promise<void> | undefined;
  /** Last sequence taken in per subject, and what was purged up to. */
  private readonly seen = new Map<string, number>();
  private readonly purged = new Map<string, number>();
  private sequence: number;
  private written: number;
  bytesSince = 0;

  constructor(
    private readonly options: SnapshotterOptions,
    private readonly fold: MailboxFold,
    private readonly outbox: Outbox,
    private readonly streamIdentity: string,
    sequence: number,
  ) {
    this.sequence = sequence;
    this.written = sequence;
  }

  /** An input was taken in. `subject`: which subject may be trimmed below it. */
  took(sequence: number, subject: string, bytes: number): void {
    this.sequence = sequence;
    this.bytesSince += bytes;
    this.seen.set(subject, sequence);
  }

  /** Writes what changed since the last one; does nothing when no input came. One at a time. */
  async snapshot(): Promise<void> {
    while (this.running !== undefined) await this.running;
    if (this.sequence === this.written) return;
    this.running = this.write().finally(() => (this.running = undefined));
    await this.running;
  }

  private async write(): Promise<void> {
    const { stage, partition, topology, store, status } = this.options;
    const startedAt = performance.now();
    const { sequence } = this;
    const seen = new Map(this.seen);
    this.bytesSince = 0;
    const prefix = instancePrefix(stage.id, partition);
    const writes: StoreChange[] = this.fold
      .cut()
      .map(({ cell, key, value }) => ({ key: `${prefix}${cell}/${key}`, value }));
    writes.push({
      key: headKey(stage.id, partition),
      value: encodeHead({
        format: SNAPSHOT_FORMAT,
        stage: stage.id,
        stageVersion: stage.version,
        partition,
        partitions: topology.count(stage.id),
        sequence,
        stream: this.streamIdentity,
      }),
    });
    await this.outbox.settled();
    await store.write(writes);
    this.fold.instance.written();
    this.written = sequence;
    status.snapshots++;
    status.snapshotSequence = sequence;
    status.snapshotMs = performance.now() - startedAt;
    status.snapshotBytes = writes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    await this.trim(seen);
  }

  private async trim(seen: ReadonlyMap<string, number>): Promise<void> {
    const { log, stage, logger } = this.options;
    for (const [subject, below] of seen) {
      if ((this.purged.get(subject) ?? 0) >= below) continue;
      try {
        await log.purge(streamOf(stage.id), subject, below);
        this.purged.set(subject, below);
      } catch (error) {
        // The stream only stays longer than it need; the next snapshot tries again.
        logger.warn({ err: error, subject, below }, 'cannot trim the stream now');
      }
    }
  }
}
