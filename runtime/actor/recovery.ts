/** What an instance starts from: its last snapshot, judged against the log (log-integrity/verdict.ts). */
import type { SnapshotHead } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { CLOCK, streamOf, type Topology, writerOf } from '../contract/graph.js';
import type { Log, Store, StreamInfo } from '../contract/ports.js';
import type { AnyStage } from '../contract/stage.js';
import { browsableLogOf, readsAll, streamInfo } from '../contract/streams.js';
import { wasDropped } from '../log-integrity/last-message.js';
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

/** An instance, and where its input and state are. */
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
  /** The end of that stream, when it was read. */
  readonly lastSequence: number;
  /** Per subject the sequence of the last message that was published; `lastRead`: of the last that was read. */
  readonly published: Readonly<Record<string, number>>;
  /** Per subject the last input that this message covers. */
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
 * Does the log have the outputs that the snapshot includes? Outputs from before the snapshot are not published again, so they must be in the log. Inputs from before it are not read
 * again, so they must be there too, as the record of their writers. And no output may cover inputs that are not in the log.
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
    const to = subject.split('.')[1]!;
    const end = (await endOf(to)) ?? 0;
    // A full browsable log drops its oldest messages, also the last of a subject. An instance that opens without that position publishes again only what no
    // snapshot includes, which the log has dropped: nothing is in it twice.
    const isBrowsable = browsableLogOf(topology, subject) !== undefined && end >= known.sequence;
    if (isBrowsable && (await wasDropped(log, streamOf(to), subject, known.sequence))) continue;
    const verdict = judgeOutput(name, subject, known, last, end);
    if (!verdict.fits) return verdict;
  }
  const read = await judgeReads(options, recovered);
  if (!read.fits) return read;
  const answered = Math.max(0, ...[...lanes.values()].map(({ published }) => published.sequence));
  // Another owner may have published since.
  const isKnown = answered <= recovered.lastSequence;
  return isKnown ? FITS : judgeAnswered(name, streamOf(stage.id), answered, await endOf(stage.id));
}

/** Is what was read still there, of every writer? */
async function judgeReads(
  { topology, stage, partition, log }: Omit<InstanceParts, 'store'>,
  { lastRead }: Pick<RecoveredSnapshot, 'lastRead'>,
): Promise<Verdict> {
  const verdicts = Object.entries(lastRead).map(async ([subject, sequence]) => {
    // Where sequences show what is missing, the clock may restart its subject (`judgePredecessor`).
    if (writerOf(subject).id === CLOCK && readsAll(topology, stage.id)) return FITS;
    const last = await log.last(streamOf(stage.id), subject);
    return judgeInput(`${stage.id}.${partition}`, subject, sequence, last?.sequence ?? 0);
  });
  return (await Promise.all(verdicts)).find(({ fits }) => !fits) ?? FITS;
}
