/** The verdict on a stopped node that an actor would reach when it opens and reads its whole mailbox. */
import type { SnapshotHead } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { InputDigest } from '../../actor/input-digest.js';
import { NO_OUTPUT } from '../../actor/output-position.js';
import { mailboxRecord } from '../../actor/quarantine.js';
import { judgeOutputs, recoveredFrom, type RecoveredSnapshot } from '../../actor/recovery.js';
import { destinationsOf, QUARANTINE, streamOf, type Topology } from '../../contract/graph.js';
import type { Log, LogMessage, StreamInfo } from '../../contract/ports.js';
import {
  filtersOf,
  hasPublishers,
  isPublishers,
  mailboxEnd,
  readsAll,
  streamInfo,
  writersOf,
} from '../../contract/streams.js';
import { Gaps } from '../../log-integrity/gaps.js';
import { type ReadPosition, readOutputPosition } from '../../log-integrity/last-message.js';
import { Predecessors } from '../../log-integrity/predecessors.js';
import type { Span } from '../../log-integrity/spans.js';
import {
  FITS,
  judgeHead,
  judgeLastRead,
  judgeMissing,
  judgeStream,
  judgeTrim,
  type Verdict,
} from '../../log-integrity/verdict.js';
import { headIdentity } from '../../state/keyspace.js';

const READ_AT_A_TIME = 100;
/** A message that does not arrive by then is missing. */
const SILENCE_MS_MAX = 10_000;
const NO_STREAM = { identity: '', firstSequence: 0, lastSequence: 0, bytes: 0 };
const NO_LANE: ReadPosition = { published: NO_OUTPUT, lastSequence: 0, fence: 0, holdsBack: undefined };

/** Without a head: an instance that starts from the beginning of the log. */
export interface StoppedInstance {
  readonly log: Log;
  readonly topology: Topology;
  readonly stage: string;
  readonly partition: number;
  readonly head: SnapshotHead | undefined;
}

type Lanes = ReadonlyMap<string, Awaited<ReturnType<typeof readOutputPosition>>>;

export async function judgeLog(instance: StoppedInstance): Promise<Verdict> {
  const { log, topology, stage: id, partition, head } = instance;
  const name = `${id}.${partition}`;
  const stream = streamOf(id);
  const info = await streamInfo(log, stream);
  const snapshot = judgeSnapshot(instance);
  const verdict = snapshot.fits ? judgeStream(name, stream, head, info) : snapshot;
  if (!verdict.fits) return verdict;
  const recovered = recoveredFrom(head, info ?? NO_STREAM);
  const lanes = await lanesOf(instance);
  const outputs = await judgeOutputs({ topology, stage: topology.stage(id), partition, log }, recovered, lanes);
  if (!outputs.fits || info === undefined) return outputs;
  const hasRecord = (await streamInfo(log, streamOf(QUARANTINE))) !== undefined;
  const { trimmed, gone } = hasRecord
    ? await mailboxRecord({ log, stage: { id }, partition }, info)
    : { trimmed: 0, gone: [] };
  const trim = judgeTrim(name, stream, recovered.sequence, trimmed);
  return trim.fits ? judgeMailbox(instance, recovered, lanes, gone) : trim;
}

/** Does the snapshot belong to this build and this deployment? */
export function judgeSnapshot({ topology, stage, partition, head }: Omit<StoppedInstance, 'log'>): Verdict {
  if (head === undefined) return FITS;
  return judgeHead(`${stage}.${partition}`, head, headIdentity(topology.stage(stage), topology.count(stage)));
}

/** The outputs of an instance, as the log has them. */
async function lanesOf({ log, topology, stage, partition }: StoppedInstance): Promise<Lanes> {
  const lanes = new Map<string, ReadPosition>();
  for (const { to, subject } of destinationsOf(topology, stage, partition)) {
    const isThere = (await streamInfo(log, streamOf(to))) !== undefined;
    lanes.set(subject, isThere ? await readOutputPosition(log, streamOf(to), subject) : NO_LANE);
  }
  return lanes;
}

/** All messages that an actor would read, from the snapshot's last one on. If publishers' messages are missing, the others are still judged. */
async function judgeMailbox(
  { log, topology, stage, partition }: StoppedInstance,
  recovered: RecoveredSnapshot,
  lanes: Lanes,
  gone: readonly Span[],
): Promise<Verdict> {
  const { sequence, lastSequence, lastRead } = recovered;
  const stream = streamOf(stage);
  const name = `${stage}.${partition}`;
  const writers = writersOf(topology, stage, partition);
  const seesAll = readsAll(topology, stage);
  const missing: Span[] = [];
  const known = [...gone];
  const gaps = new Gaps(name, stream, sequence, known);
  const predecessors = new Predecessors(name, sequence, lastRead, known, seesAll);
  const answered = new InputDigest(name, stream, recovered, lanes, known);
  const judgeGap = (at: number): Verdict => {
    const verdict = seesAll ? gaps.check([{ sequence: at }]) : FITS;
    if (verdict.fits || verdict.missing === undefined) return verdict;
    missing.push(...verdict.missing);
    known.push(...verdict.missing);
    return FITS;
  };
  const judge = (message: LogMessage): Verdict => {
    if (message.sequence === sequence) return judgeLastRead(name, stream, recovered, message);
    const gap = judgeGap(message.sequence);
    if (!gap.fits) return gap;
    const isWriters = writers.has(message.subject);
    const before = isWriters ? predecessors.check(message) : FITS;
    if (!before.fits) return before;
    const isInput = isPublishers(message.subject) || (isWriters && message.expected !== undefined);
    return isInput ? answered.take(message) : FITS;
  };
  const filters = filtersOf(topology, stage, partition);
  const knownEnd = await mailboxEnd(log, stream, filters);
  // The snapshot's last message may have been trimmed: waiting for it would not end.
  const from = knownEnd < sequence ? sequence + 1 : sequence;
  // If the last message is damaged, the server may not know those before it.
  for await (const message of messagesOf(log, stream, filters, from, seesAll ? lastSequence : knownEnd)) {
    const verdict = judge(message);
    if (!verdict.fits) return verdict;
  }
  // The very last messages may be missing.
  const last = lastSequence > sequence ? judgeGap(lastSequence + 1) : FITS;
  if (!last.fits) return last;
  const inputs = answered.end();
  return inputs.fits ? judgeMissing(name, stream, missing) : inputs;
}

/** The existing messages of `from` to `end`. */
async function* messagesOf(
  log: Log,
  stream: string,
  filters: readonly string[],
  from: number,
  end: number,
): AsyncGenerator<LogMessage> {
  if (end < Math.max(1, from)) return;
  const reader = await log.read(stream, { filters, from });
  try {
    for (let at = 0; at < end;) {
      const silence = setTimeout(() => void reader.close(), SILENCE_MS_MAX);
      const messages = await reader.take(READ_AT_A_TIME).finally(() => {
        clearTimeout(silence);
      });
      if (messages.length === 0) return;
      for (const message of messages) {
        at = message.sequence;
        yield message;
      }
    }
  } finally {
    await reader.close();
  }
}

/** Publishers' messages in a snapshot that its stream has lost, or whose sequences now belong to others. */
export async function overwritten({
  log,
  topology,
  stage,
  partition,
  head,
}: StoppedInstance): Promise<Span | undefined> {
  const stream = streamOf(stage);
  const info: StreamInfo | undefined = await streamInfo(log, stream);
  if (head === undefined || info === undefined || !hasPublishers(topology, stage)) return undefined;
  const { sequence, storedAtMs } = head;
  const filters = filtersOf(topology, stage, partition);
  const end = storedAtMs === 0 ? 0 : Math.min(sequence, await mailboxEnd(log, stream, filters));
  for await (const message of messagesOf(log, stream, filters, 1, end)) {
    if (message.sequence > sequence) break;
    // It was stored after the snapshot's last message.
    if (message.storedAtMs > storedAtMs) return [message.sequence, sequence];
  }
  return info.lastSequence < sequence ? [info.lastSequence + 1, sequence] : undefined;
}
