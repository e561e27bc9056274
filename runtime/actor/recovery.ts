/** What an instance starts from: its last snapshot, judged against the log (log-integrity/verdict.ts). */
import type { SnapshotHead } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { CLOCK, streamOf, type Topology, writerOf } from '../contract/graph.js';
import type { Log, Store, StreamInfo } from '../contract/ports.js';
import type { AnyStage } from '../contract/stage.js';
import { browsableLogOf, readsAll, streamInfo } from '../contract/streams.js';
import {
  FITS,
  judgeAnswered,
  judgeInput,
  judgeOutput,
  judgeStream,
  mustFit,
  type Verdict,
} from '../log-integrity/verdict.js';
import { readHead } from '../state/keyspace.js';
import type { OutputLane } from './outbox.js';

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
  /** Per subject the sequence of the last message that was published, and read. */
  readonly published: Readonly<Record<string, number>>;
  /** And which input that message answers. */
  readonly answered: Readonly<Record<string, number>>;
  readonly lastRead: Readonly<Record<string, number>>;
}

const NO_HEAD = { sequence: 0, storedAtMs: 0, inputsDigest: 0, published: {}, answered: {}, lastRead: {} };

export function recoveredFrom(
  head: SnapshotHead | undefined,
  { identity, origins = [], lastSequence }: Pick<StreamInfo, 'identity' | 'origins' | 'lastSequence'>,
): RecoveredSnapshot {
  const { sequence, storedAtMs, inputsDigest, published, answered, lastRead } = head ?? NO_HEAD;
  return { sequence, storedAtMs, inputsDigest, published, answered, lastRead, identity, origins, lastSequence };
}

/** The last snapshot, checked against its mailbox: Fatal LOG_BEHIND. */
export async function recoverSnapshot(options: InstanceParts): Promise<RecoveredSnapshot> {
  const { topology, stage, partition, log, store } = options;
  const stream = streamOf(stage.id);
  const head = readHead(store, stage, partition, topology.count(stage.id));
  const info = await log.info(stream);
  mustFit(judgeStream(`${stage.id}.${partition}`, stream, head, info));
  return recoveredFrom(head, info);
}

type Lanes = ReadonlyMap<string, Pick<OutputLane, 'published' | 'lastSequence'>>;

/**
 * The other half of rule 8. What was published before the snapshot is not published again, so it must be there; what was read before it is not read
 * again, so its writers must still know that they have published it; and what is there cannot answer inputs that are not.
 */
export async function judgeOutputs(
  options: Omit<InstanceParts, 'store'>,
  recovered: Pick<RecoveredSnapshot, 'published' | 'answered' | 'lastRead' | 'lastSequence'>,
  lanes: Lanes,
): Promise<Verdict> {
  const { topology, stage, partition, log } = options;
  const name = `${stage.id}.${partition}`;
  const endOf = async (id: string): Promise<number | undefined> => (await streamInfo(log, streamOf(id)))?.lastSequence;
  for (const [subject, { lastSequence, published }] of lanes) {
    const known = { sequence: recovered.published[subject] ?? 0, answered: recovered.answered[subject] ?? 0 };
    const last = { sequence: lastSequence, answered: published.sequence };
    if (last.sequence >= known.sequence && last.answered >= known.answered) continue;
    const end = (await endOf(subject.split('.')[1]!)) ?? 0;
    // A full browsable log drops its oldest, which may be the last of a subject; where it ends it shows still. Whoever opens without that position publishes
    // again what no snapshot includes: all of it is dropped, since it is older than the last, so that the browsable log holds nothing twice.
    if (browsableLogOf(topology, subject) !== undefined && end >= known.sequence) continue;
    const verdict = judgeOutput(name, subject, known, last, end);
    if (!verdict.fits) return verdict;
  }
  const read = await judgeReads(options, recovered);
  if (!read.fits) return read;
  const answered = Math.max(0, ...[...lanes.values()].map(({ published }) => published.sequence));
  // Another owner may have gone on since.
  const isKnown = answered <= recovered.lastSequence;
  return isKnown ? FITS : judgeAnswered(name, streamOf(stage.id), answered, await endOf(stage.id));
}

/** Is what was read still there, of every writer? */
async function judgeReads(
  { topology, stage, partition, log }: Omit<InstanceParts, 'store'>,
  { lastRead }: Pick<RecoveredSnapshot, 'lastRead'>,
): Promise<Verdict> {
  const verdicts = Object.entries(lastRead).map(async ([subject, sequence]) => {
    // Where sequences show what is missing, the clock may begin its line anew (`judgePredecessor`).
    if (writerOf(subject).id === CLOCK && readsAll(topology, stage.id)) return FITS;
    const last = await log.last(streamOf(stage.id), subject);
    return judgeInput(`${stage.id}.${partition}`, subject, sequence, last?.sequence ?? 0);
  });
  return (await Promise.all(verdicts)).find(({ fits }) => !fits) ?? FITS;
}
