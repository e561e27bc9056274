/** Do a snapshot and the log fit together? What an actor finds out when it opens, and reads (LOG_BEHIND, LOG_GAP), asked of a node that is stopped. */
import type { SnapshotHead } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { InputDigest } from '../../actor/input-digest.js';
import { type MailboxRecord, mailboxRecord } from '../../actor/quarantine.js';
import { asError, hasCode } from '../../contract/errors.js';
import { destinationsOf, POISON, REPARTITION, streamOf, subjectOf, type Topology } from '../../contract/graph.js';
import { Predecessors } from '../../log-integrity/predecessors.js';
import type { Log, StreamInfo } from '../../contract/ports.js';
import { readOutputPosition } from '../../log-integrity/last-message.js';
import { mustBeIncluded, mustHoldOutputs, type RecoveredSnapshot } from '../../actor/recovery.js';
import { NO_OUTPUT } from '../../actor/output-position.js';
import {
  filtersOf,
  hasPublishers,
  isPublishers,
  mailboxSubjects,
  readsAll,
  writersOf,
} from '../../contract/streams.js';
import { isWithin, type Span, spanText, Gaps } from '../../log-integrity/gaps.js';

const READ_AT_A_TIME = 100;
/** What has not come by then is not there. */
const SILENCE_MS_MAX = 10_000;

export type LogFit =
  | { readonly kind: 'fits' }
  /** The stream ends before what the snapshot includes, or did; `lost`: of publishers, what the snapshot includes and the stream holds no more. */
  | { readonly kind: 'rolled-back'; readonly says: string; readonly lost?: Span }
  /** It is another one, or gone; or the snapshot is one of other partitions. */
  | { readonly kind: 'other-stream'; readonly says: string }
  /** Messages behind the snapshot were trimmed, or lost. */
  | { readonly kind: 'gap'; readonly says: string }
  /** Of those behind it some of publishers' were lost, and all others are there. */
  | { readonly kind: 'holes'; readonly says: string; readonly missing: readonly Span[] };

/** Under which code a node refuses to start. */
export const CODES: Readonly<Record<Exclude<LogFit['kind'], 'fits'>, string>> = {
  'rolled-back': 'LOG_BEHIND',
  'other-stream': 'LOG_BEHIND',
  gap: 'LOG_GAP',
  holes: 'LOG_GAP',
};

const FITS: LogFit = { kind: 'fits' };

export const infoOf = (log: Log, stream: string): Promise<StreamInfo | undefined> =>
  log.info(stream).catch((error: unknown) => {
    if (hasCode(error, 'STREAM_NOT_FOUND')) return undefined;
    throw error;
  });

/** Without a head: may it start from the beginning of the log? */
export async function logFit(
  log: Log,
  topology: Topology,
  { stage, partition, head }: { stage: string; partition: number; head: SnapshotHead | undefined },
): Promise<LogFit> {
  const stream = streamOf(stage);
  const info = await infoOf(log, stream);
  if (info === undefined) return withoutStream(log, topology, { stage, partition, head });
  const count = topology.count(stage);
  if (head !== undefined && head.partitions !== count) {
    return { kind: 'other-stream', says: `it is one of ${head.partitions} partitions, the deployment has ${count}` };
  }
  const sequence = head?.sequence ?? 0;
  const isSame = head === undefined || head.stream === info.identity;
  const upTo = isSame ? info.lastSequence : info.origins?.find(({ identity }) => identity === head.stream)?.upTo;
  if (upTo === undefined) {
    return { kind: 'other-stream', says: `the stream ${stream} is another one than it was taken from` };
  }
  if (upTo < sequence) {
    const how = isSame ? `which ends at ${upTo}: it was rolled back` : `which was restored from a backup up to ${upTo}`;
    const says = `it includes message ${sequence} of ${stream}, ${how}`;
    return { kind: 'rolled-back', says, ...(hasPublishers(topology, stage) ? { lost: [upTo + 1, sequence] } : {}) };
  }
  const beginning = await log.last(stream, subjectOf(stage, partition, REPARTITION, 0));
  if (beginning?.expected !== undefined && beginning.sequence > sequence) {
    return { kind: 'gap', says: `${stream} goes on from state that rivulet repartition made, and that is not here` };
  }
  const { identity } = info;
  const { storedAtMs = 0, inputsDigest = 0, published = {}, answered = {}, lastRead = {} } = head ?? {};
  const restored = {
    ...{ sequence, storedAtMs, inputsDigest, identity },
    origins: info.origins ?? [],
    lastSequence: info.lastSequence,
    published,
    answered,
    lastRead,
  };
  const lanes = await linesOf(log, topology, stage, partition);
  const lost =
    (head === undefined ? undefined : await filledAnew(log, topology, head)) ??
    (await refusalOf(() =>
      mustHoldOutputs({ topology, stage: topology.stage(stage), partition, log }, restored, lanes),
    ));
  if (lost !== undefined) return lost;
  const { trimmed, gone } = await recordOf(log, stage, partition, info);
  if (trimmed > sequence + 1) return { kind: 'gap', says: `its mailbox was trimmed below message ${trimmed}` };
  const { publishers } = mailboxSubjects(topology, stage, partition);
  // Publishers' messages do not tell of the one before them.
  const { firstSequence } = info;
  if (publishers.length > 0 && head === undefined && firstSequence > 1 && !isWithin(gone, [1, firstSequence - 1])) {
    return { kind: 'gap', says: `${stream} begins with message ${firstSequence}: earlier ones were trimmed` };
  }
  return behindSnapshot(log, topology, { stage, partition, restored, lanes, gone });
}

type Recorded = Pick<MailboxRecord, 'trimmed' | 'gone'>;

async function recordOf(log: Log, id: string, partition: number, info: StreamInfo): Promise<Recorded> {
  if ((await infoOf(log, streamOf(POISON))) === undefined) return { trimmed: 0, gone: [] };
  return mailboxRecord({ log, stage: { id }, partition }, info);
}

interface Mailbox extends Pick<MailboxRecord, 'gone'> {
  readonly stage: string;
  readonly partition: number;
  /** What the snapshot includes; nothing without one. */
  readonly restored: RecoveredSnapshot;
  readonly lanes: Lines;
}

type Lines = ReadonlyMap<string, Awaited<ReturnType<typeof readOutputPosition>>>;

const NOTHING = { published: NO_OUTPUT, lastSequence: 0, fence: 0 };

/** What an instance has said, as the log has it. */
async function linesOf(log: Log, topology: Topology, stage: string, partition: number): Promise<Lines> {
  const lanes = new Map<string, Awaited<ReturnType<typeof readOutputPosition>>>();
  for (const { to, subject } of destinationsOf(topology, stage, partition)) {
    const isThere = (await infoOf(log, streamOf(to))) !== undefined;
    lanes.set(subject, isThere ? await readOutputPosition(log, streamOf(to), subject) : NOTHING);
  }
  return lanes;
}

/** Where the mailbox is not there, nothing may have been said or read of it. */
async function withoutStream(
  log: Log,
  topology: Topology,
  { stage, partition, head }: { stage: string; partition: number; head: SnapshotHead | undefined },
): Promise<LogFit> {
  const stream = streamOf(stage);
  if (head !== undefined) return { kind: 'other-stream', says: `the stream ${stream} is not there` };
  for (const [subject, { published }] of await linesOf(log, topology, stage, partition)) {
    if (published.sequence === 0) continue;
    const says = `${stage}.${partition} has answered message ${published.sequence} on ${subject}, and the stream ${stream} is not there`;
    return { kind: 'rolled-back', says };
  }
  return FITS;
}

/** What an actor would be refused with. */
async function refusalOf(check: () => void | Promise<void>): Promise<LogFit | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    const says = asError(error).message;
    if (hasCode(error, 'LOG_GAP')) return { kind: 'gap', says };
    if (hasCode(error, 'LOG_BEHIND') || hasCode(error, 'STREAM_NOT_FOUND')) return { kind: 'rolled-back', says };
    throw error;
  }
}

/** The last message that one of the filters matches; 0 for none. */
async function lastOf(log: Log, stream: string, filters: readonly string[]): Promise<number> {
  const lasts = await Promise.all(filters.map((filter) => log.last(stream, filter)));
  return Math.max(0, ...lasts.map((last) => last?.sequence ?? 0));
}

/** The message that it ends with may have been replaced; one that was trimmed tells nothing. */
async function filledAnew(
  log: Log,
  topology: Topology,
  { stage: id, partition, sequence, storedAtMs }: SnapshotHead,
): Promise<LogFit | undefined> {
  const stream = streamOf(id);
  const filters = filtersOf(topology, id, partition);
  // Else it would be waited for.
  if ((await lastOf(log, stream, filters)) < sequence) return undefined;
  const [last] = await readSome(log, stream, filters, sequence);
  if (last?.sequence !== sequence) return undefined;
  const snapshot = { sequence, storedAtMs };
  const fit = await refusalOf(() => mustBeIncluded({ stage: topology.stage(id), partition }, snapshot, last));
  if (fit?.kind !== 'rolled-back' || !hasPublishers(topology, id)) return fit;
  for (let from = 1; ;) {
    const messages = await readSome(log, stream, filters, from);
    // It is there, and was stored after the snapshot's.
    const refilled = messages.find((message) => message.storedAtMs > storedAtMs);
    if (refilled !== undefined) return { ...fit, lost: [refilled.sequence, sequence] };
    from = (messages.at(-1)?.sequence ?? sequence) + 1;
    if (from > sequence) return fit;
  }
}

/** Where there is a message at `from` or behind it: else it would be waited for. */
async function readSome(log: Log, stream: string, filters: readonly string[], from: number) {
  const reader = await log.read(stream, { filters, from });
  try {
    return await reader.take(READ_AT_A_TIME);
  } finally {
    await reader.close();
  }
}

/**
 * All that an actor would read behind the snapshot: each writer says in a message which of its own came before; what publishers have sent shows by
 * its sequences.
 */
async function behindSnapshot(
  log: Log,
  topology: Topology,
  { stage, partition, restored, lanes, gone }: Mailbox,
): Promise<LogFit> {
  const { sequence, lastSequence } = restored;
  const stream = streamOf(stage);
  const name = `${stage}.${partition}`;
  const filters = filtersOf(topology, stage, partition);
  const writers = writersOf(topology, stage, partition);
  const whole = readsAll(topology, stage) ? new Gaps(name, stream, sequence, gone) : undefined;
  // Where the last message is damaged, the server may not know of those before it.
  const end = whole === undefined ? await lastOf(log, stream, filters) : lastSequence;
  const missing: Span[] = [];
  const known = [...gone];
  const upTo = (next: number): void => {
    const span = whole?.missingBefore(next);
    if (span === undefined) return;
    missing.push(span);
    known.push(span);
  };
  const chain = new Predecessors(name, sequence, restored.lastRead, known, whole !== undefined);
  const answered = new InputDigest(name, stream, restored, lanes, known);
  const reader = end > sequence ? await log.read(stream, { filters, from: sequence + 1 }) : undefined;
  const readAll = async (): Promise<void> => {
    for (let at = sequence; reader !== undefined && at < end;) {
      const silence = setTimeout(() => void reader.close(), SILENCE_MS_MAX);
      const messages = await reader.take(READ_AT_A_TIME).finally(() => {
        clearTimeout(silence);
      });
      if (messages.length === 0) break;
      for (const message of messages) {
        at = message.sequence;
        upTo(at);
        const isWriters = writers.has(message.subject);
        if (isWriters) chain.check(message);
        if (isPublishers(message.subject) || (isWriters && message.expected !== undefined)) answered.take(message);
      }
    }
    // The last ones of all may be missing.
    if (lastSequence > sequence) upTo(lastSequence + 1);
    answered.end();
  };
  try {
    const refusal = await refusalOf(readAll);
    if (refusal !== undefined) return refusal;
    if (missing.length === 0) return FITS;
    return { kind: 'holes', says: `the NATS store has lost ${spanText(missing)} of ${stream}`, missing };
  } finally {
    await reader?.close();
  }
}
