/**
 * What an instance starts from: its last snapshot, held against the log (design rule 8). What does not fit is refused, never read as if it did.
 */
import { fatal } from '../contract/errors.js';
import { CLOCK, streamOf, type Topology, writerOf } from '../contract/graph.js';
import { readHead } from '../state/keyspace.js';
import type { OutputLane } from './outbox.js';
import type { Log, LogMessage, Store, StreamInfo } from '../contract/ports.js';
import type { AnyStage } from '../contract/stage.js';
import { browsableLogOf, readsAll } from '../contract/streams.js';

/** An instance, with what it lives on. */
export interface InstanceParts {
  readonly topology: Topology;
  readonly stage: AnyStage;
  readonly partition: number;
  readonly log: Log;
  readonly store: Store;
}

/** What the last snapshot includes (0 and nothing without one), and of which stream. */
export interface RecoveredSnapshot {
  readonly sequence: number;
  /** When the log stored the message of that sequence; 0: not known. */
  readonly storedAtMs: number;
  readonly inputsDigest: number;
  readonly identity: string;
  readonly origins: NonNullable<StreamInfo['origins']>;
  /** Where that stream ended when it was asked. */
  readonly lastSequence: number;
  /** Per subject the sequence of the last message that had been said, and taken in. */
  readonly published: Readonly<Record<string, number>>;
  /** And which input that message answers. */
  readonly answered: Readonly<Record<string, number>>;
  readonly lastRead: Readonly<Record<string, number>>;
}

const PURGED =
  'messages were purged or deleted there, of other writers perhaps as well: restore the NATS store, or see what can be done with `rivulet repair`';
const HINT =
  'the NATS store was rolled back, deleted or is another server: restore it, or see what can be done with `rivulet repair`';

/** The last snapshot, checked against its mailbox (design rule 8). */
export async function recoverSnapshot(options: InstanceParts): Promise<RecoveredSnapshot> {
  const { topology, stage, partition, log, store } = options;
  const stream = streamOf(stage.id);
  const head = readHead(store, stage, partition, topology.count(stage.id));
  const { lastSequence, identity, origins = [] } = await log.info(stream);
  const now = { identity, origins, lastSequence };
  if (head === undefined) {
    return { sequence: 0, storedAtMs: 0, inputsDigest: 0, published: {}, answered: {}, lastRead: {}, ...now };
  }
  const { sequence, storedAtMs, inputsDigest, published, answered, lastRead } = head;
  // Of a stream that this one was restored from counts what is in both.
  const upTo = head.stream === identity ? lastSequence : origins.find((one) => one.identity === head.stream)?.upTo;
  if (upTo !== undefined && upTo >= sequence) {
    return { sequence, storedAtMs, inputsDigest, published, answered, lastRead, ...now };
  }
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
  { stage, partition }: Pick<InstanceParts, 'stage' | 'partition'>,
  { sequence, storedAtMs }: Pick<RecoveredSnapshot, 'sequence' | 'storedAtMs'>,
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

type Lines = ReadonlyMap<string, Pick<OutputLane, 'published' | 'lastSequence'>>;

/**
 * The other half of rule 8. What was said before the snapshot is not said again, so it must be there; what was read before it is not read again, so
 * its writers must still know that they have said it; and what is there cannot answer inputs that are not.
 */
export async function mustHoldOutputs(
  options: Omit<InstanceParts, 'store'>,
  restored: Pick<RecoveredSnapshot, 'published' | 'answered' | 'lastRead' | 'lastSequence'>,
  lanes: Lines,
): Promise<void> {
  const { published, lastSequence: known } = restored;
  const { topology, stage, partition, log } = options;
  const name = `${stage.id}.${partition}`;
  for (const [subject, lane] of lanes) {
    const sequence = published[subject] ?? 0;
    const isLater = lane.lastSequence >= sequence;
    const answered = restored.answered[subject] ?? 0;
    if (isLater && lane.published.sequence >= answered) continue;
    // A full browsable log drops its oldest, which may be the last of a subject; where it ends it says still. Whoever opens without that tag says again
    // what no snapshot includes: all of it is dropped, since it is older than the last, so that the browsable log holds nothing twice.
    const browsable = browsableLogOf(topology, subject);
    if (browsable !== undefined && (await log.info(streamOf(browsable))).lastSequence >= sequence) continue;
    // Of a subject that was purged another owner, who knew nothing yet, may have begun the lane anew; what it lacks nobody says.
    if (isLater) {
      throw fatal(
        'LOG_BEHIND',
        `${name} has answered message ${answered} on ${subject}, whose last message answers ${lane.published.sequence} again`,
        { hint: PURGED },
      );
    }
    const stream = streamOf(subject.split('.')[1]!);
    const end = (await log.info(stream)).lastSequence;
    const [but, hint] = end < sequence ? ['', HINT] : [`, though ${stream} goes on to message ${end}`, PURGED];
    throw fatal(
      'LOG_BEHIND',
      `${name} has said message ${sequence} on ${subject}, whose last message is ${lane.lastSequence}${but}`,
      { hint },
    );
  }
  await mustHoldWhatWasRead(options, restored);
  const answered = Math.max(0, ...[...lanes.values()].map((lane) => lane.published.sequence));
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

/** A writer whose last message is gone says it anew, and the reader would count it twice. */
async function mustHoldWhatWasRead(
  { topology, stage, partition, log }: Omit<InstanceParts, 'store'>,
  { lastRead }: Pick<RecoveredSnapshot, 'lastRead'>,
): Promise<void> {
  const stream = streamOf(stage.id);
  const missing = Object.entries(lastRead).map(async ([subject, sequence]) => {
    // Where sequences show what is missing, the clock may begin its line anew (log-integrity/predecessors.ts).
    if (writerOf(subject).id === CLOCK && readsAll(topology, stage.id)) return;
    const last = (await log.last(stream, subject))?.sequence ?? 0;
    if (last >= sequence) return;
    throw fatal(
      'LOG_BEHIND',
      `${stage.id}.${partition} has read message ${sequence} on ${subject}, whose last message is ${last === 0 ? 'gone' : last}`,
      { hint: PURGED },
    );
  });
  await Promise.all(missing);
}

/** Fatal LOG_GAP when messages behind `sequence` may be missing, since another owner has trimmed the mailbox. */
export function mustHaveNoGap(
  { stage, partition }: Pick<InstanceParts, 'stage' | 'partition'>,
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
