/**
 * What an instance starts from: its last snapshot, held against the log (design rule 8). What does not fit is refused, never read as if it did.
 */
import { fatal } from '../contract/errors.js';
import { streamOf, type Topology } from '../contract/graph.js';
import { readHead } from '../state/keyspace.js';
import type { Line } from './outbox.js';
import type { Log, LogMessage, Store, StreamInfo } from '../contract/ports.js';
import type { AnyStage } from '../contract/stage.js';
import { ledgerOf } from '../contract/streams.js';

/** An instance, with what it lives on. */
export interface Instance {
  readonly topology: Topology;
  readonly stage: AnyStage;
  readonly partition: number;
  readonly log: Log;
  readonly store: Store;
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

const PURGED =
  'messages were purged or deleted there, of other writers perhaps as well: restore the NATS store, or see what can be done with `rivulet repair`';
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
    const ledger = ledgerOf(topology, subject);
    if (ledger !== undefined && (await log.info(streamOf(ledger))).lastSequence >= sequence) continue;
    const stream = streamOf(subject.split('.')[1]!);
    const end = (await log.info(stream)).lastSequence;
    const [but, hint] = end < sequence ? ['', HINT] : [`, though ${stream} goes on to message ${end}`, PURGED];
    throw fatal(
      'LOG_BEHIND',
      `${name} has said message ${sequence} on ${subject}, whose last message is ${line.lastSequence}${but}`,
      { hint },
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
