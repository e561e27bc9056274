/**
 * A record in the log of the messages of a mailbox that are not processed: quarantined inputs (poison messages), trimmed and lost messages.
 *
 * Invariants
 *   QUARANTINE-1  An input is skipped only after the log has stored the record: whoever recovers an older snapshot, also on another node, skips it too.
 *   QUARANTINE-2  An actor reads the record, from the leader, before it reads its mailbox.
 *   QUARANTINE-3  A record is fenced by the one before it: of two owners that quarantine at once, the second reads what the first has recorded.
 *   QUARANTINE-4  A trim is recorded before it is done, so that a reader that starts from an older snapshot detects it.
 *   QUARANTINE-5  Of a frame the rows that fail are skipped, and the others processed as if the frame had come without them. A frame that fails although no
 *                 row fails alone is skipped entirely.
 *
 * Records have a stream of their own, so that they can be written while the mailbox is full because of that very message. Each names the stream
 * whose sequences it lists: in a recreated stream the same sequences are other messages.
 */
import { rowsOfFrame } from '../frames/codec.js';
import type { Envelope } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { utf8 } from '../frames/bytes.js';
import { QUARANTINE, streamOf } from '../contract/graph.js';
import { asError, fatal } from '../contract/errors.js';
import type { Log, Logger, LogMessage, StreamInfo } from '../contract/ports.js';
import {
  type Check,
  hasFields,
  isCount,
  isListOf,
  isRecordOf,
  isText,
  optional,
  storedJson,
} from '../contract/stored-json.js';
import { type Span, spansOf } from '../log-integrity/spans.js';
import { sharedUpTo } from '../log-integrity/verdict.js';

type StreamIdentity = Pick<StreamInfo, 'identity' | 'origins'>;

/** A record must fit into a message. A trim removes entries; with more than this, all the input is bad, or the log is. */
const ENTRIES_MAX = 10_000;

type QuarantinedRow = readonly [sequence: number, row: number];

export interface Mailbox {
  readonly log: Log;
  readonly stage: { readonly id: string };
  readonly partition: number;
  /** Absent: of a command. */
  readonly logger?: Logger;
}

interface Record {
  readonly stream: string;
  readonly sequences: readonly number[];
  /** Sequence of a message and row of its frame. Absent: none is. */
  readonly rows?: readonly QuarantinedRow[];
  /** Of a chain: which stage fails on them, by `placeOf`. Absent: of none it is known. */
  readonly failedIn?: FailedIn;
  /** Messages with a lower sequence may be missing, or their outputs are in streams that are gone: nobody starts there. Absent: none is. */
  readonly trimmed?: number;
  /** Lost in the log, and recorded by `rivulet repair`; absent: none is. */
  readonly gone?: readonly Span[];
}

interface FailedIn {
  readonly [place: string]: string;
}

/** An input, or a row of it. */
export const placeOf = (sequence: number, row?: number): string =>
  row === undefined ? `${sequence}` : `${sequence}/${row}`;

/** Which messages of a mailbox are quarantined, below which sequence they may be missing, and which are lost. */
export interface MailboxRecord {
  readonly quarantined: ReadonlySet<number>;
  /** Quarantined rows of other messages, by sequence. */
  readonly rows: ReadonlyMap<number, ReadonlySet<number>>;
  readonly failedIn: FailedIn;
  readonly trimmed: number;
  readonly gone: readonly Span[];
}

/**
 * Each event is counted once, also with a quarantine. A quarantined message of a publisher, or line of a file, counts as one event and one dead letter, as if
 * it could not be parsed. A frame of a later stage has events that parse has counted: its quarantined rows end here, and
 *
 *   events = on time + late + dead-letter + duplicates + rows quarantined on the way from parse to window
 */
export interface Quarantined {
  readonly messages: number;
  /** Rows of frames. */
  readonly rows: number;
}

const nameOf = ({ stage, partition }: Mailbox): string => `${stage.id}.${partition}`;
const subjectOf = ({ stage, partition }: Mailbox): string => `rivulet.${QUARANTINE}.${stage.id}.${partition}`;

/** `stream`: which one it is now, and which it was restored from. */
export async function mailboxRecord(mailbox: Mailbox, stream: StreamIdentity): Promise<MailboxRecord> {
  const { sequences, rows, failedIn, trimmed, gone } = await read(mailbox, stream);
  const bySequence = new Map<number, Set<number>>();
  for (const [sequence, row] of rows) bySequence.set(sequence, (bySequence.get(sequence) ?? new Set()).add(row));
  return { quarantined: new Set(sequences), rows: bySequence, failedIn, trimmed, gone };
}

/** Resolves when the log has stored that messages below may be missing. */
export function recordTrim(mailbox: Mailbox, below: number): Promise<void> {
  return change(mailbox, ({ sequences, rows, failedIn, trimmed, gone }) => ({
    trimmed: Math.max(trimmed, below),
    // Nobody starts there any more.
    sequences: sequences.filter((sequence) => sequence >= below),
    rows: rows.filter(([sequence]) => sequence >= below),
    failedIn: Object.fromEntries(Object.entries(failedIn).filter(([place]) => parseInt(place) >= below)),
    gone: gone.filter(([, to]) => to >= below),
  }));
}

/** Resolves when the log has stored that these are lost, so that every replay goes on without them. */
export function recordLoss(mailbox: Mailbox, spans: readonly Span[]): Promise<void> {
  return change(mailbox, ({ gone }) => {
    const all = spansOf([...gone, ...spans]);
    if (all.length > ENTRIES_MAX) {
      throw fatal('LOSS_TOO_SCATTERED', `${nameOf(mailbox)} has lost messages in ${all.length} places of its stream`, {
        hint: 'restore the NATS store from a backup, or start anew with `rivulet repair --start-anew`',
      });
    }
    return { gone: all };
  });
}

/** An input, or one row of its frame. Resolves when it is stored. After a transient error it may be stored or not: the next actor reads what is. */
export function quarantine(mailbox: Mailbox, sequence: number, row?: number, stage?: string): Promise<void> {
  return change(mailbox, ({ sequences, rows, failedIn: known }) => {
    if (sequences.length + rows.length >= ENTRIES_MAX) {
      throw fatal(
        'QUARANTINE_FULL',
        `${nameOf(mailbox)} has failed on ${sequences.length + rows.length} messages or rows`,
        {
          hint: 'the stage is broken, or what is sent to it: see the first errors in the log, and rivulet dlq ls',
        },
      );
    }
    const failedIn = stage === undefined ? known : { ...known, [placeOf(sequence, row)]: stage };
    if (row !== undefined)
      return { failedIn, rows: [...rows.filter(([s, r]) => s !== sequence || r !== row), [sequence, row]] };
    return {
      failedIn,
      sequences: [...sequences.filter((one) => one !== sequence), sequence],
      rows: rows.filter(([one]) => one !== sequence),
    };
  });
}

/** Takes back a quarantine that did not help. Only by the one that recorded it, and before anything was published about it. */
export function release(mailbox: Mailbox, sequence: number): Promise<void> {
  return change(mailbox, ({ sequences }) => ({ sequences: sequences.filter((one) => one !== sequence) }));
}

type Content = Required<Omit<Record, 'stream'>>;

async function change(mailbox: Mailbox, next: (content: Content) => Partial<Content>): Promise<void> {
  const { log, stage, logger } = mailbox;
  const info = await log.info(streamOf(stage.id));
  const { at, ...content } = await read(mailbox, info);
  const record: Record = { stream: info.identity, ...content, ...next(content) };
  const stored = await log.publish(subjectOf(mailbox), utf8(JSON.stringify(record)), { expected: at });
  const subject = subjectOf(mailbox);
  await log.purge(streamOf(QUARANTINE), subject, stored).catch((error: unknown) => {
    // Only the newest record counts: the older ones take room until the next one is stored.
    logger?.debug({ err: asError(error), subject, below: stored }, 'cannot remove the older records of a mailbox now');
  });
}

async function read(mailbox: Mailbox, info: StreamIdentity): Promise<Content & { readonly at: number }> {
  const { record, at } = await newest(mailbox);
  if (record === undefined) return { sequences: [], rows: [], failedIn: {}, trimmed: 0, gone: [], at };
  const { stream, sequences, rows = [], failedIn = {}, trimmed = 0, gone = [] } = record;
  // If this stream was restored from that one, the entries that are in both count.
  const upTo = sharedUpTo(stream, info) ?? 0;
  return {
    sequences: sequences.filter((sequence) => sequence <= upTo),
    rows: rows.filter(([sequence]) => sequence <= upTo),
    failedIn,
    trimmed: Math.min(trimmed, upTo + 1),
    gone: gone.flatMap(([from, to]): Span[] => (from > upTo ? [] : [[from, Math.min(to, upTo)]])),
    at,
  };
}

const NEWLINE = 0x0a;

/** What is lost with a quarantined message of a source or a stage: the records of a chunk, one per line; the rows of its frames. */
export function lossOf(parts: readonly Envelope[]): { readonly records: number; readonly rows: number } {
  let [records, rows] = [0, 0];
  for (const part of parts) {
    rows += rowsIn(part);
    if (part.body.case !== 'chunk') continue;
    const { data } = part.body.value;
    if (data.length > 0 && data.at(-1) !== NEWLINE) records++;
    for (const byte of data) if (byte === NEWLINE) records++;
  }
  return { records, rows };
}

export const rowsIn = ({ body }: Envelope): number => (body.case === 'frame' ? rowsOfFrame(body.value) : 0);

/** A span of sequences, or a sequence and a row. */
const isPair: Check = (value) => isListOf(isCount)(value) && (value as unknown[]).length === 2;
const isRecord = hasFields({
  ...{ stream: isText, sequences: isListOf(isCount) },
  ...{
    rows: optional(isListOf(isPair)),
    failedIn: optional(isRecordOf(isText)),
    trimmed: optional(isCount),
    gone: optional(isListOf(isPair)),
  },
});
const recordIn = ({ data }: LogMessage): Record | undefined => storedJson(data, isRecord);

const READ_AT_A_TIME = 100;

/** The newest record, and the last message on the subject, which the next record must follow. Foreign messages are skipped. */
async function newest(mailbox: Mailbox): Promise<{ readonly record: Record | undefined; readonly at: number }> {
  const { log } = mailbox;
  const [stream, subject] = [streamOf(QUARANTINE), subjectOf(mailbox)];
  const last = await log.last(stream, subject);
  if (last === undefined) return { record: undefined, at: 0 };
  let record = recordIn(last);
  if (record !== undefined) return { record, at: last.sequence };
  const reader = await log.read(stream, { filters: [subject], from: 1 });
  try {
    for (let at = 0; at < last.sequence;) {
      const messages = await reader.take(READ_AT_A_TIME);
      if (messages.length === 0) break;
      for (const message of messages) record = recordIn(message) ?? record;
      at = messages.at(-1)!.sequence;
    }
    return { record, at: last.sequence };
  } finally {
    await reader.close();
  }
}
