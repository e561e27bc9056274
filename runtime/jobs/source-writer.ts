/**
 * Writes into mailboxes what comes from outside the pipeline: chunks of files for parse, table rows for popularity and watermark, factors for ranking-learner. Each is an upstream like any other: one writer per subject,
 * fenced; after a crash it resumes after the subject's last message.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ChunkSchema, EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { type Frame, partitionBy } from '../frames/frame.js';
import { encodeFrame } from '../frames/codec.js';
import { streamOf, subjectOf } from '../contract/graph.js';
import { lastOwnMessage } from '../log-integrity/last-message.js';
import { OutputLane, Outbox } from '../actor/outbox.js';
import type { ChunkSource, Clock, Log, Logger, SourceChunk, SourcePosition, StoredChunks } from '../contract/ports.js';
import { NO_OUTPUT } from '../actor/output-position.js';

export interface WriterOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Chunks in flight; one more is read meanwhile. */
const CHUNKS_IN_FLIGHT = 2;

async function openLine(
  options: WriterOptions,
  to: string,
  q: number,
  from: string,
): Promise<{ line: OutputLane; outbox: Outbox }> {
  const lines = new Map<string, OutputLane>();
  const outbox = new Outbox(lines);
  const subject = subjectOf(to, q, from, q);
  const line = await OutputLane.open({
    ...options,
    stream: streamOf(to),
    subject,
    onAcked: () => {
      outbox.wake();
    },
    onFailed: (error) => {
      outbox.fail(error);
    },
  });
  lines.set(subject, line);
  return { line, outbox };
}

/** Writes all chunks of a source; resolves when the last is acknowledged. `onChunk` is called for each chunk that is handed over. */
export async function writeChunks(
  options: WriterOptions,
  source: ChunkSource,
  { to, from }: ChunkTarget,
  onChunk: (chunk: SourceChunk) => void,
): Promise<void> {
  // The lane first: a later message of another writer is newer than the lane's position, and fences it.
  const { line, outbox } = await openLine(options, to, 0, from);
  let { sequence } = line.published;
  const stored: StoredChunks = {
    last: () => lastChunk(options.log, { to, from }),
    all: async () => {
      await outbox.settled();
      return sequence;
    },
  };
  for await (const chunk of source.chunks(stored)) {
    await outbox.room(CHUNKS_IN_FLIGHT - 1, Infinity);
    options.signal.throwIfAborted();
    sequence++;
    const envelope = create(EnvelopeSchema, {
      ...{ first: sequence, sequence, lastPart: true },
      endsEpoch: chunk.endsEpoch,
      endsInput: chunk.endsInput,
      body: { case: 'chunk', value: create(ChunkSchema, chunk) },
    });
    line.enqueue({ ...NO_OUTPUT, first: sequence, sequence }, toBinary(EnvelopeSchema, envelope));
    onChunk(chunk);
  }
  await outbox.settled();
}

/** Writes frames into the one mailbox of a stage, behind all that the source has written before; resolves when the last is acknowledged. */
export async function appendFrames(
  options: WriterOptions,
  frames: Iterable<Frame>,
  { to, from }: ChunkTarget,
): Promise<void> {
  const { line, outbox } = await openLine(options, to, 0, from);
  let { sequence } = line.published;
  for (const frame of frames) {
    await outbox.room(CHUNKS_IN_FLIGHT - 1, Infinity);
    options.signal.throwIfAborted();
    sequence++;
    const body = { case: 'frame' as const, value: encodeFrame(frame) };
    const envelope = create(EnvelopeSchema, { first: sequence, sequence, lastPart: true, body });
    line.enqueue({ ...NO_OUTPUT, first: sequence, sequence }, toBinary(EnvelopeSchema, envelope));
  }
  await outbox.settled();
}

export interface ChunkTarget {
  readonly to: string;
  readonly from: string;
}

/** The last chunk of a source that the log has. */
export async function lastChunk(log: Log, { to, from }: ChunkTarget): Promise<SourcePosition | undefined> {
  const { message } = await lastOwnMessage(log, streamOf(to), subjectOf(to, 0, from, 0));
  if (message === undefined) return undefined;
  const { body, endsEpoch, endsInput, sequence: number } = fromBinary(EnvelopeSchema, message.data);
  if (body.case !== 'chunk') return undefined;
  const { file, nextOffset, nextLine } = body.value;
  return { file, nextOffset, nextLine, endsEpoch, endsInput, number };
}

export interface TableTarget {
  readonly to: string;
  readonly from: string;
  readonly by: string;
  readonly partitions: number;
  /** How many tables were begun before this one and not finished: its messages come after all of theirs. */
  readonly begunBefore?: number;
}

/** No table has more messages in a partition. */
const TABLE_MESSAGES_MAX = 2 ** 32;
const startOf = ({ begunBefore = 0 }: TableTarget): number => begunBefore * TABLE_MESSAGES_MAX;

/** Whether all partitions have the table to its end. */
export async function isTableWritten(log: Log, target: TableTarget): Promise<boolean> {
  const { to, from, partitions } = target;
  const lasts = Array.from({ length: partitions }, async (_, q) => {
    const { message } = await lastOwnMessage(log, streamOf(to), subjectOf(to, q, from, q));
    return message === undefined ? undefined : fromBinary(EnvelopeSchema, message.data);
  });
  return (await Promise.all(lasts)).every((last) => last?.endsInput === true && last.sequence > startOf(target));
}

/** Writes a table to all partitions of a stage, by the hash of a column or to `all`: rows first, then the end of input. */
export async function writeTable(
  options: WriterOptions,
  frames: AsyncIterable<Frame>,
  target: TableTarget,
): Promise<void> {
  const { to, from, by, partitions } = target;
  const writers = await Promise.all(Array.from({ length: partitions }, (_, q) => openLine(options, to, q, from)));
  let sequence = startOf(target);
  const hand = (q: number, frame: Frame | undefined, endsInput: boolean): void => {
    const { line } = writers[q]!;
    if (sequence <= line.published.sequence) return;
    const body = frame === undefined ? { case: undefined } : { case: 'frame' as const, value: encodeFrame(frame) };
    const envelope = create(EnvelopeSchema, { first: sequence, sequence, lastPart: true, endsInput, body });
    line.enqueue({ ...NO_OUTPUT, first: sequence, sequence }, toBinary(EnvelopeSchema, envelope));
  };
  for await (const frame of frames) {
    sequence++;
    const parts = by === 'all' ? new Array<Frame>(partitions).fill(frame) : partitionBy(frame, by, partitions);
    parts.forEach((rows, q) => {
      if (rows !== undefined) hand(q, rows, false);
    });
    for (const { outbox } of writers) await outbox.room(CHUNKS_IN_FLIGHT, Infinity);
  }
  sequence++;
  for (let q = 0; q < partitions; q++) hand(q, undefined, true);
  for (const { outbox } of writers) await outbox.settled();
}
