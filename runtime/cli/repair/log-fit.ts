/** Do a snapshot and the log fit together? What an actor finds out when it opens, and reads (LOG_BEHIND, LOG_GAP), asked of a node that is stopped. */
import type { SnapshotHead } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { type MailboxRecord, mailboxRecord } from '../../actor/quarantine.js';
import { asError } from '../../contract/errors.js';
import { POISON, REPARTITION, streamOf, subjectOf, type Topology } from '../../contract/graph.js';
import { Heard } from '../../log-integrity/predecessors.js';
import type { Log, StreamInfo } from '../../contract/ports.js';
import { readSaid } from '../../actor/outbox.js';
import { destinationsOf } from '../../actor/router.js';
import { mustBeIncluded, mustHoldWhatWasSaid } from '../../actor/recovery.js';
import { filtersOf, isPublishers, mailboxSubjects, readsAll } from '../../contract/streams.js';
import { isWithin, type Span, spanText, Whole } from '../../log-integrity/gaps.js';
import { hasCode } from '../nats-link.js';

const READ_AT_A_TIME = 100;
/** What has not come by then is not there. */
const SILENCE_MS_MAX = 10_000;

export type LogFit =
  | { readonly kind: 'fits' }
  /** The stream ends before what the snapshot includes. */
  | { readonly kind: 'rolled-back'; readonly says: string }
  /** It is another one, or gone; or the snapshot is one of other partitions. */
  | { readonly kind: 'other-stream'; readonly says: string }
  /** Messages behind the snapshot were trimmed, or lost. */
  | { readonly kind: 'gap'; readonly says: string }
  /** Of those behind it some of publishers' were lost, and all others are there. */
  | { readonly kind: 'holes'; readonly says: string; readonly missing: readonly Span[] }
  /** What it says cannot go on behind a message that was not written by rivulet. */
  | { readonly kind: 'foreign'; readonly says: string };

/** Under which code a node refuses to start. */
export const CODES: Readonly<Record<Exclude<LogFit['kind'], 'fits'>, string>> = {
  'rolled-back': 'LOG_BEHIND',
  'other-stream': 'LOG_BEHIND',
  gap: 'LOG_GAP',
  holes: 'LOG_GAP',
  foreign: 'LOG_FOREIGN',
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
  if (head === undefined) {
    const says = await saidBeyondLog(log, topology, stage, partition, info?.lastSequence ?? 0);
    if (says !== undefined) return { kind: 'rolled-back', says };
  }
  if (info === undefined) {
    return head === undefined ? FITS : { kind: 'other-stream', says: `the stream ${stream} is not there` };
  }
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
    return { kind: 'rolled-back', says: `it includes message ${sequence} of ${stream}, ${how}` };
  }
  const beginning = await log.last(stream, subjectOf(stage, partition, REPARTITION, 0));
  if (beginning !== undefined && beginning.sequence > sequence) {
    return { kind: 'gap', says: `${stream} goes on from state that rivulet repartition made, and that is not here` };
  }
  const lost =
    head === undefined
      ? undefined
      : ((await filledAnew(log, topology, head)) ?? (await saidAndGone(log, topology, head, info)));
  if (lost !== undefined) return lost;
  const { trimmed, gone } = await recordOf(log, stage, partition, info);
  if (trimmed > sequence + 1) return { kind: 'gap', says: `its mailbox was trimmed below message ${trimmed}` };
  const { publishers } = mailboxSubjects(topology, stage, partition);
  // Publishers' messages do not tell of the one before them.
  const { firstSequence } = info;
  if (publishers.length > 0 && head === undefined && firstSequence > 1 && !isWithin(gone, [1, firstSequence - 1])) {
    return { kind: 'gap', says: `${stream} begins with message ${firstSequence}: earlier ones were trimmed` };
  }
  return behindSnapshot(log, topology, { stage, partition, sequence, heard: head?.heard ?? {}, gone }, info);
}

type Recorded = Pick<MailboxRecord, 'trimmed' | 'gone'>;

async function recordOf(log: Log, id: string, partition: number, info: StreamInfo): Promise<Recorded> {
  if ((await infoOf(log, streamOf(POISON))) === undefined) return { trimmed: 0, gone: [] };
  return mailboxRecord({ log, stage: { id }, partition }, info);
}

interface Mailbox extends Pick<MailboxRecord, 'gone'>, Pick<SnapshotHead, 'heard'> {
  readonly stage: string;
  readonly partition: number;
  /** What the snapshot includes. */
  readonly sequence: number;
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
  const reader = await log.read(stream, { filters, from: sequence });
  try {
    const [first] = await reader.take(1);
    if (first?.sequence === sequence) {
      mustBeIncluded({ stage: topology.stage(id), partition }, { sequence, storedAtMs }, first);
    }
    return undefined;
  } catch (error) {
    if (hasCode(error, 'LOG_BEHIND')) return { kind: 'rolled-back', says: asError(error).message };
    throw error;
  } finally {
    await reader.close();
  }
}

/** What it has said, and others are to hear, must be there. */
async function saidAndGone(
  log: Log,
  topology: Topology,
  { stage, partition, sequence, storedAtMs, said, heard }: SnapshotHead,
  { identity, origins = [], lastSequence }: StreamInfo,
): Promise<LogFit | undefined> {
  try {
    const lines = new Map<string, Awaited<ReturnType<typeof readSaid>>>();
    for (const { to, subject } of destinationsOf(topology, stage, partition)) {
      lines.set(subject, await readSaid(log, streamOf(to), subject));
    }
    const restored = { sequence, storedAtMs, identity, origins, lastSequence, said, heard };
    await mustHoldWhatWasSaid({ topology, stage: topology.stage(stage), partition, log }, restored, lines);
    return undefined;
  } catch (error) {
    const says = asError(error).message;
    if (hasCode(error, 'LOG_FOREIGN')) return { kind: 'foreign', says };
    if (hasCode(error, 'LOG_BEHIND') || hasCode(error, 'STREAM_NOT_FOUND')) return { kind: 'rolled-back', says };
    throw error;
  }
}

/**
 * All that an actor would read behind the snapshot: each writer says in a message which of its own came before; what publishers have sent shows by
 * its sequences.
 */
async function behindSnapshot(
  log: Log,
  topology: Topology,
  { stage, partition, sequence, heard, gone }: Mailbox,
  { lastSequence }: StreamInfo,
): Promise<LogFit> {
  const stream = streamOf(stage);
  const name = `${stage}.${partition}`;
  const filters = filtersOf(topology, stage, partition);
  const whole = readsAll(topology, stage) ? new Whole(name, stream, sequence, gone) : undefined;
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
  const chain = new Heard(name, sequence, heard, known, whole !== undefined);
  const reader = end > sequence ? await log.read(stream, { filters, from: sequence + 1 }) : undefined;
  try {
    for (let at = sequence; reader !== undefined && at < end;) {
      const silence = setTimeout(() => void reader.close(), SILENCE_MS_MAX);
      const messages = await reader.take(READ_AT_A_TIME).finally(() => {
        clearTimeout(silence);
      });
      if (messages.length === 0) break;
      for (const message of messages) {
        at = message.sequence;
        upTo(at);
        if (!isPublishers(message.subject)) chain.follow(message);
      }
    }
    // The last ones of all may be missing.
    if (lastSequence > sequence) upTo(lastSequence + 1);
    if (missing.length === 0) return FITS;
    return { kind: 'holes', says: `the NATS store has lost ${spanText(missing)} of ${stream}`, missing };
  } catch (error) {
    if (hasCode(error, 'LOG_GAP')) return { kind: 'gap', says: asError(error).message };
    if (hasCode(error, 'LOG_BEHIND')) return { kind: 'rolled-back', says: asError(error).message };
    throw error;
  } finally {
    await reader?.close();
  }
}

/**
 * What an instance has said must be an answer to messages that the log still holds under the same numbers: else what it says to new ones would be
 * taken for said (design rule 5).
 */
async function saidBeyondLog(
  log: Log,
  topology: Topology,
  stage: string,
  partition: number,
  lastSequence: number,
): Promise<string | undefined> {
  for (const { to, subject } of destinationsOf(topology, stage, partition)) {
    if ((await infoOf(log, streamOf(to))) === undefined) continue;
    const said = (await readSaid(log, streamOf(to), subject)).said.sequence;
    if (said > lastSequence) {
      return `${stage}.${partition} has answered message ${said} on ${subject}, and its mailbox ends at ${lastSequence}`;
    }
  }
  return undefined;
}
