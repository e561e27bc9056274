/** Do a snapshot and the log fit together? What an actor finds out when it opens (LOG_BEHIND, LOG_GAP), asked of a node that is stopped. */
import { fromBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema, type SnapshotHead } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { mailboxRecord } from '../buried.js';
import { POISON, REPARTITION, streamOf, subjectOf, type Topology } from '../graph.js';
import type { Log, StreamInfo } from '../ports.js';
import { readSaid } from '../outbox.js';
import { destinationsOf } from '../router.js';
import { mustBeIncluded, mustHoldWhatWasSaid } from '../restored.js';
import { filtersOf, mailboxSubjects } from '../streams.js';
import { hasCode } from './nats-link.js';

const READ_AT_A_TIME = 100;

export type LogFit =
  | { readonly kind: 'fits' }
  /** The stream ends before what the snapshot includes. */
  | { readonly kind: 'rolled-back'; readonly says: string }
  /** It is another one, or gone. */
  | { readonly kind: 'other-stream'; readonly says: string }
  /** Messages behind the snapshot were trimmed. */
  | { readonly kind: 'gap'; readonly says: string };

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
  if (info === undefined) {
    return head === undefined ? FITS : { kind: 'other-stream', says: `the stream ${stream} is not there` };
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
  if (lost !== undefined) return { kind: 'rolled-back', says: lost };
  const trimmed = await trimmedBelow(log, stage, partition, info);
  if (trimmed > sequence + 1) return { kind: 'gap', says: `its mailbox was trimmed below message ${trimmed}` };
  const { publishers } = mailboxSubjects(topology, stage, partition);
  // Publishers' messages do not tell of the one before them.
  if (publishers.length > 0 && head === undefined && info.firstSequence > 1) {
    return { kind: 'gap', says: `${stream} begins with message ${info.firstSequence}: earlier ones were trimmed` };
  }
  return gapBehind(log, topology, stage, partition, sequence);
}

async function trimmedBelow(log: Log, id: string, partition: number, info: StreamInfo): Promise<number> {
  if ((await infoOf(log, streamOf(POISON))) === undefined) return 0;
  return (await mailboxRecord({ log, stage: { id }, partition }, info)).trimmed;
}

/** The message that it ends with may have been replaced; one that was trimmed tells nothing. */
async function filledAnew(
  log: Log,
  topology: Topology,
  { stage: id, partition, sequence, storedAtMs }: SnapshotHead,
): Promise<string | undefined> {
  const stream = streamOf(id);
  const filters = filtersOf(topology, id, partition);
  const lasts = await Promise.all(filters.map((filter) => log.last(stream, filter)));
  // Else it would be waited for.
  if (!lasts.some((last) => last !== undefined && last.sequence >= sequence)) return undefined;
  const reader = await log.read(stream, { filters, from: sequence });
  try {
    const [first] = await reader.take(1);
    if (first?.sequence === sequence) {
      mustBeIncluded({ stage: topology.stage(id), partition }, { sequence, storedAtMs }, first);
    }
    return undefined;
  } catch (error) {
    if (hasCode(error, 'LOG_BEHIND')) return (error as Error).message;
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
): Promise<string | undefined> {
  try {
    const lines = new Map<string, Awaited<ReturnType<typeof readSaid>>>();
    for (const { to, subject } of destinationsOf(topology, stage, partition)) {
      lines.set(subject, await readSaid(log, streamOf(to), subject));
    }
    const restored = { sequence, storedAtMs, identity, origins, lastSequence, said, heard };
    await mustHoldWhatWasSaid({ topology, stage: topology.stage(stage), partition, log }, restored, lines);
    return undefined;
  } catch (error) {
    if (hasCode(error, 'LOG_BEHIND') || hasCode(error, 'STREAM_NOT_FOUND')) return (error as Error).message;
    throw error;
  }
}

/** Each writer says in a message which of its own came before: the first one behind the snapshot must follow on one that it includes. */
async function gapBehind(
  log: Log,
  topology: Topology,
  stage: string,
  partition: number,
  sequence: number,
): Promise<LogFit> {
  const stream = streamOf(stage);
  const waiting = new Set<string>();
  for (const subject of mailboxSubjects(topology, stage, partition).writers) {
    const last = await log.last(stream, subject);
    if (last !== undefined && last.sequence > sequence) waiting.add(subject);
  }
  if (waiting.size === 0) return FITS;
  const reader = await log.read(stream, { filters: filtersOf(topology, stage, partition), from: sequence + 1 });
  try {
    while (waiting.size > 0) {
      const messages = await reader.take(READ_AT_A_TIME);
      if (messages.length === 0) break;
      for (const { subject, expected = 0 } of messages) {
        if (waiting.delete(subject) && expected > sequence) {
          return { kind: 'gap', says: `message ${expected} on ${subject} was trimmed before it was taken in` };
        }
      }
    }
    return FITS;
  } finally {
    await reader.close();
  }
}

/**
 * What an instance has said must be an answer to messages that the log still holds under the same numbers: else what it says to new ones would be
 * taken for said (design rule 5).
 */
export async function saidBeyondLog(
  log: Log,
  topology: Topology,
  stage: string,
  partition: number,
): Promise<string | undefined> {
  const { lastSequence = 0 } = (await infoOf(log, streamOf(stage))) ?? {};
  for (const { to, subject } of destinationsOf(topology, stage, partition)) {
    if ((await infoOf(log, streamOf(to))) === undefined) continue;
    const last = await log.last(streamOf(to), subject);
    const said = last === undefined ? 0 : fromBinary(EnvelopeSchema, last.data).sequence;
    if (said > lastSequence) {
      return `${stage}.${partition} has answered message ${said} on ${subject}, and its mailbox ends at ${lastSequence}`;
    }
  }
  return undefined;
}
